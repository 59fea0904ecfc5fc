package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/index"
	"vitrine/reader"
)

var _ ParentPoint = (*reader.Point)(nil)

// TestReader: what is captured and rescued here is read by the real reader,
// which serves as the parent too.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	src := thin(70<<20, 31)
	full, err := Run(t.Context(), src, Options{Dir: dir, Prefix: "C drive", Split: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	p := openReader(t, full.Path)
	compareReader(t, p, src, src)
	now := bytes.Clone(src)
	for i := 0; i < len(now); i += 120 << 10 {
		now[i] ^= 1
	}
	inc, err := Run(t.Context(), memSource(now), Options{Dir: dir, Parent: p, Prefix: "C drive", Split: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	compareReader(t, openReader(t, inc.Path), now, now)
	last := inc.Parts[len(inc.Parts)-1]
	st, _ := os.Stat(last)
	os.Truncate(last, st.Size()-index.FooterSize)
	if _, err := reader.Open(t.Context(), inc.Path, reader.Options{}); !errors.Is(err, index.ErrUnfinished) {
		t.Fatal(err)
	}
	res, err := Rescue(t.Context(), inc.Path, RescueOptions{Parent: p})
	if err != nil {
		t.Fatal(err)
	}
	if res.Number != 2 || !strings.HasPrefix(filepath.Base(res.Path), "C drive_") || !res.Incomplete {
		t.Fatalf("%+v", res)
	}
	compareReader(t, openReader(t, res.Path), src, now)
}

func openReader(t *testing.T, path string) *reader.Point {
	t.Helper()
	p, err := reader.Open(t.Context(), path, reader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// compareReader wants every block to be one of two.
func compareReader(t *testing.T, p *reader.Point, was, now []byte) {
	t.Helper()
	d := p.Disks()[0]
	b, same := make([]byte, index.BlockSize), 0
	for off := 0; off < len(now); off += len(b) {
		n, err := d.ReadAt(b[:min(len(b), len(now)-off)], int64(off))
		if err != nil && n < len(now)-off && n < len(b) {
			t.Fatalf("byte %d: %v", off, err)
		}
		isNow := bytes.Equal(b[:n], now[off:off+n])
		if !isNow && !bytes.Equal(b[:n], was[off:off+n]) {
			t.Fatalf("byte %d: neither old nor new", off)
		}
		if isNow {
			same++
		}
	}
	if same < len(now)/len(b)*9/10 {
		t.Fatalf("%d of %d blocks are new", same, len(now)/len(b))
	}
}
