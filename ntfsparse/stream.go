package ntfsparse

import (
	"io"
)

// Stream is the contents of an attribute. ReadAt is safe for parallel use and
// holds no lock while it reads.
type Stream struct {
	v      *Volume
	file   Ref
	name   string
	flags  uint16
	size   int64
	valid  int64
	alloc  int64
	total  int64
	value  []byte // resident
	runs   *Runs  // nil: resident
	blocks blocks // nil: stored as it is
	id     uint64 // where there are blocks: no other stream of the volume has it
	bad    error  // why runs end early
	refuse error  // why contents cannot be had
	holes  error  // why holes are not zeros
	cached bool   // metadata: through the cache of pages
}

// blocks are the units of a stream that is not stored as it is.
type blocks interface {
	// find gives the block that holds the plain byte off, which is less than
	// the stream's size.
	find(off int64) (block, error)
	// part reads plain bytes out of block i when that needs no decoding, and
	// tells whether it did.
	part(i int64, p []byte, in int64) (bool, error)
	// read decodes block i into p, which has exactly its plain size.
	read(i int64, p []byte) error
}

// block is the i-th unit, which has the plain bytes from start to end.
type block struct{ i, start, end int64 }

// even is the block at off where all blocks but the last have the same size.
func even(off, size, total int64) block {
	i := off / size
	return block{i, i * size, min((i+1)*size, total)}
}

// newStream joins the extents of an attribute, which are sorted.
func (v *Volume) newStream(file Ref, ext []Attr) (*Stream, error) {
	a := ext[0]
	s := &Stream{v: v, file: file, name: a.Name(), flags: a.Flags(), size: a.Size(), total: a.Total()}
	if a.Resident() {
		s.value, s.valid = a.Value(), s.size
		return s, nil
	}
	if a.LowVCN() != 0 {
		return nil, classf(ErrCorrupt, file.Record(), "the first extent of stream %q is missing", s.name)
	}
	s.valid, s.alloc, s.runs = min(a.Valid(), s.size), a.Alloc(), new(Runs)
	for _, e := range ext {
		if s.bad = s.runs.addExtent(e, v.geo); s.bad != nil {
			s.bad = inRecord(s.bad, file.Record())
			break
		}
	}
	return s, s.setCompression(a)
}

func (s *Stream) setCompression(a Attr) error {
	if s.flags&AttrEncrypted != 0 {
		s.refuse = classf(ErrEncrypted, s.file.Record(), "stream %q", s.name)
	}
	method := s.flags & 0xFF
	if method == 0 || s.size == 0 {
		if s.flags == 0 && a.Unit() != 0 && s.ragged(a.Unit()) {
			s.refuse = classf(ErrCorrupt, s.file.Record(), "stream %q has holes inside compression units, but is marked neither compressed nor sparse", s.name)
		}
		return nil
	}
	if method == AttrCompressed && a.Unit() != lznt1Unit {
		s.refuse = classf(ErrCorrupt, s.file.Record(), "stream %q is compressed in units of 2^%d clusters, which Windows never made", s.name, a.Unit())
		return nil
	}
	if method != AttrCompressed || s.v.geo.cluster<<lznt1Unit > 1<<20 {
		s.refuse = classf(ErrUnsupported, s.file.Record(), "stream %q uses compression method %d with units of 2^%d clusters", s.name, method, a.Unit())
		return nil
	}
	s.inBlocks(&lznt1Blocks{s: s, unit: 1 << lznt1Unit})
	return nil
}

// inBlocks makes s a stream of its own whose contents b decodes. Nothing that
// the volume says tells such streams apart, since it may say something else,
// or nothing, when it is read again.
func (s *Stream) inBlocks(b blocks) {
	s.blocks, s.id = b, s.v.opened.Add(1)
}

// Name is the stream's name; "" for the unnamed one.
func (s *Stream) Name() string { return s.name }

// Size is the number of bytes that can be read.
func (s *Stream) Size() int64 { return s.size }

// Alloc is the number of bytes that the stream takes on the volume; 0 when it
// lies in the file record.
func (s *Stream) Alloc() int64 { return s.total }

// Valid is the number of bytes ever written; the rest reads as zeros.
func (s *Stream) Valid() int64 { return s.valid }

// Flags are the attribute's flags.
func (s *Stream) Flags() uint16 { return s.flags }

// Resident tells whether the contents lie in the file record.
func (s *Stream) Resident() bool { return s.runs == nil }

// Runs maps the stream's clusters; nil when it is resident.
func (s *Stream) Runs() *Runs { return s.runs }

// allocated tells whether the stream has any clusters of its own.
func (s *Stream) allocated() bool {
	for i := range s.runs.Len() {
		if s.runs.r[i].lcn != Hole {
			return true
		}
	}
	return false
}

// full tells whether the stream has clusters for all of its size.
func (s *Stream) full() bool {
	for i := range s.runs.Len() {
		if s.runs.r[i].lcn == Hole {
			return false
		}
	}
	return s.runs.End() > (s.size-1)>>s.v.geo.shift
}

// ragged tells whether holes begin or end inside units of 2^unit clusters: these are
// compressed, or the stream is sparse.
func (s *Stream) ragged(unit uint8) bool {
	in := int64(1)<<min(unit, 32) - 1
	for i := range s.runs.Len() {
		r := s.runs.At(i)
		if end := r.VCN + r.Len; r.LCN == Hole && (r.VCN&in != 0 || end&in != 0 && end != s.runs.End()) {
			return true
		}
	}
	return false
}

// Damage tells why the map of clusters ends early; nil when it does not.
func (s *Stream) Damage() error { return s.bad }

// ReadAt reads plain contents: decompressed, with zeros for holes and for
// what was never written. It fails with [ErrEncrypted] on EFS streams, see
// [Stream.Raw].
func (s *Stream) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, corrupt("negative offset", -1)
	}
	if off >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-off))
	if err := s.read(p[:n], off); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read fills p, which ends inside the stream.
func (s *Stream) read(p []byte, off int64) error {
	if s.refuse != nil {
		return s.refuse
	}
	if s.runs == nil && s.blocks == nil {
		copy(p, s.value[off:])
		return nil
	}
	if n := max(0, s.valid-off); n < int64(len(p)) {
		if s.holes != nil {
			return s.holes
		}
		if (off+int64(len(p))-1)>>s.v.geo.shift >= s.runs.End() {
			return s.beyond()
		}
		clear(p[n:])
		p = p[:n]
	}
	if s.blocks != nil {
		return s.readBlocks(p, off)
	}
	return s.readRuns(p, off)
}

// readRuns reads bytes as they are stored.
func (s *Stream) readRuns(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	if off>>s.v.geo.shift >= s.runs.End() {
		return s.beyond()
	}
	for i := s.runs.Find(off >> s.v.geo.shift); len(p) > 0; i++ {
		if i >= s.runs.Len() {
			return s.beyond()
		}
		run := s.runs.At(i)
		in := off - run.VCN<<s.v.geo.shift
		n := min(int64(len(p)), run.Len<<s.v.geo.shift-in)
		if err := s.readRun(p[:n], run, in); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (s *Stream) readRun(p []byte, run Run, in int64) error {
	switch {
	case run.LCN == Hole && s.holes != nil:
		return s.holes
	case run.LCN == Hole:
		clear(p)
		return nil
	case s.cached:
		return s.v.readPages(p, run.LCN<<s.v.geo.shift+in)
	}
	return readFull(s.v.r, p, run.LCN<<s.v.geo.shift+in)
}

// beyond is the error for bytes that no extent maps.
func (s *Stream) beyond() error {
	if s.bad != nil {
		return s.bad
	}
	return classf(ErrCorrupt, s.file.Record(), "stream %q is longer than its clusters", s.name)
}

// readBlocks reads plain bytes of a stream in blocks.
func (s *Stream) readBlocks(p []byte, off int64) error {
	for len(p) > 0 {
		b, err := s.blocks.find(off)
		if err != nil {
			return err
		}
		n := min(int64(len(p)), b.end-off)
		if err := s.readBlock(b, p[:n], off-b.start); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (s *Stream) readBlock(b block, p []byte, in int64) error {
	if done, err := s.blocks.part(b.i, p, in); done || err != nil {
		return err
	}
	if int64(len(p)) == b.end-b.start {
		return s.blocks.read(b.i, p)
	}
	key := cacheKey{s.id, uint64(b.i)}
	unit := s.v.units.get(key)
	if int64(len(unit)) != b.end-b.start {
		unit = make([]byte, b.end-b.start)
		if err := s.blocks.read(b.i, unit); err != nil {
			return err
		}
		s.v.units.put(key, unit)
	}
	copy(p, unit[in:])
	return nil
}

// readAll reads a whole stream of at most limit bytes.
func (s *Stream) readAll(limit int64) ([]byte, error) {
	if s.size > limit {
		return nil, classf(ErrCorrupt, s.file.Record(), "stream %q has %d bytes, more than the %d allowed", s.name, s.size, limit)
	}
	b := make([]byte, s.size)
	return b, s.read(b, 0)
}

// Raw is the stream as it is stored: not decrypted, not decompressed, up to
// its allocated size, with nothing cut off at the valid size. An encrypted
// stream ends at its own size, rounded up to the cipher's 512 bytes.
func (s *Stream) Raw() *Stream {
	raw := *s
	raw.blocks, raw.refuse, raw.holes = nil, nil, nil
	if s.runs == nil {
		return &raw
	}
	raw.size = min(s.runs.End(), s.v.geo.maxVCN()) << s.v.geo.shift
	if s.flags&AttrEncrypted != 0 {
		raw.size = min(raw.size, (s.size+511)&^511)
	}
	raw.valid = raw.size
	return &raw
}

// Extents yields where the stream's contents lie, in order, until yield
// returns false: length bytes from off on are at byte phys of the volume;
// phys is -1 for holes, for what was never written, and for what is not
// stored verbatim. The sum of lengths is Size.
func (s *Stream) Extents(yield func(off, length, phys int64) bool) {
	if s.runs == nil || s.blocks != nil || s.refuse != nil {
		if s.size > 0 {
			yield(0, s.size, -1)
		}
		return
	}
	end := int64(0)
	for i := 0; i < s.runs.Len() && end < s.valid; i++ {
		run := s.runs.At(i)
		n, phys := min(run.Len<<s.v.geo.shift, s.valid-end), int64(-1)
		if run.LCN != Hole {
			phys = run.LCN << s.v.geo.shift
		}
		if !yield(end, n, phys) {
			return
		}
		end += n
	}
	if end < s.size {
		yield(end, s.size-end, -1)
	}
}

// NextExtent gives the end of the extent that covers off and tells whether it
// is a hole, which reads as zeros and occupies nothing.
func (s *Stream) NextExtent(off int64) (end int64, hole bool) {
	grain := int64(1)
	if c, ok := s.blocks.(*lznt1Blocks); ok {
		grain = c.unit
	} else if s.blocks != nil {
		return s.size, false
	}
	switch {
	case off >= s.size || s.holes != nil || s.refuse != nil || s.runs == nil:
		return s.size, false
	case off>>s.v.geo.shift >= s.runs.End():
		return s.size, false // an error to read
	case off >= s.valid:
		return min(s.size, s.runs.End()<<s.v.geo.shift), true
	}
	end, hole = s.runs.next(off>>s.v.geo.shift, grain)
	return min(s.valid, end<<s.v.geo.shift), hole
}
