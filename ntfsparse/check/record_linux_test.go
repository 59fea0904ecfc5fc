package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/testvol"
)

// madeVolume is a sound volume that a test furnishes.
func madeVolume(t *testing.T, o testvol.Options, furnish func(dir string)) *vol {
	t.Helper()
	img := testvol.Make(t, o)
	testvol.With(t, img, furnish)
	b, err := os.ReadFile(img)
	must(t, err)
	return openVol(t, b)
}

// TestManyIdentifiers: records of 4 KiB have room for more attributes than others.
func TestManyIdentifiers(t *testing.T) {
	v := madeVolume(t, testvol.Options{Sector: 4096}, func(dir string) {
		for i := range 70 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file:%02d", i)), nil, 0o644))
		}
	})
	no := v.no("/file")
	v.edit(no, func(b []byte) {
		x, _ := v.find(b, tData, enc("68"))
		y, _ := v.find(b, tData, enc("69"))
		copy(b[x+14:x+16], b[y+14:])
	})
	if got := codes(judged(t, v.b, Options{}), Warning); len(got) != 1 || got[0] != "T12" {
		t.Errorf("%v", got)
	}
}

// TestSparseWithoutUnits: where clusters are as large as a compression unit,
// Windows notes 0 in sparse files, and their real size all the same.
func TestSparseWithoutUnits(t *testing.T) {
	v := madeVolume(t, testvol.Options{Cluster: 65536}, func(dir string) {
		f, err := os.Create(filepath.Join(dir, "sparse"))
		must(t, err)
		_, err = f.WriteAt([]byte("the end"), 1<<20)
		must(t, err)
		must(t, f.Close())
	})
	v.attr(v.no("/sparse"), tData, "", func(a []byte) {
		if le.Uint16(a[12:]) != aSparse || le.Uint16(a[32:]) < 72 {
			t.Fatal("the file is not sparse")
		}
		a[34] = 0
	})
	if got := codes(judged(t, v.b, Options{Deep: true}), Info); len(got) > 0 {
		t.Errorf("%v", got)
	}
	v.attr(v.no("/sparse"), tData, "", func(a []byte) { u64(a, 64, le.Uint64(a[64:])+65536) })
	if got := codes(judged(t, v.b, Options{}), Warning); len(got) != 1 || got[0] != "T9" {
		t.Errorf("%v", got)
	}
}

// TestEndlessCompressed: a compressed stream of 2^48 clusters ends where its runs do.
func TestEndlessCompressed(t *testing.T) {
	v := soundVolume(t)
	v.attr(v.no("/comp/text"), tData, "", func(a []byte) {
		runs(a, 0x16, 0, 0, 0, 0, 0, 1<<6, 9)
		for _, at := range []int{40, 48, 56} {
			u64(a, at, 1<<58)
		}
	})
	bounds.Check(t, func() { judged(t, v.b, Options{Deep: true}) })
}

// TestEncryptedStreams: a stream that is marked as encrypted can be read by nobody where
// the file has no keys; with them it is as it should be.
func TestEncryptedStreams(t *testing.T) {
	for _, name := range []string{"", enc("bbb")} {
		v := soundVolume(t)
		no := v.no("/streams")
		v.attr(no, tData, name, func(a []byte) { u16(a, 12, aEncrypted) })
		if rep := judged(t, v.b, Options{}); rep.Worst != Error || !slices.Contains(codes(rep, Error), "T16") {
			t.Errorf("%q, without keys: %v", name, codes(rep, Info))
		}
		v.flag("/streams", 0x4000)
		v.entryOf("streams", func(e []byte) { e[entryHead+57] |= 0x40 })
		v.insert(no, efsKeys(900))
		if rep := judged(t, v.b, Options{}); rep.Worst >= Warning {
			t.Errorf("%q, with keys: %v", name, codes(rep, Info))
		}
	}
}

// TestOddFlags: flags that mean nothing where they are.
func TestOddFlags(t *testing.T) {
	for _, c := range []struct {
		code string
		sev  Severity
		typ  uint32
		flag uint16
	}{{"T9", Warning, tStandard, 1}, {"T9", Warning, tName, 0x4000}, {"T9", Warning, tName, 0x8000}, {"T9", Info, tData, 0x400}, {"R8", Info, 0, 0x80}, {"R8", Info, 0, 0x8000}} {
		v := soundVolume(t)
		no := v.no("/plain")
		if c.typ == 0 {
			v.edit(no, func(b []byte) { u16(b, 22, le.Uint16(b[22:])|c.flag) })
		} else {
			v.attr(no, c.typ, "", func(a []byte) { u16(a, 12, c.flag) })
		}
		rep := judged(t, v.b, Options{})
		told := slices.ContainsFunc(rep.Findings, func(f Finding) bool { return f.Code == c.code && f.Severity == c.sev && f.Record == no })
		if !told || rep.Worst != c.sev || len(rep.Findings) != 2 { // X5 is the volume's own
			t.Errorf("%+v: %+v", c, rep.Findings)
		}
	}
}
