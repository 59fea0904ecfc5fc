package mount

import (
	"errors"
	"sync"

	"vitrine/volume"
)

// Numbers of a tree's objects, which are also FUSE node ids and inode numbers.
// They follow from the image alone, so they are the same after a remount, and
// nothing has to be remembered for objects that were seen:
//
//	bits  0–35  object number in its volume (NTFS: file record)
//	bits 36–41  stream of that object
//	bits 42–47  volume within the point; 0: folders and raw files of the tree
//	            itself; 63: a row of the table below
//	bits 48–63  point of a timeline; 0: none
const (
	recordBits = 36
	streamBits = 6
	partBits   = 6
	pointBits  = 16

	streamShift = recordBits
	partShift   = streamShift + streamBits
	pointShift  = partShift + partBits

	oddPart   = 1<<partBits - 1
	maxParts  = oddPart - 1
	maxPoints = 1<<pointBits - 1

	innerMask = 1<<pointShift - 1
)

// rootID is the tree's root; FUSE wants 1.
const rootID volume.ID = 1

// maxOdd bounds the table of objects whose number does not fit.
const maxOdd = 1 << 16

var errTooManyOdd = errors.New("too many objects with extraordinary numbers")

func pointOf(id volume.ID) int { return int(id >> pointShift) }
func partOf(id volume.ID) int  { return int(id >> partShift & oddPart) }

// packID gives the tree's number for object id of volume part, when it fits.
func packID(part int, id volume.ID) (volume.ID, bool) {
	record := id & (1<<volume.IDRecordBits - 1)
	stream := id >> volume.IDRecordBits
	if record >= 1<<recordBits || stream >= 1<<streamBits {
		return 0, false
	}
	return volume.ID(part)<<partShift | stream<<streamShift | record, true
}

// unpackID gives the volume's own number for a packed one.
func unpackID(id volume.ID) volume.ID {
	record := id & (1<<recordBits - 1)
	stream := id >> streamShift & (1<<streamBits - 1)
	return stream<<volume.IDRecordBits | record
}

// streamOf is the stream index in a volume's own number.
func streamOf(id volume.ID) int {
	return int(id >> volume.IDRecordBits & (1<<volume.IDStreamBits - 1))
}

// oddIDs numbers objects that do not fit, in the order they are met.
type oddIDs struct {
	mu   sync.Mutex
	rows []oddRow
	nums map[oddRow]int
}

type oddRow struct {
	part int
	id   volume.ID
}

func (o *oddIDs) number(part int, id volume.ID) (volume.ID, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	row := oddRow{part, id}
	n, ok := o.nums[row]
	if !ok {
		if len(o.rows) >= maxOdd {
			return 0, errTooManyOdd
		}
		if o.nums == nil {
			o.nums = map[oddRow]int{}
		}
		n = len(o.rows)
		o.rows, o.nums[row] = append(o.rows, row), n
	}
	return volume.ID(oddPart)<<partShift | volume.ID(n), nil
}

func (o *oddIDs) row(id volume.ID) (oddRow, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := id & (1<<partShift - 1)
	if n >= volume.ID(len(o.rows)) {
		return oddRow{}, false
	}
	return o.rows[n], true
}

func (o *oddIDs) used() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows) > 0
}
