//go:build !linux

package capture

// clean leaves the page cache to the system.
func (f *osFile) clean(upto int64) {}

// syncDir: the system keeps names by itself.
func syncDir(dir string) error { return nil }

func renameNew(from, to string) error { return renamePlain(from, to) }

// settles: nobody can tell what has reached the medium.
const settles = false
