package wreck

import (
	"bytes"
	"testing"
)

// volume has a boot sector, a file record of 100 bytes in use and another block.
func volume() []byte {
	img := make([]byte, 4096)
	r := img[1024:2048]
	copy(r, "FILE")
	le.PutUint16(r[4:], 0x30)
	le.PutUint16(r[6:], 3)
	le.PutUint32(r[0x18:], 600)
	le.PutUint32(r[0x1C:], 1024)
	le.PutUint32(r[0x2C:], 9)
	le.PutUint16(r[0x30:], 0x1234) // the update sequence's number
	le.PutUint16(r[0x32:], 0x5678) // what belongs at the first sector's end
	le.PutUint16(r[510:], 0x1234)
	le.PutUint16(r[1022:], 0x1234)
	return img
}

func TestDamaged(t *testing.T) {
	img := volume()
	v := New(img, 3072)
	if v.Structures() != 3 || v.Record(9) != 1 || v.Record(8) != -1 || v.Used(1) != 600 || v.Offset(2) != 3072 {
		t.Fatalf("%+v", v.places)
	}
	if b := v.Content(1); le.Uint16(b[510:]) != 0x5678 || le.Uint16(b[1022:]) != 0 {
		t.Errorf("% x", b[500:512])
	}
	for how := range 256 { // a field over the end of the first sector
		b := v.Damaged([]byte{1, 0, 0xFC, 1, byte(how)})
		r := b[1024:2048]
		if le.Uint16(r[510:]) != 0x1234 || le.Uint16(r[1022:]) != 0x1234 {
			t.Errorf("%#x: the update sequence is broken", how)
		}
		copy(r[508:512], img[1024+508:])
		copy(r[0x32:0x34], img[1024+0x32:])
		if width := 1 << (how >> 6); width < 8 && !bytes.Equal(b, img) {
			t.Errorf("%#x: something else was changed", how)
		}
	}
	if !bytes.Equal(v.Damaged(nil), img) {
		t.Error("no edit changes something")
	}
	b := v.Damaged([]byte{1, 0, 0xFE, 1, 0x41}) // 16 bits, one more
	if le.Uint16(b[1024+0x32:]) != 0x5679 {
		t.Error("the damage is not behind the update sequence")
	}
}

func TestReplaced(t *testing.T) {
	img := volume()
	v := New(img)
	b := v.Replaced(1, bytes.Repeat([]byte{0xEE}, 700))
	r := b[1024:2048]
	if le.Uint16(r[4:]) != 0x30 || le.Uint32(r[0x2C:]) != 9 || le.Uint16(r[0x32:]) != 0xEEEE || r[699] != 0xEE || r[700] != 0 {
		t.Errorf("% x", r[:0x40])
	}
	if !bytes.Equal(b[:1024], img[:1024]) || !bytes.Equal(b[2048:], img[2048:]) {
		t.Error("something else was changed")
	}
}
