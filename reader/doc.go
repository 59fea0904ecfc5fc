// Package reader joins the members of an image set to one virtual disk per
// point.
//
//	p, err := reader.Open(ctx, "0123456789ABCDEF-0007.vtr", reader.Options{})
//	…
//	defer p.Close()
//	part := p.Disks()[0].Partitions[0]
//	n, err := part.ReadAt(buf, 0)
//
// [Open] reads the end of one member. Its ancestors are found when a byte of
// them is needed: by the name they should have, then by the headers in the same
// folder and in the folders of Options.Search. A name is a hint and nothing
// stored in an image is ever opened as a path; a file is an ancestor if its
// header has the right image-set ID and UID.
//
// Every page and every block is proved by its hash, starting at the root of the
// point, before a byte of it leaves. What is damaged, missing or was unreadable
// at capture gives a [DamageError], [MissingError] or [UnreadableError] and
// does not stop reads elsewhere.
//
// A [Point], its views and a [Pool] are safe for parallel use. Memory is bound
// by Options.CacheBytes and Options.PageCacheBytes plus about half a MiB per
// running read; several points share both bounds, open files and decoders
// through one [Pool]. Read-ahead and parallel decoding run in goroutines that
// end with the read, or with Close.
package reader
