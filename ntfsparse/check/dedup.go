package check

import (
	"errors"
	"fmt"
	"hash/maphash"

	"vitrine/ntfsparse"
)

// What deduplicated files hold is judged through the reader of package
// ntfsparse: a chunk store is no structure of NTFS but contents, of which every
// byte is proved by a hash.
type chunkProofs struct {
	v     *ntfsparse.Volume
	err   error // of opening it
	seed  maphash.Seed
	sound map[uint64]struct{} // chunks that were proved, by hash of their keys
	left  budget              // plain bytes that may still be proved
	short bool                // it was used up, and said so
}

// maxProved bounds the chunks that are remembered as proved: 64 GiB of the
// usual size.
const maxProved = 1 << 20

// reader opens the volume for the chunk store.
func (c *checker) reader() (*ntfsparse.Volume, error) {
	p := &c.proofs
	if p.v == nil && p.err == nil {
		p.v, p.err = ntfsparse.Open(c.r, c.size)
		p.seed, p.sound, p.left = maphash.MakeSeed(), map[uint64]struct{}{}, budget(8*c.g.clusters*c.g.cluster)
	}
	return p.v, p.err
}

// chunks visits the chunks of a deduplicated file. It does nothing when too much
// was read already.
func (c *checker) chunks(no uint64, do func(*ntfsparse.Chunk) bool) error {
	v, err := c.reader()
	if err != nil {
		return err
	}
	f, err := v.File(no)
	if err != nil {
		return err
	}
	p, err := f.Reparse()
	if err != nil {
		return err
	}
	maps := int64(0)
	if d, err := p.Dedup(); err == nil { // if not, Chunks says so
		for _, m := range d.Maps {
			maps += int64(m.Len)
		}
	}
	if !c.valueBudget.take(2 * maps) {
		c.tooMuch(no)
		return nil
	}
	return f.Chunks(do)
}

// tooMuch says once that some files were left out.
func (c *checker) tooMuch(no uint64) {
	if !c.proofs.short {
		c.proofs.short, c.rep.Incomplete = true, true
		c.findAs(Info, "T18", no, "$REPARSE_POINT", "Not all deduplicated files were looked through, as they share too much: record %d is the first that was not.", no)
	}
}

// dedupFile looks that a file's reparse point and stream maps are sound and that
// every container it needs is there.
func (c *checker) dedupFile(no uint64) {
	absent := ""
	err := c.chunks(no, func(k *ntfsparse.Chunk) bool {
		if !k.Stored() {
			absent = fmt.Sprintf("bytes %d to %d are in container %08x of the chunk store, which is not there", k.Begin, k.End, k.Container)
		}
		return absent == "" && !c.stopped()
	})
	switch {
	case errors.Is(err, ntfsparse.ErrUnsupported):
		c.rep.Incomplete = true
		c.findAs(Info, "T18", no, "$REPARSE_POINT", "The deduplicated file in record %d cannot be judged: %v.", no, err)
	case err != nil:
		c.find("T18", no, "$REPARSE_POINT", "The deduplicated file in record %d is damaged: %v.", no, err)
	case absent != "":
		c.find("T18", no, "$REPARSE_POINT", "The deduplicated file in record %d is damaged: %s.", no, absent)
	}
}

// proveFile proves every chunk of a deduplicated file that was not proved for
// another already.
func (c *checker) proveFile(no uint64) {
	p := &c.proofs
	c.chunks(no, func(k *ntfsparse.Chunk) bool {
		id := maphash.Comparable(p.seed, k.Key())
		if _, ok := p.sound[id]; ok || !k.Stored() {
			return !c.stopped() // what is absent is reported
		}
		if !p.left.take(k.End - k.Begin) {
			c.tooMuch(no)
			return false
		}
		if err := k.Prove(); err != nil {
			p.left.take(maxFailedPlaces * (k.End - k.Begin))
			sev := Codes["D3"].Severity
			if errors.Is(err, ntfsparse.ErrUnsupported) {
				sev, c.rep.Incomplete = Info, true
			}
			c.findAs(sev, "D3", no, "$DATA", "Bytes %d to %d of the deduplicated file in record %d are not in the chunk store as they were: %v.", k.Begin, k.End, no, err)
			return false
		}
		if len(p.sound) < maxProved {
			p.sound[id] = struct{}{}
		}
		return !c.stopped()
	})
}

// maxFailedPlaces is in how many places a chunk may have been looked for in vain.
const maxFailedPlaces = 31
