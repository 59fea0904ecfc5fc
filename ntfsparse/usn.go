package ntfsparse

// USNRecord is one record of the change journal, $Extend/$UsnJrnl:$J.
//
//	V2:   0x00 4 length; 0x04 2 major, 0x06 2 minor version; 0x08 8 file;
//	      0x10 8 parent; 0x18 8 USN; 0x20 8 time; 0x28 4 reason; 0x2C 4 source;
//	      0x30 4 security id; 0x34 4 attributes; 0x38 2 name length; 0x3A 2 offset
//	V3:   the same with 16-byte ids of file and parent
//	V4:   16-byte ids, USN, reason, source, then extents instead of a name
type USNRecord struct {
	Major, Minor uint16
	File, Parent Ref // low 64 bits of the id
	USN          int64
	Time         Time // not in V4
	Reason       uint32
	Source       uint32
	SecurityID   uint32
	Attributes   uint32
	Name         string // not in V4
}

// ParseUSN decodes the record at the beginning of b and gives its length;
// n is 0 when there is none, which is what the end of a page looks like.
func ParseUSN(b []byte) (rec USNRecord, n int, err error) {
	if len(b) < 8 || le.Uint32(b) == 0 {
		return rec, 0, nil
	}
	size := le.Uint32(b)
	rec.Major, rec.Minor = le.Uint16(b[4:]), le.Uint16(b[6:])
	head := map[uint16]uint32{2: 0x3C, 3: 0x4C, 4: 0x38}[rec.Major]
	if head == 0 {
		return rec, 0, classf(ErrUnsupported, NoRecord, "change journal record of version %d", rec.Major)
	}
	if size < head || size&7 != 0 || size > uint32(len(b)) {
		return rec, 0, corrupt("change journal record has a wrong length", 0)
	}
	return rec, int(size), rec.parse(b[8:size])
}

func (r *USNRecord) parse(b []byte) error {
	id := 8
	if r.Major > 2 {
		id = 16
	}
	r.File, r.Parent = Ref(le.Uint64(b)), Ref(le.Uint64(b[id:]))
	head := len(b)
	b = b[2*id:]
	r.USN = int64(le.Uint64(b))
	if r.Major == 4 {
		r.Reason, r.Source = le.Uint32(b[8:]), le.Uint32(b[12:])
		return nil
	}
	r.Time, r.Reason, r.Source = Time(le.Uint64(b[8:])), le.Uint32(b[16:]), le.Uint32(b[20:])
	r.SecurityID, r.Attributes = le.Uint32(b[24:]), le.Uint32(b[28:])
	n, off := int(le.Uint16(b[32:])), int(le.Uint16(b[34:]))-8-(head-len(b))
	if off < 0 || n > len(b)-off || n&1 != 0 {
		return corrupt("change journal record has its name outside", 0)
	}
	if r.Name = DecodeName(b[off : off+n]); n == 2 && b[off] == '.' && b[off+1] == 0 {
		r.Name = "." // the root
	}
	return nil
}

// USNInfo is the state of the change journal.
type USNInfo struct {
	ID      uint64 // of the journal: the time it was made
	MaxSize uint64 // bytes that are kept at least
	Delta   uint64
	First   int64 // of the lowest USN still kept
	Next    int64 // USN that the next record gets
}

// USN tells the state of the change journal; fs.ErrNotExist when the volume
// has none.
func (v *Volume) USN() (USNInfo, error) {
	var in USNInfo
	f, err := v.Lookup("$Extend/$UsnJrnl")
	if err != nil {
		return in, err
	}
	s, err := f.Stream("$Max")
	if err != nil {
		return in, err
	}
	var b [32]byte
	if err := readFull(s, b[:], 0); err != nil {
		return in, err
	}
	in = USNInfo{MaxSize: le.Uint64(b[:]), Delta: le.Uint64(b[8:]), ID: le.Uint64(b[16:]), First: int64(le.Uint64(b[24:]))}
	if s, err = f.Stream("$J"); err == nil {
		in.Next = s.Size()
	}
	return in, err
}

// usnPage is the size of a page, which no record crosses.
const usnPage = 4096

// USNRecords reads the change journal from its first byte that is no hole
// on, until yield returns false. Pages that are damaged or cannot be read are
// yielded as an error and passed over.
func (v *Volume) USNRecords(yield func(USNRecord, error) bool) error {
	f, err := v.Lookup("$Extend/$UsnJrnl")
	if err != nil {
		return err
	}
	s, err := f.Stream("$J")
	if err != nil {
		return err
	}
	page := make([]byte, usnPage)
	room := v.size // no journal has more than the volume
	for off := int64(0); off < s.Size() && room > 0; off += usnPage {
		if end, hole := s.NextExtent(off); hole && end-off >= usnPage {
			off = end&^(usnPage-1) - usnPage
			continue
		}
		p := page[:min(usnPage, s.Size()-off)]
		room -= usnPage
		err := readFull(s, p, off)
		switch {
		case err != nil && (s.refuse != nil || s.runs != nil && off>>v.geo.shift >= s.runs.End()):
			return err // as in all pages that follow
		case err != nil && !yield(USNRecord{}, err), err == nil && !usnRecords(p, yield):
			return nil
		}
	}
	return nil
}

func usnRecords(p []byte, yield func(USNRecord, error) bool) bool {
	for len(p) > 0 {
		rec, n, err := ParseUSN(p)
		if n == 0 && err == nil {
			return true
		}
		if !yield(rec, err) {
			return false
		}
		if n == 0 {
			return true
		}
		p = p[n:]
	}
	return true
}
