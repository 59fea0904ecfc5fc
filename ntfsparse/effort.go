package ntfsparse

// effort is what a walk or a listing may still read of attribute lists and extension
// records, in bytes. Each belongs to one file, so that all together are smaller than the
// volume; but a hostile volume can make any number of files have the same list, and any
// number of names lead to a file with thousands of records.
type effort struct {
	left  int64
	spent bool
}

// newEffort is enough for going through all files of a volume four times.
func (v *Volume) newEffort() *effort { return &effort{left: 4*v.size + minEffort} }

// take tells whether n bytes may still be read. Nil allows everything.
func (e *effort) take(n int) bool {
	if e == nil || e.spent {
		return e == nil
	}
	e.left -= int64(n)
	e.spent = e.left < 0
	return !e.spent
}

// err tells that something was left out.
func (e *effort) err() error {
	if e.spent {
		return errEffort(NoRecord)
	}
	return nil
}

func errEffort(n uint64) error {
	return classf(ErrUnsupported, n, "files have, or names lead to, more extension records than are read")
}
