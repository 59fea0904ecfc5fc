package ntfsparse

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"slices"
)

// Info is what a file's records say about it, but for its contents.
type Info struct {
	Ref   Ref
	IsDir bool
	Links int // names, DOS names not counted
	// Size is the length of the unnamed stream; of a folder that of its index.
	// Alloc is what it takes on the volume, nothing when it lies in the record.
	Size, Alloc int64
	StandardInfo
	Tag     uint32 // reparse tag, 0 for none
	Streams int    // named data streams
	HasEAs  bool
	// Damage tells why some of this may be missing; nil when it is complete. With
	// NoSize the size is not known: there is no unnamed stream where one should be, its
	// sizes contradict each other, or nothing tells whether it is the contents.
	Damage error
	NoSize bool

	flags    uint16 // of the record
	links    int    // that the record counts, and the names found, DOS names too
	names    int
	std      bool   // there is a $STANDARD_INFORMATION
	contents bool   // there is an unnamed stream; of a folder an index of names
	far      error  // why the reparse tag, which is outside the records, is not known
	resident bool   // unnamed stream, with its bytes in data
	data     []byte // parts of the record
	reparse  []byte
	ea       []byte
	wof      int64 // bytes allocated to WofCompressedData
	unmapped int64 // clusters that are allocated, less those that are mapped
	order    typeOrder
	v        *Volume
	file     *File // where it is known
}

// Info gathers the file's information.
func (f *File) Info() Info {
	var in Info
	in.begin(f.v, f.rec)
	in.Damage = f.bad
	for _, a := range f.attrs {
		in.add(a)
	}
	in.end()
	return in
}

func (in *Info) begin(v *Volume, rec *Record) {
	*in = Info{v: v, Ref: rec.Ref(), IsDir: rec.IsDir(), flags: rec.Flags(), links: rec.LinkCount()}
}

// add takes in one attribute.
func (in *Info) add(a Attr) {
	switch {
	case a.overlong():
		in.hurt(a, corrupt("attribute has more bytes than are allocated for it", a.Off))
	case !a.Resident() && a.LowVCN() == 0 && a.Alloc() == 0 && a.HighVCN() >= 0:
		in.hurt(a, corrupt("attribute has clusters, but says that none are allocated for it", a.Off))
	case a.overwritten():
		in.hurt(a, corrupt("attribute has fewer bytes than were written to it", a.Off))
	}
	in.mapped(a)
	switch a.Type() {
	case TypeStandardInfo:
		if s, err := ParseStandardInfo(a.Value()); err == nil {
			in.StandardInfo, in.std = s, true
		}
	case TypeFileName:
		in.names++
		if b := a.Value(); len(b) > 0x42 && b[0x41] != NameDOS {
			in.Links++
		}
	case TypeData:
		in.addData(a)
	case TypeIndexRoot:
		if in.IsDir && a.is(TypeIndexRoot, indexName30) {
			in.contents = true
			in.Size = cmp.Or(in.Size, a.Size())
		}
	case TypeIndexAllocation:
		if in.IsDir && a.LowVCN() == 0 && a.is(TypeIndexAllocation, indexName30) {
			in.Size, in.Alloc = a.Size(), a.Total()
		}
	case TypeReparse, TypeEA:
		in.addValue(a)
	}
}

// mapped counts the clusters of an extent.
func (in *Info) mapped(a Attr) {
	if a.Resident() || in.v == nil {
		return
	}
	if a.LowVCN() == 0 {
		in.unmapped += (a.Alloc() + in.v.geo.cluster - 1) >> in.v.geo.shift
	}
	in.unmapped -= a.HighVCN() + 1 - a.LowVCN()
}

// lacks tells whether parts are missing that may be in extension records.
func (in *Info) lacks() bool { return in.Damage != nil || in.unmapped > 0 || in.order.broken }

const wofUnits = "W\x00o\x00f\x00C\x00o\x00m\x00p\x00r\x00e\x00s\x00s\x00e\x00d\x00D\x00a\x00t\x00a\x00"

func (in *Info) addData(a Attr) {
	switch {
	case a.LowVCN() != 0:
	case len(a.NameUnits()) > 0:
		in.Streams++
		if string(a.NameUnits()) == wofUnits {
			in.wof = a.Total()
		}
	case !in.IsDir:
		in.Size, in.Alloc, in.contents = a.Size(), a.Total(), !a.overlong()
		in.resident, in.data = a.Resident(), a.Value()
	}
}

func (in *Info) addValue(a Attr) {
	b := a.Value()
	switch {
	case !a.Resident() && a.Type() == TypeEA:
		in.HasEAs = true
	case !a.Resident():
		if a.LowVCN() != 0 || in.v == nil {
			return
		}
		if in.Tag, in.far = in.v.farTag(a); in.far != nil {
			in.hurt(a, in.far)
		}
	case a.Type() == TypeEA:
		in.HasEAs, in.ea = true, b
	case len(b) >= 8:
		in.Tag, in.reparse = le.Uint32(b), b
	}
}

// farTag reads the tag of a reparse point that lies outside the file's records.
func (v *Volume) farTag(a Attr) (uint32, error) {
	var runs Runs
	var b [4]byte
	err := runs.addExtent(a, v.geo)
	if err == nil && (a.Size() < 8 || runs.Len() == 0 || runs.At(0).LCN == Hole) {
		err = corrupt("it is too short", -1)
	}
	if err == nil {
		err = v.readPages(b[:], runs.At(0).LCN<<v.geo.shift)
	}
	if err != nil {
		return 0, &Error{Class: ErrCorrupt, What: "reparse point cannot be read", Record: NoRecord, Off: int64(a.Off), Err: err}
	}
	return le.Uint32(b[:]), nil
}

func (in *Info) end() {
	if in.IsDir {
		in.Attributes |= WinDirectory
	}
	if in.Tag == TagWOF && in.wof > 0 {
		in.Alloc = in.wof
	}
	user := in.Ref.Record() >= FirstUser && in.flags&(FlagView|FlagExtend) == 0 // others need not have contents
	in.NoSize = in.far != nil || user && !in.IsDir && !in.contents
	switch {
	case in.Damage != nil:
	case in.IsDir && !in.contents:
		in.Damage = errNoIndex(in.Ref.Record())
	case !in.std:
		in.Damage = classf(ErrCorrupt, in.Ref.Record(), "file has no $STANDARD_INFORMATION")
	case in.NoSize:
		in.Damage = errNoContents(in.Ref.Record())
	case in.names < in.links && in.flags&FlagInUse != 0 && in.Ref.Record() >= FirstUser+8:
		in.Damage = classf(ErrCorrupt, in.Ref.Record(), "file has %d names, while its record counts %d", in.names, in.links)
	}
}

func errNoIndex(n uint64) error { return classf(ErrCorrupt, n, "folder has no index of names") }

// Passing tells why the kind of the file is not known, though it may be the next time.
func (in *Info) Passing() error {
	if lasting(in.far) {
		return nil
	}
	return in.far
}

// whole is the file with all its records.
func (in *Info) whole() (*File, error) {
	if in.file != nil {
		return in.file, nil
	}
	return in.v.FileRef(in.Ref)
}

// hurt notes damage to an attribute of the record.
func (in *Info) hurt(a Attr, err error) {
	if err == nil {
		err = corrupt("attribute has impossible sizes", a.Off)
	}
	if in.Damage == nil {
		in.Damage = inRecord(err, in.Ref.Record())
	}
}

func errNoContents(n uint64) error { return classf(ErrCorrupt, n, "file has no contents ($DATA)") }

// special tells whether the file's kind shows only in its data: Interix
// special files are marked as system files.
func (in *Info) special() bool {
	return !in.IsDir && in.Tag == 0 && in.Attributes&WinSystem != 0 && in.Size <= 8+2*4096
}

// Marks of Interix special files, in the unnamed stream of a system file.
const (
	interixLink  = "IntxLNK\x01"
	interixChar  = "IntxCHR\x00"
	interixBlock = "IntxBLK\x00"
)

// interix is the file's data when it may mean a special file.
func (in *Info) interix() []byte {
	if !in.special() {
		return nil
	}
	if in.resident || in.Size == 0 {
		return in.data
	}
	f, err := in.whole()
	if err != nil {
		return nil
	}
	b, _ := f.value(TypeData, 8+2*4096)
	return b
}

// lxTarget is where a link of the first WSL points, which is its contents.
func (in *Info) lxTarget() (string, error) {
	if in.resident {
		return string(in.data), nil
	}
	f, err := in.whole()
	if err != nil {
		return "", err
	}
	b, err := f.value(TypeData, 4096)
	return string(b), err
}

// Mode is the kind of the file, as the bits of [fs.ModeType]; 0 for files and
// for reparse points of no special kind.
func (in *Info) Mode() fs.FileMode {
	switch in.Tag {
	case TagMountPoint, TagSymlink, TagLXSymlink:
		return fs.ModeSymlink
	case TagAFUnix:
		return fs.ModeSocket
	case TagLXFifo:
		return fs.ModeNamedPipe
	case TagLXChar:
		return fs.ModeDevice | fs.ModeCharDevice
	case TagLXBlock:
		return fs.ModeDevice
	case TagNFS:
		p, _ := in.Reparse()
		kind, _ := p.nfs()
		return kind
	}
	if in.IsDir {
		return fs.ModeDir
	}
	if m := in.lxMode(); m != 0 {
		return m
	}
	return in.interixMode()
}

// lxMode is the kind of a file of the first WSL, which kept it in the EA LXATTRB
// alone; 0 for plain files and all others.
func (in *Info) lxMode() fs.FileMode {
	switch in.lxAttr().Mode & 0xF000 {
	case 0xA000:
		return fs.ModeSymlink
	case 0xC000:
		return fs.ModeSocket
	case 0x1000:
		return fs.ModeNamedPipe
	case 0x2000:
		return fs.ModeDevice | fs.ModeCharDevice
	case 0x6000:
		return fs.ModeDevice
	}
	return 0
}

// lxAttr is what the EA LXATTRB of a file without a reparse point says.
func (in *Info) lxAttr() (p POSIX) {
	if !in.HasEAs || in.IsDir || in.Tag != 0 || in.ea != nil && !bytes.Contains(in.ea, []byte("LXATTRB")) {
		return p
	}
	list, _ := in.EAs()
	for _, ea := range list {
		if ea.Name == "LXATTRB" {
			p, _ = parseLXAttr(ea.Value)
		}
	}
	return p
}

// interixMode follows ntfs-3g: empty system files are pipes and those of one
// zero byte are sockets, when they are not hidden. Nothing tells them from plain
// files of this kind.
func (in *Info) interixMode() fs.FileMode {
	b := in.interix()
	hidden := in.Attributes&WinHidden != 0
	switch {
	case !in.special():
		return 0
	case in.Size == 0 && !hidden:
		return fs.ModeNamedPipe
	case string(b) == "\x00" && !hidden:
		return fs.ModeSocket
	case len(b) > 8 && string(b[:8]) == interixLink:
		return fs.ModeSymlink
	case len(b) == 24 && string(b[:8]) == interixChar:
		return fs.ModeDevice | fs.ModeCharDevice
	case len(b) == 24 && string(b[:8]) == interixBlock:
		return fs.ModeDevice
	}
	return 0
}

// LinkTarget is where a link points, see [ReparsePoint.LinkTarget]; it fails
// with ErrUnsupported when the file is no link.
func (in *Info) LinkTarget() (string, error) {
	if b := in.interix(); len(b) > 8 && string(b[:8]) == interixLink {
		return decodePath(b[8:]), nil
	}
	if in.lxMode() == fs.ModeSymlink {
		return in.lxTarget()
	}
	if in.Tag == 0 {
		return "", classf(ErrUnsupported, in.Ref.Record(), "file is no link")
	}
	p, err := in.Reparse()
	if err != nil {
		return "", err
	}
	target, err := p.LinkTarget()
	return target, inRecord(err, in.Ref.Record())
}

// Reparse decodes the file's reparse point.
func (in *Info) Reparse() (ReparsePoint, error) {
	if in.reparse == nil {
		f, err := in.whole()
		if err != nil {
			return ReparsePoint{}, err
		}
		return f.Reparse()
	}
	p, err := ParseReparse(in.reparse)
	return p, inRecord(err, in.Ref.Record())
}

// EAs are the file's extended attributes; nil when it has none.
func (in *Info) EAs() ([]EA, error) {
	if !in.HasEAs {
		return nil, nil
	}
	if in.ea == nil {
		f, err := in.whole()
		if err != nil {
			return nil, err
		}
		return f.EAs()
	}
	list, err := ParseEAs(in.ea)
	return list, inRecord(err, in.Ref.Record())
}

// Device is the number of a device file; an error that it has none.
func (in *Info) Device() (major, minor uint32, err error) {
	if b := in.interix(); len(b) == 24 {
		return uint32(le.Uint64(b[8:])), uint32(le.Uint64(b[16:])), nil
	}
	if in.lxMode()&fs.ModeDevice != 0 {
		dev := in.lxAttr().dev
		return dev >> 20, dev & (1<<20 - 1), nil
	}
	if in.Tag == TagNFS {
		p, _ := in.Reparse()
		if kind, dev := p.nfs(); kind&fs.ModeDevice != 0 {
			return le.Uint32(dev), le.Uint32(dev[4:]), nil
		}
	}
	list, err := in.EAs()
	for _, ea := range list {
		if ea.Name == "$LXDEV" && len(ea.Value) >= 8 {
			return le.Uint32(ea.Value), le.Uint32(ea.Value[4:]), nil
		}
	}
	return 0, 0, cmp.Or(err, classf(ErrCorrupt, in.Ref.Record(), "device file has lost its number ($LXDEV)"))
}

// POSIX is what WSL stores about a file.
type POSIX struct {
	UID, GID, Mode         uint32
	HasUID, HasGID, HasMod bool
	dev                    uint32 // of LXATTRB
}

// POSIX reads what WSL stored in the EAs $LXUID, $LXGID and $LXMOD, or before
// them in LXATTRB; with an error what can be read of them.
func (in *Info) POSIX() (p POSIX, err error) {
	list, err := in.EAs()
	for _, ea := range list {
		if old, ok := parseLXAttr(ea.Value); ok && ea.Name == "LXATTRB" {
			p = old
		}
		if len(ea.Value) != 4 {
			continue
		}
		n := le.Uint32(ea.Value)
		switch ea.Name {
		case "$LXUID":
			p.UID, p.HasUID = n, true
		case "$LXGID":
			p.GID, p.HasGID = n, true
		case "$LXMOD":
			p.Mode, p.HasMod = n, true
		}
	}
	return p, err
}

// infoOf gathers the information of a base record, reading its extension
// records if it has any. Parts of Info point into the record.
func (v *Volume) infoOf(rec *Record, in *Info, b *budget) error {
	in.begin(v, rec)
	for a, err := range rec.Attrs() {
		switch {
		case err != nil || !a.sane():
			in.hurt(a, err)
			continue
		case a.Type() == TypeAttributeList:
			return v.wholeInfo(rec, in, b)
		}
		in.order.add(a.Type())
		in.add(a)
	}
	in.end()
	if in.lacks() && len(v.extensionsOf(rec.N)) > 0 {
		return v.wholeInfo(rec, in, b)
	}
	return in.Passing()
}

// wholeInfo is infoOf for a file that has, or should have, extension records.
func (v *Volume) wholeInfo(rec *Record, in *Info, b *budget) error {
	own := *rec
	own.b = slices.Clone(rec.b)
	f, err := v.ownFile(&own, b)
	if err != nil {
		return err
	}
	*in = f.Info()
	in.file = f
	return cmp.Or(f.sized(), in.Passing())
}

// sized is why the size of the contents is not known, though it may be the next time.
func (f *File) sized() error {
	if f.cut {
		return f.bad
	}
	if f.bad == nil || f.IsDir() || errors.Is(f.bad, ErrCorrupt) {
		return nil
	}
	_, err := f.attrStream(TypeData, "")
	return err
}

// Info reads the information of the file whose base record is n.
func (v *Volume) Info(n uint64) (Info, error) {
	var in Info
	rec, err := v.Record(n)
	if err != nil {
		return in, err
	}
	if err := baseInUse(rec); err != nil {
		return in, err
	}
	err = v.infoOf(rec, &in, nil)
	return in, err
}

func baseInUse(rec *Record) error {
	switch {
	case !rec.InUse():
		return classf(ErrDeleted, rec.N, "there is no such file any more")
	case rec.Base() != 0:
		return classf(ErrCorrupt, rec.N, "record is an extension of record %d, not a file", rec.Base().Record())
	}
	return nil
}
