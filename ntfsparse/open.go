package ntfsparse

import (
	"errors"
	"io/fs"
	"slices"
)

// Open opens the contents of a file as Windows shows them: CompactOS files
// decompressed, deduplicated ones put together, and an error of class
// [ErrNotCaptured] where a cloud placeholder's contents are not on this volume.
func (f *File) Open() (*Stream, error) {
	if f.IsDir() {
		return nil, classf(ErrIsDir, f.rec.N, "folders have no contents")
	}
	s, err := f.attrStream(TypeData, "")
	if errors.Is(err, fs.ErrNotExist) {
		switch n, _ := f.mainName(); {
		case f.rec.Flags()&(FlagView|FlagExtend) == 0:
			err = errNoContents(f.rec.N)
		case f.rec.N < FirstUser || n.Parent.Record() == RecordExtend: // $UsnJrnl has named streams alone, $Quota indexes
			return &Stream{v: f.v, file: f.Ref()}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if _, ok := f.first(TypeReparse); !ok {
		if err := f.withoutPoint(s); err != nil {
			return nil, err
		}
		return s, nil
	}
	if s.size == 0 && !f.marked() {
		return s, nil
	}
	p, err := f.Reparse()
	if err != nil {
		return nil, err
	}
	if s.size == 0 {
		return s, nil
	}
	return f.openReparsed(p, s)
}

// marked tells whether the file says that it has a reparse point.
func (f *File) marked() bool {
	if info, err := f.Standard(); err == nil {
		return info.Attributes&WinReparse != 0
	}
	return slices.ContainsFunc(f.Names(), func(n FileName) bool { return n.Attributes&WinReparse != 0 })
}

// withoutPoint tells why the unnamed stream of a file without a reparse point is not
// its contents: the file says that it has one and the stream is empty or
// has holes, or attributes were lost, or the stream is what Windows leaves of a compressed file.
func (f *File) withoutPoint(s *Stream) error {
	whole := f.bad == nil && s.size > 0 && (s.runs == nil || s.flags&(AttrCompressed|AttrSparse) == AttrCompressed || s.full())
	packed := s.runs != nil && s.size > 0 && !s.allocated() && len(extentsOf(f.attrs, TypeData, wofUnits)) > 0
	if (!f.marked() || whole) && !packed {
		return nil
	}
	return &Error{Class: ErrCorrupt, What: "the reparse point, which says what the contents are, is missing", Record: f.rec.N, Off: -1, Err: f.bad}
}

// openReparsed follows the reparse points that stand for a file's contents.
func (f *File) openReparsed(p ReparsePoint, s *Stream) (*Stream, error) {
	switch p.Tag {
	case TagWOF:
		return f.openWOF(p, s)
	case TagDedup:
		return f.openDedup(p, s)
	}
	return s, f.guardPlaceholder(p, s)
}

// guardPlaceholder keeps holes of a file that is not wholly on the volume from
// being taken for zeros: those of cloud and tiered storage, virtual projections,
// container layers, the single-instance store, and whatever filter a tag belongs
// to. The contents count as being elsewhere when nothing of them is allocated, or
// when the file's attributes say so.
func (f *File) guardPlaceholder(p ReparsePoint, s *Stream) error {
	info, err := f.Standard()
	if err != nil {
		return err
	}
	away := info.Attributes&(WinOffline|WinRecallData) != 0
	if s.runs != nil && (away || !s.allocated()) {
		s.holes = classf(ErrNotCaptured, f.rec.N, "placeholder of a file kept elsewhere (%s)", TagName(p.Tag))
	}
	return nil
}

// Stream opens a named stream of a file or folder, or with "" the unnamed
// one as it is stored, whatever its reparse point says. The case of letters
// does not matter unless two names differ in nothing else.
func (f *File) Stream(name string) (*Stream, error) {
	units := EncodeName(name)
	if len(extentsOf(f.attrs, TypeData, string(units))) == 0 {
		units = f.foldStream(units)
	}
	return f.attrStream(TypeData, string(units))
}

func (f *File) foldStream(units []byte) []byte {
	for _, a := range f.attrs {
		if a.Type() == TypeData && f.v.upcase != nil && f.v.upcase.CompareFold(a.NameUnits(), units) == 0 {
			return a.NameUnits()
		}
	}
	return units
}

// Streams lists the file's data streams in the order of its records, the
// unnamed one, where there is one, among them.
func (f *File) Streams() []StreamInfo {
	var list []StreamInfo
	for _, a := range f.attrs {
		if a.Type() == TypeData && a.LowVCN() == 0 {
			list = append(list, StreamInfo{a.Name(), a.Size(), a.Total(), a.Flags(), a.Resident()})
		}
	}
	return list
}

// StreamInfo describes a data stream.
type StreamInfo struct {
	Name     string
	Size     int64
	Alloc    int64 // bytes on the volume, 0 when resident
	Flags    uint16
	Resident bool
}
