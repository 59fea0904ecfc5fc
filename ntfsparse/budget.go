package ntfsparse

// budget is how many bytes a walk or a listing may still read of things that each belong
// to one file, so that all together are smaller than the volume; but on a hostile
// volume any number of files have the same attribute list or index, and any number of names
// lead to a file with thousands of records.
type budget struct {
	left  int64
	spent bool
}

// extensionBudget is enough for the attribute lists and extension records of all files of
// a volume four times.
func (v *Volume) extensionBudget() *budget { return &budget{left: 4*v.size + minExtensions} }

// indexBudget is enough for all indexes of a volume twice.
func (v *Volume) indexBudget() *budget { return &budget{left: 2*v.size + minIndexes} }

// take tells whether n bytes may still be read. Nil allows everything.
func (b *budget) take(n int64) bool {
	if b == nil || b.spent {
		return b == nil
	}
	b.left -= n
	b.spent = b.left < 0
	return !b.spent
}

// err tells that extension records were left out.
func (b *budget) err() error {
	if b.spent {
		return errExtensions(NoRecord)
	}
	return nil
}

func errExtensions(n uint64) error {
	return classf(ErrUnsupported, n, "files have, or names lead to, more extension records than are read")
}
