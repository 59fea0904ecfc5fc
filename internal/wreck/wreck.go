// Package wreck damages the structures of NTFS volumes field by field, for tests. A
// field is set to what it must not have: a little more or less, a length that just
// does not fit, the value of a neighbour. Update sequences are done again, so that the
// damage gets behind them.
package wreck

import (
	"bytes"
	"encoding/binary"
	"slices"
)

var le = binary.LittleEndian

// EditSize is what an edit takes: structure (2 bytes), place in its part that is in
// use (2), width of the field and what is done to it (1).
const EditSize = 5

// Edits are what can be done to a field.
const Edits = 64

// Volume is a sound volume, whose update sequences have a stride of 512 bytes, and the
// places of its structures.
type Volume struct {
	Image  []byte
	places []place
}

// place is a structure: an update sequence of words words stands at usa, if it has
// one.
type place struct{ off, size, used, usa, words int }

// New finds boot sector, file records, index blocks and restart pages in img; blocks
// are the places of others, of which 512 bytes are damaged.
func New(img []byte, blocks ...int) *Volume {
	v := &Volume{Image: img, places: []place{{size: 512, used: 512}}}
	for off := 512; off+512 <= len(img); off += 512 {
		p := place{off: off}
		b := img[off:]
		switch string(b[:4]) {
		case "FILE":
			p.size, p.used = int(le.Uint32(b[0x1C:])), int(le.Uint32(b[0x18:]))
		case "INDX":
			p.size, p.used = 4096, 0x18+int(le.Uint32(b[0x1C:]))
		case "RSTR":
			p.size, p.used = 4096, 512
		default:
			if slices.Contains(blocks, off) {
				v.places = append(v.places, place{off: off, size: 512, used: 512})
			}
			continue
		}
		p.usa, p.words = int(le.Uint16(b[4:])), p.size/512
		if p.size < 1024 || p.size > 4096 || p.size > len(b) || p.used < 8 || p.used > p.size || p.usa+2*p.words+2 > 510 || int(le.Uint16(b[6:])) != p.words+1 {
			continue
		}
		v.places = append(v.places, p)
	}
	return v
}

// Structures is the number of structures.
func (v *Volume) Structures() int { return len(v.places) }

// Used is how many bytes of structure n are in use, and Offset where it stands.
func (v *Volume) Used(n int) int   { return v.places[n].used }
func (v *Volume) Offset(n int) int { return v.places[n].off }

// Damaged is the volume's image after the edits, at most 16 of them.
func (v *Volume) Damaged(edits []byte) []byte {
	img := bytes.Clone(v.Image)
	for n := 0; len(edits) >= EditSize && n < 16; n++ {
		p := v.places[int(le.Uint16(edits))%len(v.places)]
		b := img[p.off : p.off+p.size]
		p.open(b)
		p.edit(b, int(le.Uint16(edits[2:])), edits[4])
		p.seal(b)
		edits = edits[EditSize:]
	}
	return img
}

// Content is structure n without its update sequence.
func (v *Volume) Content(n int) []byte {
	p := v.places[n]
	b := bytes.Clone(v.Image[p.off : p.off+p.size])
	p.open(b)
	return b
}

// Record is the number of the structure that is file record no, -1 if there is none.
func (v *Volume) Record(no uint32) int {
	return slices.IndexFunc(v.places, func(p place) bool {
		b := v.Image[p.off:]
		return string(b[:4]) == "FILE" && le.Uint32(b[0x2C:]) == no
	})
}

// Replaced is the volume's image with b in the place of structure n, a file record,
// whose number and update sequence remain.
func (v *Volume) Replaced(n int, b []byte) []byte {
	img := bytes.Clone(v.Image)
	p := v.places[n]
	to := img[p.off : p.off+p.size]
	head := bytes.Clone(to[4:8])
	clear(to)
	copy(to, b)
	copy(to[4:], head)
	copy(to[0x2C:], v.Image[p.off+0x2C:][:4])
	p.seal(to)
	return img
}

// open brings the last words of sectors back where they belong.
func (p *place) open(b []byte) {
	for i := 1; i <= p.words; i++ {
		copy(b[i*512-2:i*512], b[p.usa+2*i:])
	}
}

func (p *place) seal(b []byte) {
	for i := 1; i <= p.words; i++ {
		copy(b[p.usa+2*i:], b[i*512-2:i*512])
		copy(b[i*512-2:i*512], b[p.usa:p.usa+2])
	}
}

func (p *place) edit(b []byte, at int, how byte) {
	width := 1 << (how >> 6)
	at = at % p.used &^ (width - 1)
	get := func(at int) uint64 {
		var x [8]byte
		if at >= 0 && at+width <= len(b) {
			copy(x[:], b[at:at+width])
		}
		return le.Uint64(x[:])
	}
	var x [8]byte
	le.PutUint64(x[:], changed(get, at, p.size, p.used, 8*width, int(how%Edits)))
	copy(b[at:], x[:width])
}

// changed is what the field of bits bits at place at becomes.
func changed(get func(int) uint64, at, size, used, bits, how int) uint64 {
	x := get(at)
	switch {
	case how < 9:
		return x + uint64(how)
	case how < 17:
		return x - uint64(how-8)
	case how < 33:
		return x ^ 1<<(how-17)
	}
	return []uint64{
		0, 1, 2, 3, 4, 5, 8, 16, 24, 0x80,
		1<<63 | 1<<(bits-1), 1<<(bits-1) - 1, ^uint64(0), ^uint64(0) - 1, ^x,
		x << 1, x >> 1, x << 8, x >> 8,
		uint64(size), uint64(size - at), uint64(used), uint64(used - at), uint64(used - at - 8), uint64(at),
		get(at - bits/8), get(at + bits/8), get(at - bits/4), get(at + bits/4), get(at - 16), get(at + 16),
	}[how-33]
}
