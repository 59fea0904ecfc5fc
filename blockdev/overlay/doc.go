// Package overlay makes a device writable without touching it: changed pages
// go elsewhere, the rest is read from below.
//
// [New] keeps the changes in memory up to a bound and then in a temporary file
// that has no name, so that a killed process leaves nothing behind. [Create]
// and [Open] keep them in a named file, described in docs/overlay.md, which
// belongs to one base and survives a crash at any moment: after it, every
// sector holds what it held at the last Flush or something written later.
//
//	o, err := overlay.New(base, overlay.Options{Limit: 4 << 30})
//	_, err = o.WriteAtContext(ctx, boot, 0)
//	err = o.Flush(ctx)
//	err = o.Close()
//
// All methods but Close may be called in parallel. The base is trusted never
// to change; a named file is not trusted.
package overlay
