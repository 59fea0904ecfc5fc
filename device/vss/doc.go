// Package vss makes shadow copies of Windows' volumes, through the interface
// for backup programs of the Volume Shadow Copy Service: applications that take
// part bring their files into order first.
//
//	set, err := vss.Create(ctx, []string{`\\?\Volume{…}\`}, vss.Options{})
//	defer set.Close()
//	name := set.Device(`\\?\Volume{…}\`) // \\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7
//
// All volumes of a set are frozen at one moment. The copies belong to this
// process: they are gone after Close, and when it ends in whatever way.
//
// It takes the rights of an administrator, and a program of the system's own
// architecture. A set is used by one goroutine at a time; its devices may be read
// in parallel.
//
// Source: vss.h, vsbackup.h and "Volume Shadow Copy Service" in Microsoft's
// documentation.
package vss
