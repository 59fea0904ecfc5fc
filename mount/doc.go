// Package mount shows the files of images as folders of this computer: one
// tree for all that an image holds, a driver for each system, and the register
// of what is mounted.
//
//	t := mount.NewTree()
//	t.AddVolume("", fs)                  // a volume's files at the top
//	t.AddRaw("partition-1.img", view)    // and its bytes beside them
//	s, err := mount.Mount(ctx, t, "/mnt/x", mount.Options{Image: path})
//	…
//	err = s.Run(ctx, say)                // until unmounted or told to stop
//
// [Tree] composes volumes, raw files and folders of points into a single
// [volume.FileSystem]; it decides everything: names, numbers, link targets,
// what a stream is called. The drivers only translate: FUSE on Linux, WinFsp on
// Windows. Nothing in either can be changed through a mount; every attempt is
// answered with "read-only file system".
//
// A Tree may be used by many goroutines once built. It trusts nothing that a
// volume says: names that a system could misread are respelled, links cannot
// lead above the volume's top, and a panic in a reader ends one request.
package mount
