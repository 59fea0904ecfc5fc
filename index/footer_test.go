package index

import (
	"bytes"
	"errors"
	"testing"
)

func TestReadFooter(t *testing.T) {
	b, c := small(t)
	h, _ := ReadHeader(bytes.NewReader(b))
	for _, junk := range []int{0, 1, FooterSize, 300 << 10} {
		g := append(append([]byte(nil), b...), make([]byte, junk)...)
		ft, err := ReadFooter(h, bytes.NewReader(g), int64(len(g)))
		if err != nil || ft.Root != c.tails[0].Root || ft.Length != int64(len(b)) || ft.Trailing != int64(junk) {
			t.Fatalf("%d bytes behind: %+v %v", junk, ft, err)
		}
	}
	for n := range len(b) / 997 {
		if _, err := ReadFooter(h, bytes.NewReader(b[:n*997]), int64(n*997)); !errors.Is(err, ErrUnfinished) {
			t.Fatalf("cut at %d: %v", n*997, err)
		}
	}
}

func TestCheckTail(t *testing.T) {
	b, _ := small(t)
	start, damaged, err := CheckTail(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(damaged) > 0 {
		t.Fatal(start, damaged, err)
	}
	for i := int(start); i < len(b)-FooterSize; i++ {
		b[i] ^= 1
		_, damaged, err := CheckTail(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(damaged) != 1 {
			t.Fatalf("byte %d flipped: %v %v", i, damaged, err)
		}
		b[i] ^= 1
	}
}

func TestScanReportsPadding(t *testing.T) {
	b, c := small(t)
	h, _ := ReadHeader(bytes.NewReader(b))
	b[2*Align-1] = 1 // behind the plan
	var gaps [][2]int64
	Scan(bytes.NewReader(b), int64(len(b)), c.tails[0].Self.Dir.Off, h, ScanVisitor{
		Damaged: func(addr, n int64) error { gaps = append(gaps, [2]int64{addr, n}); return nil }})
	if len(gaps) == 0 || gaps[0][0] <= Align || gaps[0][0]+gaps[0][1] != 2*Align {
		t.Fatalf("gaps %v", gaps)
	}
}
