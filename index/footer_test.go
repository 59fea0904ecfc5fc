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

// TestHeaderAndFooterAreNotNeeded flips every byte of both: the member opens
// with the same root, and the damage is listed.
func TestHeaderAndFooterAreNotNeeded(t *testing.T) {
	b, c := small(t)
	for _, w := range []struct {
		what string
		at   int
	}{{"header", 0}, {"footer", len(b) - FooterSize}} {
		for i := w.at; i < w.at+HeaderSize; i++ {
			b[i] ^= 1 << (i % 8)
			repairs(t, b, c.tails[0], w.what, i%61 == 0)
			b[i] ^= 1 << (i % 8)
		}
		clean := bytes.Clone(b)
		clear(clean[w.at:][:HeaderSize])
		repairs(t, clean, c.tails[0], w.what, true)
		junk := append(clean, "junk"...)
		repairs(t, junk, c.tails[0], w.what, true)
	}
}

// TestHeaderAndFooterAreBothNotNeeded damages both: the two superblocks tell, and
// one of them if the footer still holds its hash.
func TestHeaderAndFooterAreBothNotNeeded(t *testing.T) {
	b, c := small(t)
	want, end := c.tails[0], len(b)-FooterSize
	ft, _ := decodeFooter(b[end:])
	super := int(ft.super)
	for _, w := range []struct {
		harm func(g []byte)
		ok   bool
	}{
		{func(g []byte) {}, true},
		{func(g []byte) { clear(g[:HeaderSize]); clear(g[end:]) }, true},
		{func(g []byte) { g[super+40] ^= 1; g[end] ^= 1 }, true},
		{func(g []byte) { g[super+40] ^= 1; clear(g[end:]) }, false},
		{func(g []byte) { g[super+20] ^= 1; clear(g[end:]) }, false},
	} {
		g := bytes.Clone(b)
		g[50] ^= 1
		g[end+9] ^= 1
		w.harm(g)
		r, n := bytes.NewReader(g), int64(len(g))
		tail, err := ReadTail(r, n)
		h, herr := RecoverHeader(r, n)
		if !w.ok {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotMember) || herr == nil {
				t.Errorf("%v %v", err, herr)
			}
			continue
		}
		if err != nil || herr != nil || tail.Root != want.Root || *tail.Self != *want.Self || len(tail.Repaired) < 2 || h.UID != want.Header.UID || h.Created != want.Header.Created {
			t.Errorf("%+v %v, %+v %v", tail, err, h, herr)
		}
	}
}

func repairs(t *testing.T, b []byte, want *Tail, what string, all bool) {
	t.Helper()
	r, n := bytes.NewReader(b), int64(len(b))
	tail, err := ReadTail(r, n)
	if err != nil || tail.Root != want.Root || *tail.Self != *want.Self || tail.PartEnd != want.PartEnd || len(tail.Repaired) != 1 || tail.Repaired[0] != what {
		t.Fatalf("%+v %v", tail, err)
	}
	if !all {
		return
	}
	h, err := RecoverHeader(r, n)
	was := *want.Header
	was.id, was.Tool = h.id, h.Tool
	if err != nil || *h != was {
		t.Fatalf("%+v %v, want %+v", h, err, was)
	}
	ft, err := ReadFooter(h, r, n)
	if err != nil || ft.Root != want.Root || ft.Length != want.PartEnd || ft.Repaired != (what == "footer") {
		t.Fatalf("%+v %v", ft, err)
	}
	if _, damaged, err := CheckTail(r, n); err != nil || len(damaged) > 0 {
		t.Fatal(damaged, err)
	}
}

// TestNoFooterIsUnfinished: what ends before the end of its footer did not
// finish, and a superblock stands in for a footer only if it is proved.
func TestNoFooterIsUnfinished(t *testing.T) {
	b, c := small(t)
	for n := len(b) - 3*FooterSize; n < len(b); n++ {
		if _, err := ReadTail(bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, ErrUnfinished) {
			t.Fatalf("cut at %d of %d: %v", n, len(b), err)
		}
	}
	ft, _ := decodeFooter(b[len(b)-FooterSize:])
	for _, keepRoot := range []bool{false, true} {
		for _, delta := range []int64{0, ft.copyDelta} {
			g := bytes.Clone(b)
			g[len(g)-FooterSize] ^= 1
			if !keepRoot {
				g[len(g)-FooterSize+72] ^= 1
			}
			g[ft.super+delta+40] ^= 1 // the time: nothing else tells
			tail, err := ReadTail(bytes.NewReader(g), int64(len(g)))
			if keepRoot && (err != nil || tail.Root != c.tails[0].Root) || !keepRoot && !errors.Is(err, ErrUnfinished) {
				t.Fatalf("%v %d: %v", keepRoot, delta, err)
			}
		}
	}
}

func TestHeaderOfAnotherProgramIsRefused(t *testing.T) {
	b, _ := small(t)
	b[10], b[11] = 9, 0
	le.PutUint32(b[HeaderSize-4:], CRC(b[:HeaderSize-4]))
	if _, err := ReadTail(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrUnsupported) {
		t.Fatal(err)
	}
}
