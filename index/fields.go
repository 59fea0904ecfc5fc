package index

import "encoding/binary"

// fields decodes little-endian fields from the front of b. Reading past the
// end yields zeros and marks the cursor bad; it never panics.
type fields struct {
	b   []byte
	bad bool
}

// take cuts the next n bytes off, or nil and bad when there are not as many.
func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.bad, f.b = true, nil
		return nil
	}
	p := f.b[:n]
	f.b = f.b[n:]
	return p
}

func (f *fields) uint(n int) uint64 {
	var v uint64
	p := f.take(n)
	for i := len(p) - 1; i >= 0; i-- {
		v = v<<8 | uint64(p[i])
	}
	return v
}

func (f *fields) u8() uint8   { return uint8(f.uint(1)) }
func (f *fields) u16() uint16 { return uint16(f.uint(2)) }
func (f *fields) u32() uint32 { return uint32(f.uint(4)) }
func (f *fields) u64() uint64 { return f.uint(8) }
func (f *fields) i64() int64  { return int64(f.uint(8)) }

func (f *fields) hash() (h Hash) {
	copy(h[:], f.take(len(h)))
	return h
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.bad, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) varint() int64 {
	u := f.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// ptr reads a page pointer of 48 bytes.
func (f *fields) ptr() (p PagePtr) {
	p.Member, p.Len, p.Off = f.u32(), f.u32(), f.i64()
	p.Hash = f.hash()
	return p
}

// shortPtr reads a page pointer as inner pages hold it.
func (f *fields) shortPtr() (p PagePtr) {
	p.Member, p.Off, p.Len = uint32(f.limit(1<<32-1)), int64(f.limit(1<<48)), uint32(f.limit(MaxPage))
	p.Hash = f.hash()
	return p
}

// limit reads a varint of at most most.
func (f *fields) limit(most uint64) uint64 {
	v := f.uvarint()
	if v > most {
		f.bad = true
		return 0
	}
	return v
}

var le = binary.LittleEndian

func appendPtr(b []byte, p PagePtr) []byte {
	b = le.AppendUint32(b, p.Member)
	b = le.AppendUint32(b, p.Len)
	b = le.AppendUint64(b, uint64(p.Off))
	return append(b, p.Hash[:]...)
}

func appendShortPtr(b []byte, p PagePtr) []byte {
	b = binary.AppendUvarint(b, uint64(p.Member))
	b = binary.AppendUvarint(b, uint64(p.Off))
	b = binary.AppendUvarint(b, uint64(p.Len))
	return append(b, p.Hash[:]...)
}
