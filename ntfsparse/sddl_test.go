package ntfsparse

import "testing"

// TestSDDLMore: what is behind the SID of an entry is not passed over in silence.
func TestSDDLMore(t *testing.T) {
	everyone := "\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"
	for _, c := range []struct {
		kind   byte
		rights uint32
		behind string
		want   string
	}{
		{0, 0x1F01FF, "", "D:(A;;FA;;;WD)"},
		{0, 0x1F01FF, "\x00\x00\x00\x00", "D:(A;;FA;;;WD)"},
		{9, 0x1200A0, "artx\xf8\x02\x00\x00\x00x\x00\x00\x00", "D:(0x9;;FX;;;WD;...)"},
		{0x12, 0, "\x14\x00\x00\x00\x02\x00\x00\x00", "D:(0x12;;;;;WD;...)"},
		{4, 0, "\x01\x00\x00\x00", "D:(0x4)"},
	} {
		ace := []byte{c.kind, 0, 0, 0, 0, 0, 0, 0}
		le.PutUint32(ace[4:], c.rights)
		ace = append(ace, everyone+c.behind...)
		for len(ace)%4 != 0 {
			ace = append(ace, 0)
		}
		le.PutUint16(ace[2:], uint16(len(ace)))
		b := make([]byte, 28)
		b[0], b[16] = 1, 20
		le.PutUint16(b[2:], 0x8004)
		b[20], b[24] = 2, 1
		le.PutUint16(b[22:], uint16(8+len(ace)))
		if got, err := SDDL(append(b, ace...)); got != c.want || err != nil {
			t.Errorf("kind %d: %s, %v, want %s", c.kind, got, err, c.want)
		}
	}
}
