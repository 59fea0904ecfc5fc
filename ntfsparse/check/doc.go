// Package check judges whether an NTFS volume is sound. It only reads, replays
// no log and needs no operating system.
//
//	rep, err := check.Run(ctx, disk, size, check.Options{})
//	for _, f := range rep.Findings {
//		fmt.Println(f.Severity, f.Code, f.Path, f.Message)
//	}
//
// It reads the file table once from front to back, then every index block that
// a folder or view index reaches, then the cluster bitmap. What one pass cannot
// see, such as which files share a cluster, a second pass over the file table
// finds, only when there is something to find.
//
// The package decodes all structures itself, field by field, since a checker
// must see what a reader passes over: it is a second opinion on package
// ntfsparse, not a user of it; chunk stores, which hold contents of files
// elsewhere, it reads through that. The structures are those of the literature on
// NTFS: the documentation of the Linux-NTFS project, [MS-FSCC] for reparse
// points, extended attributes and USN records, [MS-DTYP] for security
// descriptors. Each code's meaning and severity is in [Codes].
//
// Run trusts no byte. Its memory: 32 bytes for each record of the file table
// that has ever been used, one bit for each cluster that is in use, up to
// 64 MiB of bits (larger volumes are compared in several passes over the file
// table), and a few MiB besides. Work is bounded by the volume's size even where
// structures overlap. The number of findings kept is bounded; all are counted.
//
// Run may be called in parallel; one Report belongs to one caller.
package check
