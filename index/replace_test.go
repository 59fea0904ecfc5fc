package index

import (
	"bytes"
	"testing"
)

// TestPlannedHeader loses the header of a member that has no footer: its plan
// tells the same one, byte for byte, and not when the plan is damaged too.
func TestPlannedHeader(t *testing.T) {
	_, inc := goldenMembers(t)
	want, err := ReadHeader(bytes.NewReader(inc))
	if err != nil {
		t.Fatal(err)
	}
	lost := append(bytes.Repeat([]byte{0xAA}, HeaderSize), inc[HeaderSize:]...)
	got, err := PlannedHeader(bytes.NewReader(lost), int64(len(lost)))
	if err != nil || *got != *want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	for at := HeaderSize; at < HeaderSize+PreambleSize+400; at++ {
		b := bytes.Clone(lost)
		b[at] ^= 4
		if h, err := PlannedHeader(bytes.NewReader(b), int64(len(b))); err == nil && *h != *want {
			t.Errorf("byte %d flipped: another header", at)
		}
	}
	for n := range HeaderSize + PreambleSize + 100 {
		if _, err := PlannedHeader(bytes.NewReader(lost[:n]), int64(n)); err == nil {
			t.Errorf("a header out of %d bytes", n)
		}
	}
}
