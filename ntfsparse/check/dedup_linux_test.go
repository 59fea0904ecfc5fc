package check

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"vitrine/internal/testvol"
)

func readImage(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// TestDedupShared has far more plain bytes than the volume has room: all of them
// are proved, the bad chunk is named with each of its files, and without Deep
// only what the tables say is judged.
func TestDedupShared(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 24 << 20})
	testvol.With(t, img, func(dir string) {
		d := &testvol.Dedup{GUID: [16]byte{1, 2, 3}}
		data, maps := d.Container(false, 1, 1), d.Container(true, 1, 1)
		chunk := data.AddData(make([]byte, 131072), true)
		many := make([]testvol.DedupChunk, 200)
		for i := range many {
			many[i] = chunk
		}
		m := maps.AddMap(0, many...)
		for i := range 20 {
			testvol.WriteDedup(t, fmt.Sprintf("%s/file %d", dir, i), m.End, d.Point31(nil, m))
		}
		d.Write(t, dir)
	})
	v := openVol(t, readImage(t, img))
	if n := v.c.rep.Counts.ReparsePoints; n != 20 {
		t.Errorf("%d reparse points", n)
	}
	v.chunk("Data/00000001.00000001.ccc", 0x5000+88+4, 7) // the one literal
	sound(t, judged(t, v.b, Options{}))
	rep := judged(t, v.b, Options{Deep: true})
	if got := codes(rep, Error); !slices.Equal(got, []string{"D3"}) || len(rep.Findings) != 20 {
		t.Errorf("%v, %d findings", got, len(rep.Findings))
	}
	v.chunk("Data/00000001.00000001.ccc", 0x5000+32, 3) // a method that nobody knows may be why
	if rep := judged(t, v.b, Options{Deep: true}); rep.Worst != Info || !rep.Incomplete || !slices.Equal(codes(rep, Info), []string{"D3"}) {
		t.Errorf("%q %v", rep.Summary, codes(rep, Info))
	}
}

// TestDedupAnotherLength: that a chunk was proved for one file proves nothing for another
// one that gives it another length.
func TestDedupAnotherLength(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 24 << 20})
	testvol.With(t, img, func(dir string) {
		d := &testvol.Dedup{GUID: [16]byte{1, 2, 3}}
		data, maps := d.Container(false, 1, 1), d.Container(true, 1, 1)
		chunk := data.AddData(make([]byte, 131072), true)
		for i := range 3 {
			m := maps.AddMap(0, chunk)
			testvol.WriteDedup(t, fmt.Sprintf("%s/file %d", dir, i), m.End, d.Point31(nil, m))
			chunk.Plain++
		}
		d.Write(t, dir)
	})
	rep := judged(t, readImage(t, img), Options{Deep: true})
	if got := codes(rep, Error); !slices.Equal(got, []string{"D3"}) || len(rep.Findings) != 2 {
		t.Errorf("%v, %d findings", got, len(rep.Findings))
	}
}

// TestDedupTooMuch: a small volume that claims to prove very much is given up,
// and that is said.
func TestDedupTooMuch(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 24 << 20})
	testvol.With(t, img, func(dir string) {
		d := &testvol.Dedup{GUID: [16]byte{1, 2, 3}}
		data, maps := d.Container(false, 1, 1), d.Container(true, 1, 1)
		chunk := data.AddData(make([]byte, 64), false)
		many := make([]testvol.DedupChunk, 60_000)
		for i := range many {
			many[i] = chunk
		}
		m := maps.AddMap(0, many...)
		for i := range 40 {
			testvol.WriteDedup(t, fmt.Sprintf("%s/file %d", dir, i), m.End, d.Point31(nil, m))
		}
		d.Write(t, dir)
	})
	b := readImage(t, img)
	if n, most := reads(t, b, Options{Deep: true}), 8*int64(len(b)); n > most {
		t.Errorf("%d bytes were read of %d", n, len(b))
	}
	rep := judged(t, b, Options{Deep: true})
	if rep.Worst != Info || !rep.Incomplete || left(rep) != 0 || !slices.ContainsFunc(rep.Findings, func(f Finding) bool { return f.Code == "T18" }) {
		t.Errorf("%+v", rep.Findings)
	}
}
