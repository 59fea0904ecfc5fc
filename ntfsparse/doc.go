// Package ntfsparse reads NTFS volumes from any [io.ReaderAt]. It never writes.
//
//	v, err := ntfsparse.Open(r, size)
//	f, err := v.Lookup("Users/ann/notes.txt")
//	s, err := f.Open()
//	io.Copy(w, io.NewSectionReader(s, 0, s.Size()))
//
// [Open] finds the MFT, if need be by way of the backup boot sector and the
// MFT mirror. Files are found by path ([Volume.Lookup]) or reference
// ([Volume.FileRef]), folders are read through their index ([File.Dir]), and
// [Volume.Walk] visits everything in the order of the MFT, which is by far the
// fastest. A [Stream] is read at any offset. [Volume.UsedExtents] tells which
// parts of the volume a copy needs. What a checker needs is exported, too:
// records, attributes, run lists, index nodes.
//
// The package is pure: it knows no operating system, no clock and starts no
// goroutines. A Volume and all that comes from it are safe for parallel use.
// Reading holds no lock but for look-ups in caches. What is made once for the whole
// volume (the map of owners, the count of free clusters, the names that damaged
// folders have lost, a chunk store) is waited for by all who need it.
//
// # Trust
//
// Every byte of a volume is taken for hostile. Errors are typed by class, see
// [Error]. Whatever a volume says, the package holds at most: 16 bytes for
// each of 2^22 runs of a stream, 256 KiB of attribute list and 40 MiB of
// extension records of a file, 64 KiB for an index block, a security
// descriptor or EAs, 16 KiB for a reparse point, 8 MiB each for pages of the
// MFT and for decompressed units, 64 MiB of a bitmap, some 40 MiB for the folders
// that a walk remembers, 64 MiB each for names that damaged folders have lost,
// that were in folders without a record, and that a walk finds for damaged
// records, 64 MiB to compare them with those that folders have, 16 MiB to find
// names of damaged folders, 512 MiB for the map of clusters to files, if it is
// asked for, and of each of four chunk stores of deduplicated files 2^18 names of containers
// and 8 MiB of their runs. Trees are followed 32 nodes deep, paths 1,024 names.
package ntfsparse
