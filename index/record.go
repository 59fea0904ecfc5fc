package index

// Records are what a scan from the front can recognise: each begins at a
// multiple of Align with a preamble, then a table, then a body, then zeros up
// to the next multiple of Align.
//
// Source: docs/FORMAT.md, section 4.
//
//	off len field
//	  0   4 magic "VREC"
//	  4   1 type; 5 1 flags, zero
//	  6   2 entries of the table
//	  8   8 image-set ID
//	 16   8 first half of the member UID
//	 24   4 segment: its number; else the count of segments before it
//	 28   4 session, zero
//	 32   4 length of the table; 36 4 length of the body
//	 40   8 address of this record
//	 48   4 CRC-32C of the body; 52 4 zero
//	 56  32 hash of the table
//	 88  32 hash of the preamble before (zeros in the first)
//	120   4 zero
//	124   4 CRC-32C of all before
type preamble struct {
	Type     recordType
	Entries  uint16
	Set      ImageID
	UIDHalf  [8]byte
	Segment  uint32
	TableLen uint32
	BodyLen  uint32
	Addr     int64
	BodyCRC  uint32
	Table    Hash
	Prev     Hash
}

type recordType uint8

const (
	recPlan recordType = iota + 1
	recSegment
	recCheckpoint
	// recParity = 4 is reserved.
)

const (
	recordMagic = "VREC"
	// maxBody bounds a record's body: a full segment of raw chunks, or a
	// checkpoint.
	maxBody = 16 << 20
	// maxTable bounds a record's table.
	maxTable = 1 << 20
)

func (p *preamble) encode() []byte {
	b := make([]byte, 0, PreambleSize)
	b = append(b, recordMagic...)
	b = append(b, byte(p.Type), 0)
	b = le.AppendUint16(b, p.Entries)
	b = append(b, p.Set[:]...)
	b = append(b, p.UIDHalf[:]...)
	b = le.AppendUint32(b, p.Segment)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, p.TableLen)
	b = le.AppendUint32(b, p.BodyLen)
	b = le.AppendUint64(b, uint64(p.Addr))
	b = le.AppendUint32(b, p.BodyCRC)
	b = le.AppendUint32(b, 0)
	b = append(b, p.Table[:]...)
	b = append(b, p.Prev[:]...)
	b = le.AppendUint32(b, 0)
	return le.AppendUint32(b, CRC(b))
}

func decodePreamble(b []byte, addr int64) (*preamble, error) {
	if len(b) < PreambleSize || string(b[:4]) != recordMagic {
		return nil, corrupt("record", addr, "there is none here")
	}
	b = b[:PreambleSize]
	if le.Uint32(b[PreambleSize-4:]) != CRC(b[:PreambleSize-4]) {
		return nil, corrupt("record", addr, "the checksum of its preamble does not match")
	}
	f := fields{b: b[4:]}
	p := &preamble{Type: recordType(f.u8())}
	f.u8()
	p.Entries = f.u16()
	copy(p.Set[:], f.take(8))
	copy(p.UIDHalf[:], f.take(8))
	p.Segment, _ = f.u32(), f.u32()
	p.TableLen, p.BodyLen, p.Addr = f.u32(), f.u32(), f.i64()
	p.BodyCRC, _ = f.u32(), f.u32()
	p.Table, p.Prev = f.hash(), f.hash()
	if p.TableLen > maxTable || p.BodyLen > maxBody || p.Addr != addr {
		return nil, corrupt("record", addr, "lengths or address are out of range")
	}
	return p, nil
}

// size is the record's length without padding.
func (p *preamble) size() int64 { return PreambleSize + int64(p.TableLen) + int64(p.BodyLen) }

func alignUp(n int64) int64 { return (n + Align - 1) &^ (Align - 1) }

// Slot describes one chunk of a segment: 48 bytes in the segment's table.
//
//	off len field
//	  0   2 stream; 2 5 block; 7 1 codec
//	  8   3 stored length; 11 1 zero
//	 12   4 CRC-32C of the stored bytes
//	 16  32 hash of the plain block
type Slot struct {
	Stream uint16
	Block  uint64
	Codec  Codec
	Len    uint32 // stored bytes, 1 to MaxStored
	CRC    uint32 // of the stored bytes
	Hash   Hash   // of the plain block
}

func appendSlot(b []byte, s *Slot) []byte {
	b = le.AppendUint16(b, s.Stream)
	b = append(b, byte(s.Block), byte(s.Block>>8), byte(s.Block>>16), byte(s.Block>>24), byte(s.Block>>32))
	b = append(b, byte(s.Codec), byte(s.Len), byte(s.Len>>8), byte(s.Len>>16), 0)
	b = le.AppendUint32(b, s.CRC)
	return append(b, s.Hash[:]...)
}

func (f *fields) slot() (s Slot) {
	s.Stream, s.Block, s.Codec = f.u16(), f.uint(5), Codec(f.u8())
	s.Len = uint32(f.uint(3))
	f.u8()
	s.CRC, s.Hash = f.u32(), f.hash()
	return s
}

// SegmentPtr tells where a segment is, what its head must hash to, and how
// long it is.
type SegmentPtr struct {
	Off     int64  // address of the preamble
	HeadLen uint32 // preamble and table
	Len     uint32 // all of it, padding not counted
	Hash    Hash   // of the head
}

// MaxHead is the longest head of a segment.
const MaxHead = PreambleSize + SegmentChunks*SlotSize

func (p SegmentPtr) valid() bool {
	return p.HeadLen >= PreambleSize+SlotSize && p.HeadLen <= MaxHead && p.Len >= p.HeadLen &&
		p.Len-p.HeadLen <= SegmentChunks*MaxStored && p.Off >= 0 && p.Off <= maxAddress
}

// Segment is a decoded head.
type Segment struct {
	Number uint32
	Slots  []Slot
	starts []int64 // address of each chunk
}

// DecodeSegment decodes the first p.HeadLen bytes of a segment and proves them
// against p.Hash.
func DecodeSegment(head []byte, p SegmentPtr) (*Segment, error) {
	if !p.valid() || uint32(len(head)) != p.HeadLen {
		return nil, corrupt("segment", p.Off, "its pointer is out of range")
	}
	if ctxSegment.sum(head) != p.Hash {
		return nil, corrupt("segment", p.Off, "the hash of its head does not match")
	}
	pre, err := decodePreamble(head, p.Off)
	if err != nil {
		return nil, err
	}
	return pre.segment(head[PreambleSize:])
}

// segment decodes a segment's table.
func (p *preamble) segment(table []byte) (*Segment, error) {
	n := int(p.Entries)
	if p.Type != recSegment || n == 0 || n > SegmentChunks || len(table) != n*SlotSize || int(p.TableLen) != len(table) {
		return nil, corrupt("segment", p.Addr, "the table has the wrong length")
	}
	s := &Segment{Number: p.Segment, Slots: make([]Slot, n), starts: make([]int64, n)}
	f, at := fields{b: table}, p.Addr+PreambleSize+int64(len(table))
	end := at + int64(p.BodyLen)
	for i := range s.Slots {
		s.Slots[i], s.starts[i] = f.slot(), at
		sl := &s.Slots[i]
		if sl.Len == 0 || sl.Len > MaxStored || int64(sl.Len) > end-at || sl.Codec > S2 || (sl.Codec == Raw && sl.Len != BlockSize) {
			return nil, corrupt("segment", p.Addr, "slot %d is out of range", i)
		}
		at += int64(sl.Len)
	}
	if at != end {
		return nil, corrupt("segment", p.Addr, "its chunks do not fill it")
	}
	return s, nil
}

// Chunk tells where the stored bytes of a slot are.
func (s *Segment) Chunk(slot int) (addr int64, sl Slot, err error) {
	if slot < 0 || slot >= len(s.Slots) {
		return 0, Slot{}, corrupt("segment", -1, "segment %d has no slot %d", s.Number, slot)
	}
	return s.starts[slot], s.Slots[slot], nil
}

// Bytes is what a cached segment head costs.
func (s *Segment) Bytes() int { return 96 + len(s.Slots)*64 }
