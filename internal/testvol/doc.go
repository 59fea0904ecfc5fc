// Package testvol makes NTFS volumes for tests with mkntfs, mounts them with
// ntfs-3g, fills them with what Windows volumes hold, and records what a
// mounted tree contains, so that readers can be compared with ntfs-3g.
//
//	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
//	testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 3000, 1) })
//	want := testvol.Record(t, testvol.Mount(t, img))
//
// It needs Linux, the right to mount FUSE file systems and the programs
// mkntfs and ntfs-3g (Debian's ntfs-3g), and for CompactOS files
// wimlib-imagex (wimtools). A missing program fails the test by name.
package testvol
