package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/testvol"
)

// counter counts the bytes that are read.
type counter struct {
	r *bytes.Reader
	n int64
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.n += int64(len(p))
	return c.r.ReadAt(p, off)
}

func reads(t *testing.T, img []byte, o Options) int64 {
	t.Helper()
	r := &counter{r: bytes.NewReader(img)}
	_, err := Run(context.Background(), r, int64(len(img)), o)
	must(t, err)
	return r.n
}

// TestReadsOnce looks that the file table and the index blocks are read about
// once.
func TestReadsOnce(t *testing.T) {
	v := soundVolume(t)
	c := &v.c.rep.Counts
	need := int64(v.c.records)*1024 + c.IndexBlocks*4096
	// Folders' records are read again, small tables beside.
	more := (c.Folders+64)*8*1024 + upcaseBytes + 64<<10
	if n := reads(t, v.b, Options{}); n > need+more {
		t.Errorf("%d bytes were read, %d and %d are expected", n, need, more)
	}
}

// TestZones compares the clusters in many passes, as for volumes of many TiB.
func TestZones(t *testing.T) {
	defer func(n int64) { mapBytes = n }(mapBytes)
	for _, mapBytes = range []int64{8, 64, 512} {
		v := soundVolume(t) // fails unless sound
		for _, m := range mutations {
			if m.code == "C1" || m.code == "C2" || m.code == "C3" || m.code == "C5" {
				t.Run(m.name, func(t *testing.T) { checkMutation(t, v.copyOf(t), m) })
			}
		}
	}
}

// TestOverlapsAreBounded lets every run list own the whole volume.
func TestOverlapsAreBounded(t *testing.T) {
	v := soundVolume(t)
	n := v.c.g.clusters
	v.c.table.each(func(no uint64, _ *entry) {
		if no < firstFree {
			return
		}
		v.edit(no, func(b []byte) {
			each(b, func(a *attr) bool {
				if a.nonRes && len(a.pairs) >= 6 {
					copy(a.pairs, []byte{0x13, byte(n), byte(n >> 8), byte(n >> 16), 0, 0})
				}
				return true
			})
		})
	})
	var total int64
	bounds.Check(t, func() { total = reads(t, v.b, Options{Deep: true, MaxPerCode: 10}) })
	if most := 12 * int64(len(v.b)); total > most {
		t.Errorf("%d bytes were read, at most %d are expected", total, most)
	}
	rep := judged(t, v.b, Options{Deep: true})
	if n := left(rep); n != 1 || !rep.Incomplete || !strings.HasSuffix(rep.Summary, " Not all was looked at.") {
		t.Errorf("%d remarks of what was left out: %s", n, rep.Summary)
	}
}

// TestTableTwice gives the file table a cluster twice, which would let a small
// volume claim any number of records.
func TestTableTwice(t *testing.T) {
	v := soundVolume(t)
	lcn := v.c.mft.runs[0].lcn
	for _, at := range []int64{v.c.g.mft, v.c.g.mirror} {
		b := v.b[at*v.c.g.cluster:][:1024]
		fixup(b, headOld)
		off, _ := v.find(b, tData, "")
		a := b[off:]
		copy(a[le.Uint16(a[32:]):], []byte{0x11, 20, byte(lcn), 0x11, 20, 0, 0})
		seal(b)
	}
	rep := judged(t, v.b, Options{})
	if rep.Worst != Fatal || rep.Findings[0].Code != "M3" {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestVeryDeepFolders: each folder lies in the one before; what findings say of
// their places stays bounded.
func TestVeryDeepFolders(t *testing.T) {
	const folders = 600
	img := testvol.Make(t, testvol.Options{})
	name := func(i int) string { return fmt.Sprintf("%04d", i) + strings.Repeat("d", 240) }
	testvol.With(t, img, func(dir string) {
		for i := range folders {
			must(t, os.Mkdir(filepath.Join(dir, name(i)), 0o755))
		}
	})
	b, err := os.ReadFile(img)
	must(t, err)
	v := openVol(t, b)
	numbers, first := make([]uint64, folders), v.no("/"+name(0))
	for i := range numbers {
		numbers[i] = first + uint64(i)
	}
	for i, no := range numbers[1:] {
		above := numbers[i]
		v.edit(no, func(b []byte) {
			each(b, func(a *attr) bool {
				if a.typ == tName {
					u64(a.value, 0, above|1<<48)
				}
				return true
			})
		})
	}
	rep := judged(t, v.b, Options{})
	sum, long, cut := 0, 0, 0
	for _, f := range rep.Findings {
		sum, long = sum+len(f.Path), max(long, len(f.Path))
		if strings.HasPrefix(f.Path, "/?/") {
			cut++
		}
	}
	if len(rep.Findings) < folders || long > maxPath || cut == 0 || sum > maxPathBytes+maxPath+len(rep.Findings)*shortPath {
		t.Errorf("%d findings, paths of %d bytes, the longest of %d, %d cut", len(rep.Findings), sum, long, cut)
	}
}
