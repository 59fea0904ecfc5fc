// Package direct opens files once more for direct I/O, which goes past the
// system's cache: for what is read or written once in bulk, that takes a
// fraction of the processor time, and leaves the cache to others.
//
//	if direct.Suits(f, 4096) {
//		d, err := direct.Open(f, os.O_RDONLY)
//
// Addresses, offsets and lengths must then be multiples of what suits the file;
// the callers see to that, and go on with f where anything is refused. Both
// files may be used at a time, by several goroutines. On Linux, Read can wait for
// the disk without sleeping.
package direct
