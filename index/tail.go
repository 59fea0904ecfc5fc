package index

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
)

// span names a stored object that is not a page: its place, its length stored
// and decoded, and its hash. 48 bytes.
//
//	off len field
//	  0   8 address; 8 4 stored length; 12 4 decoded length; 16 32 hash (of the stored bytes)
type span struct {
	off        int64
	len, plain uint32
	hash       Hash
}

func (f *fields) span() span { return span{f.i64(), f.u32(), f.u32(), f.hash()} }

func appendSpan(b []byte, s span) []byte {
	b = le.AppendUint64(b, uint64(s.off))
	b = le.AppendUint32(b, s.len)
	b = le.AppendUint32(b, s.plain)
	return append(b, s.hash[:]...)
}

// memberEntrySize is the size of a row of the member table.
//
//	off len field
//	  0   4 number; 4 4 parent's number (NoParent: none)
//	  8   1 kind; 9 7 zero
//	 16  16 UID; 32 32 root (zeros: unfinished member under a salvage)
//	 64   8 length of the address space; 72 8 created, Unix nanoseconds
//	 80  48 directory root
const memberEntrySize = 128

func appendMember(b []byte, m *MemberEntry) []byte {
	b = le.AppendUint32(b, m.Number)
	b = le.AppendUint32(b, m.Parent)
	b = append(b, byte(m.Kind), 0, 0, 0, 0, 0, 0, 0)
	b = append(b, m.UID[:]...)
	b = append(b, m.Root[:]...)
	b = le.AppendUint64(b, uint64(m.Length))
	b = le.AppendUint64(b, uint64(m.Created))
	return appendPtr(b, m.Dir)
}

func (f *fields) member() (m MemberEntry) {
	m.Number, m.Parent, m.Kind = f.u32(), f.u32(), MemberKind(f.u8())
	f.take(7)
	copy(m.UID[:], f.take(16))
	m.Root, m.Length, m.Created, m.Dir = f.hash(), f.i64(), f.i64(), f.ptr()
	return m
}

// decodeMembers decodes a member table: ascending numbers, parents before
// their children.
func decodeMembers(b []byte, off int64) ([]MemberEntry, error) {
	if len(b)%memberEntrySize != 0 {
		return nil, corrupt("member table", off, "its length is odd")
	}
	f, list := fields{b: b}, make([]MemberEntry, len(b)/memberEntrySize)
	seen := make(map[uint32]bool, len(list))
	for i := range list {
		m := f.member()
		if (i > 0 && m.Number <= list[i-1].Number) || (m.Parent != NoParent && !seen[m.Parent]) || m.Length < 0 || m.Length > maxAddress {
			return nil, corrupt("member table", off, "row %d is out of order", i)
		}
		list[i], seen[m.Number] = m, true
	}
	return list, nil
}

const superMagic = "VTRSUPER"

// superFixed is the length of the superblock before its streams.
//
//	off len field
//	  0   8 magic; 8 4 length of the superblock; 12 4 member number
//	 16  16 UID; 32 8 image-set ID; 40 8 created
//	 48   1 kind; 49 3 zero; 52 4 parent's number
//	 56  24 features
//	 80  32 hash of part 0's header
//	112  16 parent UID; 128 32 parent root
//	160  48 directory root
//	208  48 member table (span)
//	256  48 metadata (span)
//	304  48 relocation table, zero; 352 16 hot range, zero
//	368   8 chunks; 376 4 segments; 380 4 streams
//	384     streams, 64 bytes each:
//	        0 2 id; 2 1 levels; 3 5 zero; 8 8 size in bytes; 16 48 root page
const superFixed = 384

const streamSize = 64

type super struct {
	number, parent uint32
	uid, parentUID UID
	set            ImageID
	created        int64
	kind           MemberKind
	features       Features
	header         Hash
	parentRoot     Hash
	dir            PagePtr
	members, meta  span
	chunks         uint64
	segments       uint32
	streams        []StreamRoot
}

func (s *super) encode() []byte {
	b := append(make([]byte, 0, superFixed+len(s.streams)*streamSize), superMagic...)
	b = le.AppendUint32(b, uint32(superFixed+len(s.streams)*streamSize))
	b = le.AppendUint32(b, s.number)
	b = append(b, s.uid[:]...)
	b = append(b, s.set[:]...)
	b = le.AppendUint64(b, uint64(s.created))
	b = append(b, byte(s.kind), 0, 0, 0)
	b = le.AppendUint32(b, s.parent)
	b = appendFeatures(b, s.features)
	b = append(b, s.header[:]...)
	b = append(b, s.parentUID[:]...)
	b = append(b, s.parentRoot[:]...)
	b = appendPtr(b, s.dir)
	b = appendSpan(b, s.members)
	b = appendSpan(b, s.meta)
	b = append(b, make([]byte, 48+16)...)
	b = le.AppendUint64(b, s.chunks)
	b = le.AppendUint32(b, s.segments)
	b = le.AppendUint32(b, uint32(len(s.streams)))
	for _, st := range s.streams {
		b = le.AppendUint16(b, st.ID)
		b = append(b, st.Levels, 0, 0, 0, 0, 0)
		b = le.AppendUint64(b, uint64(st.Size))
		b = appendPtr(b, st.Root)
	}
	return b
}

func decodeSuper(b []byte, off int64) (*super, error) {
	if len(b) < superFixed || string(b[:8]) != superMagic {
		return nil, corrupt("superblock", off, "it does not begin like one")
	}
	f, s := fields{b: b[8:]}, &super{}
	length := f.u32()
	s.number = f.u32()
	copy(s.uid[:], f.take(16))
	copy(s.set[:], f.take(8))
	s.created, s.kind = f.i64(), MemberKind(f.u8())
	f.take(3)
	s.parent, s.features, s.header = f.u32(), f.features(), f.hash()
	copy(s.parentUID[:], f.take(16))
	s.parentRoot, s.dir, s.members, s.meta = f.hash(), f.ptr(), f.span(), f.span()
	f.take(48 + 16)
	s.chunks, s.segments = f.u64(), f.u32()
	n := f.u32()
	if n > MaxStreams || uint64(n)*streamSize != uint64(len(f.b)) || uint64(length) != uint64(len(b)) {
		return nil, corrupt("superblock", off, "its length is wrong")
	}
	for range n {
		st := StreamRoot{ID: f.u16(), Levels: f.u8()}
		f.take(5)
		st.Size, st.Root = f.i64(), f.ptr()
		s.streams = append(s.streams, st)
	}
	return s, s.validate(off)
}

func (s *super) validate(off int64) error {
	if s.kind < Full || s.kind > Salvage || s.number >= NoParent {
		return corrupt("superblock", off, "kind or number is out of range")
	}
	if s.members.len > MaxMembers*memberEntrySize || s.meta.len > MaxMeta || s.meta.plain > MaxMeta {
		return corrupt("superblock", off, "a table is too long")
	}
	for _, st := range s.streams {
		if st.Size < 0 || st.Blocks() > MaxBlocks || st.Levels > maxLevels || levelsFor(st.Leaves()) != st.Levels {
			return corrupt("superblock", off, "stream %d has a size or depth out of range", st.ID)
		}
	}
	return s.features.check("superblock", off+56)
}

const footerMagic = "\x89VTRFOOT"

// footer is the last FooterSize bytes of the last part: the commit mark.
//
//	off len field
//	  0   8 magic; 8 8 image-set ID; 16 16 UID
//	 32   4 member number; 36 2 part number; 38 2 zero
//	 40   8 address of the part's first byte behind its header
//	 48   8 address of this footer
//	 56   8 address of the superblock; 64 4 its length; 68 4 zero
//	 72  32 ROOT: hash of the superblock
//	104   8 address of the tail's copy minus address of the tail
//	112     zeros
//	4092  4 CRC-32C of all before
type footer struct {
	set       ImageID
	uid       UID
	number    uint32
	part      uint16
	partStart int64
	addr      int64
	super     int64
	superLen  uint32
	root      Hash
	copyDelta int64
}

func (ft *footer) encode() []byte {
	b := append(make([]byte, 0, FooterSize), footerMagic...)
	b = append(b, ft.set[:]...)
	b = append(b, ft.uid[:]...)
	b = le.AppendUint32(b, ft.number)
	b = le.AppendUint16(b, ft.part)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, uint64(ft.partStart))
	b = le.AppendUint64(b, uint64(ft.addr))
	b = le.AppendUint64(b, uint64(ft.super))
	b = le.AppendUint32(b, ft.superLen)
	b = le.AppendUint32(b, 0)
	b = append(b, ft.root[:]...)
	b = le.AppendUint64(b, uint64(ft.copyDelta))
	b = b[:FooterSize]
	le.PutUint32(b[FooterSize-4:], CRC(b[:FooterSize-4]))
	return b
}

func decodeFooter(b []byte) (*footer, bool) {
	if len(b) < FooterSize || string(b[:8]) != footerMagic || le.Uint32(b[FooterSize-4:]) != CRC(b[:FooterSize-4]) {
		return nil, false
	}
	f, ft := fields{b: b[8:FooterSize]}, &footer{}
	copy(ft.set[:], f.take(8))
	copy(ft.uid[:], f.take(16))
	ft.number, ft.part, _ = f.u32(), f.u16(), f.u16()
	ft.partStart, ft.addr, ft.super = f.i64(), f.i64(), f.i64()
	ft.superLen, _ = f.u32(), f.u32()
	ft.root, ft.copyDelta = f.hash(), f.i64()
	return ft, ft.addr >= 0 && ft.addr <= maxAddress && ft.partStart >= 0 && ft.partStart <= ft.addr &&
		ft.super >= ft.partStart && ft.super <= ft.addr && int64(ft.superLen) <= ft.addr-ft.super &&
		ft.superLen <= superFixed+MaxStreams*streamSize && ft.copyDelta >= 0 && ft.copyDelta <= ft.addr-ft.super
}

// Tail is what the end of a finished member says.
type Tail struct {
	Header    *Header       // of the last part
	Members   []MemberEntry // ancestors by number; the member itself is the last
	Self      *MemberEntry
	Streams   []StreamRoot
	Root      Hash
	Meta      *Meta
	PartEnd   int64    // address behind the last part's payload, footer included
	Trailing  int64    // bytes of foreign data behind the footer
	Repaired  []string // what was damaged and was read from its copy or told by another object
	Chunks    uint64
	Segments  uint32
	ParentUID UID
}

const (
	tailRead   = 512 << 10 // bytes of the first read from the end
	tailSearch = 1 << 20   // how far in front of the end a footer is looked for
)

// ReadTail reads the end of a finished member's last part, usually with one
// read besides the header's. A part that does not end like one is ErrUnfinished.
// A damaged header is replaced by what the end says, a damaged footer by what
// the superblock says; both are listed in Repaired.
func ReadTail(part io.ReaderAt, size int64) (*Tail, error) {
	t, err := openTail(part, size)
	if err != nil {
		return nil, err
	}
	return t.read()
}

// RecoverHeader gives the header of a member's part, even if it is damaged: then
// it tells what the footer and the superblock know of it, which is all but the
// name of the writing program. Only the last part of a finished member can be
// recovered so; others give the error of [ReadHeader].
func RecoverHeader(part io.ReaderAt, size int64) (*Header, error) {
	t, err := openTail(part, size)
	if err != nil {
		return nil, err
	}
	_, err = t.superblock()
	return t.h, err
}

type tailReader struct {
	part     io.ReaderAt
	size     int64
	h        *Header
	rotten   error // what is wrong with the header
	ft       *footer
	buf      []byte // the end of the part …
	bufOff   int64  // … from this file offset
	trailing int64
	repaired []string
}

// openTail reads the header and finds the footer. Without a header that can be
// read the footer alone says whose it is.
func openTail(part io.ReaderAt, size int64) (*tailReader, error) {
	h, err := ReadHeader(part)
	t := &tailReader{part: part, size: size, h: h}
	if err == nil {
		return t, t.findFooter()
	}
	if t.rotten = err; !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotMember) && !errors.Is(err, ErrUnsupported) {
		return nil, err
	}
	if e := t.findFooter(); e != nil {
		return nil, err
	}
	return t, nil
}

// findFooter looks for the footer at the very end, then in front of data that
// somebody appended.
func (t *tailReader) findFooter() error {
	unfinished := &FormatError{"footer", -1, "the file has none, so the capture did not finish or the file was cut short", ErrUnfinished}
	for _, back := range []int64{tailRead, tailSearch + FooterSize} {
		n := min(back, t.size)
		t.buf, t.bufOff = make([]byte, n), t.size-n
		if err := readFull(t.part, t.buf, t.bufOff); err != nil {
			return err
		}
		for at := n - FooterSize; at >= 0; at-- {
			if ft, ok := decodeFooter(t.buf[at:]); ok && t.matches(ft, t.bufOff+at) {
				t.use(ft)
				return nil
			}
			next := bytes.LastIndex(t.buf[:at+7], []byte(footerMagic))
			if next < 0 {
				break
			}
			at = int64(next) + 1
		}
		if n == t.size {
			break
		}
	}
	if t.findSuper() {
		return nil
	}
	return unfinished
}

// use takes ft as the footer, and as the header if there is none.
func (t *tailReader) use(ft *footer) {
	if t.h == nil {
		t.h = ft.header()
	}
	t.ft, t.trailing = ft, t.size-t.h.FileOffset(ft.addr)-FooterSize
}

// header is what a footer knows of its part's header.
func (ft *footer) header() *Header {
	return &Header{Set: ft.set, UID: ft.uid, Number: ft.number, Part: ft.part, PartStart: ft.partStart}
}

// matches says whether a footer belongs to this part and stands where it says.
func (t *tailReader) matches(ft *footer, fileOff int64) bool {
	h := t.h
	if h == nil {
		h = ft.header()
	}
	return ft.set == h.Set && ft.uid == h.UID && ft.number == h.Number && ft.part == h.Part &&
		ft.partStart == h.PartStart && (h.Part == 0) == (h.PartStart == 0) && h.FileOffset(ft.addr) == fileOff
}

// findSuper does without a footer that is damaged: a superblock that belongs to
// this member, stands where it says, twice, and is followed by room for the
// footer says all that the footer did. What precedes the footer is on the disk
// before the file grows by it, so such a member did finish. If the header is
// damaged too, the superblock alone says whose it is, and the part is taken for
// the only one.
func (t *tailReader) findSuper() bool {
	for end := len(t.buf); ; {
		at := bytes.LastIndex(t.buf[:end], []byte(superMagic))
		if at < 0 {
			t.ft = nil
			return false
		}
		if t.superAt(int64(at)) {
			t.repaired = append(t.repaired, "footer")
			return true
		}
		end = at + len(superMagic) - 1
	}
}

// superAt takes the superblock at t.buf[at] in place of the footer, if it is
// one of the two copies and both are alike, or the footer's ROOT still proves
// it.
func (t *tailReader) superAt(at int64) bool {
	b := t.buf[at:]
	if len(b) < superFixed || le.Uint32(b[8:]) < superFixed || uint64(le.Uint32(b[8:])) > uint64(len(b)) {
		return false
	}
	b = b[:le.Uint32(b[8:])]
	own := Header{Number: le.Uint32(b[12:]), UID: UID(b[16:32]), Set: ImageID(b[32:40])}
	if t.rotten != nil {
		t.h = &own
	} else if own.Number != t.h.Number || own.UID != t.h.UID || own.Set != t.h.Set {
		return false
	}
	s, err := decodeSuper(b, -1)
	if err != nil {
		return false
	}
	ft, ok := t.deriveFooter(s, b)
	first := t.h.FileOffset(ft.super)
	if found := t.bufOff + at; !ok || (found != first && found != first+ft.copyDelta) {
		return false
	}
	t.use(ft)
	return t.superTwice(b) || t.rootStands()
}

// deriveFooter makes the footer that belongs to a superblock whose bytes are b.
func (t *tailReader) deriveFooter(s *super, b []byte) (*footer, bool) {
	start, n := min(s.meta.off, s.members.off), int64(len(b))
	if start < t.h.PartStart || max(s.meta.off, s.members.off) > maxAddress {
		return &footer{}, false
	}
	at := max(s.meta.off+int64(s.meta.len), s.members.off+int64(s.members.len))
	ft := &footer{set: s.set, uid: s.uid, number: s.number, part: t.h.Part, partStart: t.h.PartStart,
		super: at, superLen: uint32(n), root: ctxSuper.sum(b), copyDelta: at + n - start}
	ft.addr = alignUp(at + n + ft.copyDelta)
	return ft, t.h.FileOffset(ft.addr) <= t.size-FooterSize
}

// superTwice says whether both copies of the superblock are b.
func (t *tailReader) superTwice(b []byte) bool {
	first, err := t.bytes(t.ft.super, t.ft.superLen)
	if err != nil || !bytes.Equal(first, b) {
		return false
	}
	second, err := t.bytes(t.ft.super+t.ft.copyDelta, t.ft.superLen)
	return err == nil && bytes.Equal(second, b)
}

// rootStands says whether the place of the footer holds the derived ROOT.
func (t *tailReader) rootStands() bool {
	var root Hash
	err := readFull(t.part, root[:], t.h.FileOffset(t.ft.addr)+72)
	return err == nil && root == t.ft.root
}

// readFull fills b from off, or fails; an end of file in between is an error.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return &FormatError{"file", off, "it ends too early", ErrUnfinished}
	}
	return err
}

// bytes reads n bytes at addr of this part.
func (t *tailReader) bytes(addr int64, n uint32) ([]byte, error) {
	if addr < t.h.PartStart || addr > t.ft.addr || int64(n) > t.ft.addr-addr {
		return nil, corrupt("index tail", addr, "it lies outside the last part")
	}
	off := t.h.FileOffset(addr)
	if off >= t.bufOff && off-t.bufOff <= int64(len(t.buf))-int64(n) {
		return t.buf[off-t.bufOff:][:n], nil
	}
	b := make([]byte, n)
	return b, readFull(t.part, b, off)
}

// object reads an object of the tail and proves it; if it is damaged it takes
// the copy.
func (t *tailReader) object(what string, c hashContext, addr int64, n uint32, want Hash) ([]byte, error) {
	for _, delta := range []int64{0, t.ft.copyDelta} {
		b, err := t.bytes(addr+delta, n)
		if err == nil && c.sum(b) == want {
			if delta != 0 {
				t.repaired = append(t.repaired, what)
			}
			return b, nil
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && delta != 0 {
			return nil, err
		}
	}
	return nil, corrupt(what, addr, "neither it nor its copy has the right hash")
}

// superblock reads and proves the superblock, and the header by it.
func (t *tailReader) superblock() (*super, error) {
	b, err := t.object("superblock", ctxSuper, t.ft.super, t.ft.superLen, t.ft.root)
	if err != nil {
		return nil, err
	}
	s, err := decodeSuper(b, t.ft.super)
	if err != nil {
		return nil, err
	}
	if s.uid != t.h.UID || s.set != t.h.Set || s.number != t.h.Number {
		return nil, corrupt("superblock", t.ft.super, "it is that of another member")
	}
	return s, t.header(s)
}

// header compares the header with the superblock. One that is damaged is made
// up from it; one that is sound but not for this program stays an error.
func (t *tailReader) header(s *super) error {
	if t.rotten == nil {
		if t.h.Part == 0 && t.h.id != s.header {
			return corrupt("header", 0, "it is not the one that the superblock proves")
		}
		return nil
	}
	b := make([]byte, HeaderSize)
	if err := readFull(t.part, b, 0); err != nil {
		return err
	}
	if ctxHeader.sum(b) == s.header || le.Uint32(b[HeaderSize-4:]) == CRC(b[:HeaderSize-4]) {
		return t.rotten
	}
	h := t.h
	h.Kind, h.Created, h.Features = s.kind, s.created, s.features
	h.ParentNumber, h.ParentUID, h.ParentRoot = s.parent, s.parentUID, s.parentRoot
	t.repaired = append(t.repaired, "header")
	return nil
}

func (t *tailReader) read() (*Tail, error) {
	s, err := t.superblock()
	if err != nil {
		return nil, err
	}
	members, err := t.members(s)
	if err != nil {
		return nil, err
	}
	meta, err := t.meta(s)
	if err != nil {
		return nil, err
	}
	return &Tail{Header: t.h, Members: members, Self: &members[len(members)-1], Streams: s.streams, Root: t.ft.root, Meta: meta,
		PartEnd: t.ft.addr + FooterSize, Trailing: t.trailing, Repaired: t.repaired, Chunks: s.chunks, Segments: s.segments,
		ParentUID: s.parentUID}, nil
}

// members reads the member table and adds the member itself.
func (t *tailReader) members(s *super) ([]MemberEntry, error) {
	b, err := t.object("member table", ctxMembers, s.members.off, s.members.len, s.members.hash)
	if err != nil {
		return nil, err
	}
	list, err := decodeMembers(b, s.members.off)
	if err != nil {
		return nil, err
	}
	self := MemberEntry{Number: s.number, Parent: s.parent, Kind: s.kind, UID: s.uid, Root: t.ft.root,
		Length: t.ft.addr + FooterSize, Created: s.created, Dir: s.dir}
	known := s.parent == NoParent
	for i := range list {
		known = known || list[i].Number == s.parent
	}
	if n := len(list); (n > 0 && list[n-1].Number >= self.Number) || !known {
		return nil, corrupt("member table", s.members.off, "the member itself does not fit into it")
	}
	return append(list, self), nil
}

func (t *tailReader) meta(s *super) (*Meta, error) {
	b, err := t.object("metadata", ctxMeta, s.meta.off, s.meta.len, s.meta.hash)
	if err != nil {
		return nil, err
	}
	m := &Meta{}
	if err := unpackJSON(b, int(s.meta.plain), m); err != nil {
		return nil, corrupt("metadata", s.meta.off, "%v", err)
	}
	return m, nil
}

// packJSON encodes v as zlib-compressed JSON.
func packJSON(v any) (packed []byte, plain int, err error) {
	js, err := json.Marshal(v)
	if err != nil {
		return nil, 0, err
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write(js)
	w.Close()
	return b.Bytes(), len(js), nil
}

// unpackJSON decodes what packJSON made; it never inflates past plain bytes.
func unpackJSON(b []byte, plain int, v any) error {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	js, err := io.ReadAll(io.LimitReader(r, int64(plain)+1))
	if err != nil {
		return err
	}
	if len(js) != plain {
		return errors.New("it inflates to another length than recorded")
	}
	if bytes.Count(js, []byte{'{'}) > maxObjects {
		return errors.New("it holds too many objects")
	}
	return json.Unmarshal(js, v)
}

// maxObjects bounds the JSON objects of one document, and so what decoding it
// can allocate.
const maxObjects = 1 << 17
