// Package volume tells what lies on a disk: its partition table, the file
// system in each partition, the space that file system uses, and its files.
//
// A disk or partition is any [io.ReaderAt] with a size. [ReadLayout] reads the
// partition table, [Detect] names the file system, [OpenFS] opens it as a
// [FileSystem], and [UsedSpace] lists what a capture has to take.
//
// Everything here is pure: no operating-system calls, no clock, no goroutines.
// Every byte read is treated as hostile. Values returned are safe for parallel
// use once opened.
package volume
