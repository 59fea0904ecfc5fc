package check

// entry is what the check remembers of one file record (32 bytes).
type entry struct {
	sum     uint64 // of the index entries that should exist, less those found
	parent  uint64 // of its first name; of an extension record: its base
	changed uint32 // time of the record's last change, coarse
	copied  uint32 // hash of what its folder's entry repeats
	seq     uint16
	flags   uint16
	names   uint16
	links   uint16
}

// Record flags.
const (
	recUsed    = 1 << iota
	recDir     // says that it is a folder
	recExt     // belongs to another record
	recClaimed // an extension that its base lists
	recBad     // could not be decoded in full
	recList    // has an attribute list
	recWof     // has a CompactOS reparse point
	recI30     // has a folder's index root
	recView    // has other index roots
	recReached // a folder that leads to the root
	recDoubt   // a folder that does not
	recPacked  // has compressed streams
	recEmpty   // has no attributes
	recNoList  // has extension records that its attribute list does not name
	recDedup   // has the reparse point of a deduplicated file
	recTorn    // a folder whose index is damaged, so that names in it may be lost
)

// recTrail marks, of base records, the folders that are just followed upwards; recClaimed
// is for extension records alone.
const recTrail = recClaimed

const pageEntries = 4096

// table holds an entry for each record, in pages made when first needed.
type table struct {
	pages []*[pageEntries]entry
	n     uint64
}

func (t *table) init(n uint64) {
	t.pages, t.n = make([]*[pageEntries]entry, (n+pageEntries-1)/pageEntries), n
}

// at returns the entry of record no, which must be below t.n.
func (t *table) at(no uint64) *entry {
	p := &t.pages[no/pageEntries]
	if *p == nil {
		*p = new([pageEntries]entry)
	}
	return &(*p)[no%pageEntries]
}

// peek returns the entry of record no, nil when nothing is known of it.
func (t *table) peek(no uint64) *entry {
	if no >= t.n || t.pages[no/pageEntries] == nil {
		return nil
	}
	return &t.pages[no/pageEntries][no%pageEntries]
}

// each visits all entries of records in use.
func (t *table) each(do func(no uint64, e *entry)) {
	for i, p := range t.pages {
		if p == nil {
			continue
		}
		for j := range p {
			if p[j].flags&recUsed != 0 {
				do(uint64(i)*pageEntries+uint64(j), &p[j])
			}
		}
	}
}
