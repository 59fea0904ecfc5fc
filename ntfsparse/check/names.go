package check

import (
	"errors"
	"hash/crc64"
	"math/bits"
)

// upcase is the volume's upper-case table.
type upcase [1 << 16]uint16

const upcaseBytes = 2 << 16

// plainUpcase is what stands in for a table that cannot be read.
func plainUpcase() *upcase {
	u := new(upcase)
	for i := range u {
		u[i] = uint16(i)
	}
	for i := 'a'; i <= 'z'; i++ {
		u[i] -= 'a' - 'A'
	}
	return u
}

// readUpcase loads $UpCase. Until it is proved sound, only ASCII letters are known.
func (c *checker) readUpcase() {
	c.up, c.onlyASCII = plainUpcase(), true
	s, err := c.load(fUpCase, tData, "")
	var b []byte
	if err == nil {
		b, err = c.readAll(s, upcaseBytes)
	}
	if err != nil {
		c.find("V7", fUpCase, "$DATA", "The upper-case table cannot be read: %v.", err)
		return
	}
	if len(b) != upcaseBytes {
		c.find("V7", fUpCase, "$DATA", "The upper-case table has %d bytes instead of %d.", len(b), upcaseBytes)
		return
	}
	u := new(upcase)
	for i := range u {
		u[i] = le.Uint16(b[2*i:])
	}
	if msg := u.judge(); msg != "" {
		c.find("V7", fUpCase, "$DATA", "The upper-case table is damaged: %s.", msg)
		return
	}
	c.up, c.onlyASCII = u, !c.upcaseSum(b)
}

// upcaseSum compares the table with the checksum in the stream $Info, where
// there is one: length (4), CRC-64 with the polynomial of ECMA-182 (8 at 8),
// version of Windows. It is false when the checksum contradicts the table.
func (c *checker) upcaseSum(table []byte) bool {
	s, err := c.load(fUpCase, tData, nameInfo)
	if errors.Is(err, errNoStream) {
		return true // before Windows 8
	}
	var b []byte
	if err == nil {
		b, err = c.readAll(s, 4096)
	}
	switch {
	case err != nil:
		c.find("V10", fUpCase, "$DATA:$Info", "The checksum of the upper-case table cannot be read: %v.", err)
	case len(b) < 16:
		c.find("V10", fUpCase, "$DATA:$Info", "The checksum of the upper-case table is cut.")
	case le.Uint64(b[8:]) != crc64.Checksum(table, ecma182):
		c.find("V10", fUpCase, "$DATA:$Info", "The upper-case table does not have the checksum that is stored beside it.")
		return false
	}
	return true
}

// ecma182 is the polynomial as Windows uses it, lowest bit first.
var ecma182 = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// judge says what no upper-case table may be. Real ones are not idempotent for
// a few rare letters, so that only ASCII is held to it.
func (u *upcase) judge() string {
	for i := range 128 {
		want := uint16(i)
		if i >= 'a' && i <= 'z' {
			want -= 'a' - 'A'
		}
		if u[i] != want {
			return "it maps ASCII letters wrongly"
		}
	}
	odd := 0
	for i := range u {
		if u[u[i]] != u[i] {
			odd++
		}
	}
	if odd > 64 {
		return "what it maps letters to is not in upper case"
	}
	return ""
}

// compare orders two raw UTF-16 names as a folder's index does: without regard
// to case, and by code units where that leaves them equal.
func (u *upcase) compare(a, b []byte) (folded, exact int) {
	n := min(len(a), len(b)) &^ 1
	for i := 0; i < n; i += 2 {
		x, y := le.Uint16(a[i:]), le.Uint16(b[i:])
		if x == y {
			continue
		}
		if fx, fy := u[x], u[y]; fx != fy {
			d := int(fx) - int(fy)
			return d, d
		}
		if exact == 0 {
			exact = int(x) - int(y)
		}
	}
	if len(a) != len(b) {
		return len(a) - len(b), len(a) - len(b)
	}
	return 0, exact
}

// ascii reports whether a raw UTF-16 name has ASCII characters alone.
func ascii(name []byte) bool {
	for i := 0; i+1 < len(name); i += 2 {
		if name[i] >= 0x80 || name[i+1] != 0 {
			return false
		}
	}
	return true
}

const (
	mix1 = 0x9e3779b97f4a7c15
	mix2 = 0xd6e8feb86659fd93
	mix3 = 0xa0761d6478bd642f
	mix4 = 0xe7037ed1a0b428db
)

// hashName identifies an index entry of a file: where it stands and what it
// says.
func hashName(parent uint64, space uint8, name []byte) uint64 {
	return mix(mix(parent^mix1, uint64(space)<<32|uint64(len(name))^mix2), hashBytes(name))
}

func hashBytes(b []byte) uint64 {
	h := uint64(len(b)) * mix1
	for len(b) >= 8 {
		h = mix(h^le.Uint64(b), mix2)
		b = b[8:]
	}
	var tail uint64
	for i, x := range b {
		tail |= uint64(x) << (8 * i)
	}
	return mix(h^tail, mix1)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mix3, b^mix4)
	return hi ^ lo
}

func hash32(v uint64) uint32 {
	h := mix(v, mix1)
	return uint32(h ^ h>>32)
}
