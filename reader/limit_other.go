//go:build !unix

package reader

// openFiles is how many files the process may have open, roughly.
func openFiles() int { return 8192 }
