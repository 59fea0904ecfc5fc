// Package attach makes block devices of the operating system. On Linux it lays
// a loop device over a file, one that a FUSE mount shows for example.
//
//	l, err := attach.Loop("/mnt/disk.img", attach.LoopOptions{ReadOnly: true})
//	fmt.Println(l.Path()) // /dev/loop3, with /dev/loop3p1 …
//	err = l.Detach()
//
// [Attach] does it for any [blockdev.Device], which this process then serves.
//
//	d, err := attach.Attach(device, attach.DiskOptions{Partitions: table})
//	<-d.Done()
//
// A loop device ends by itself when the process that made it ends and nobody
// uses it any more: nothing stays behind after a kill.
//
// On Windows [Attach] serves the device over iSCSI on this machine alone and logs
// the built-in initiator in, or attaches a copy in a VHDX file. What a killed
// process leaves is undone by another one, see [Guard].
package attach
