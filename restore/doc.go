// Package restore writes a point of an image back: a whole disk or one
// partition, to a disk, a partition or a plain file.
//
//	t, err := device.OpenTarget("/dev/sdb", device.TargetOptions{Protect: files})
//	plan, err := restore.NewPlan(ctx, restore.Source{…}, t, restore.Options{})
//	plan.Describe(os.Stdout)
//	report, err := plan.Run(ctx, func(p restore.Progress) { … })
//
// [NewPlan] only reads. It says what is on the target now, what will be
// written, and refuses what does not fit. [Plan.Run] first wipes the target's
// old table, then writes the data in ascending order, then the first MiB of
// each partition, and the partition table last, with the target flushed
// between; so a restore that stops half-way leaves nothing that starts or
// mounts by mistake. At the end everything is read back from the medium and
// compared with what the image held.
//
// What is free in the image is left alone on a disk and is a hole in a new
// file. A Plan is for one goroutine and one Run. The image's metadata and
// contents are not trusted: nothing is written outside the range that the plan
// names.
package restore
