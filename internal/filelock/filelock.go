// Package filelock lets the writer of a file say so, across processes, for as
// long as it lives. The lock is advisory and lies beyond every file's end, so
// that it hinders no reading, not on systems whose locks bind either. It ends
// with the process, however that ends. Where the file system has no locks,
// nothing is held.
package filelock

import "os"

// Lock is a file that is being written. Nil is none.
type Lock struct{ f *os.File }

// Hold marks the file at path as being written; nil: it cannot be marked.
func Hold(path string) *Lock {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	if !hold(f) {
		f.Close()
		return nil
	}
	return &Lock{f}
}

// Release ends the mark.
func (l *Lock) Release() {
	if l != nil {
		l.f.Close()
	}
}

// Held tells whether the file at path is marked as being written.
func Held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return held(f)
}

// at is the byte that is locked.
const at = 0x7FFFFFFFFFFFFFFE
