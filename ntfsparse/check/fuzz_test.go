package check

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"sync"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/wreck"
	"vitrine/ntfsparse"
)

// smallVolume is a volume of 2 MiB that this package made for itself, see
// TestMakeSmallVolume.
var smallVolume = sync.OnceValue(func() []byte { return unzipped("testdata/small.img.gz") })

func unzipped(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return b
}

// usedVolume is a volume of 2 MiB with what Windows adds in use, see
// TestMakeUsedVolume.
var usedVolume = sync.OnceValue(func() []byte { return unzipped("../testdata/used.img.gz") })

var (
	smallStructures = sync.OnceValue(func() []int { return structures(smallVolume()) })
	usedStructures  = sync.OnceValue(func() []int { return structures(usedVolume()) })
)

// structures are the offsets of a volume's blocks worth breaking: boot sector,
// file records, index blocks, and clusters that hold other metadata.
func structures(b []byte) (out []int) {
	out = append(out, 0)
	for off := 0; off+1024 <= len(b); off += 512 {
		if s := string(b[off : off+4]); s == "FILE" || s == "INDX" || s == "RSTR" {
			out = append(out, off)
		}
	}
	c := newChecker(context.Background(), bytes.NewReader(b), int64(len(b)), Options{})
	if !c.boot() || !c.openTable() {
		panic("the volume cannot be opened")
	}
	c.stages()
	for _, f := range []struct {
		no   uint64
		name string
	}{{fBitmap, ""}, {fSecure, nameSDS}, {fAttrDef, ""}, {c.folders["$UsnJrnl"], nameJ}, {c.hiberfil, ""}} {
		if s, err := c.load(f.no, tData, f.name); err == nil && f.no != 0 {
			for _, r := range s.runs {
				if r.lcn >= 0 {
					out = append(out, int(r.lcn*c.g.cluster))
				}
			}
		}
	}
	return out
}

// blockSizes of what a fuzz step treats as one unit.
func blockSize(b []byte) int {
	switch string(b[:4]) {
	case "FILE", "BAAD":
		return 1024
	case "INDX", "RSTR":
		return 4096
	}
	return 512
}

// spoil applies the steps in edits, five bytes each: which structure (2), where
// in it (2), what (1). Update sequences are done again, so that the damage gets
// behind them.
func spoil(img []byte, places []int, edits []byte) {
	for edits = edits[:min(len(edits), 200)]; len(edits) >= 5; edits = edits[5:] {
		off := places[int(le.Uint16(edits))%len(places)]
		b := img[off:]
		b = b[:min(len(b), blockSize(b))]
		sealed := len(b) > 512 && fixup(b, 0x1e) == ""
		b[int(le.Uint16(edits[2:]))%len(b)] = edits[4]
		if sealed {
			seal(b)
		}
	}
}

// coherent checks a damaged volume and looks that the check ends, soon, without
// panic and with findings that hang together.
func coherent(t *testing.T, r io.ReaderAt, size int) (rep *Report) {
	bounds.Check(t, func() {
		var err error
		rep, err = Run(context.Background(), r, int64(size), Options{Deep: true, MaxPerCode: 50})
		must(t, err)
	})
	for _, x := range rep.Findings {
		if _, ok := Codes[x.Code]; !ok || x.Message == "" || x.Severity > rep.Worst {
			t.Fatalf("%+v", x)
		}
	}
	return rep
}

// FuzzRun breaks a small volume. Where the check finds no error, the reader must read all.
func FuzzRun(f *testing.F) {
	was := truthOf(f, smallVolume())
	f.Add([]byte{})
	f.Add([]byte{1, 0, 22, 0, 0, 40, 0, 60, 1, 9})
	for i := range 200 {
		f.Add([]byte{byte(i), 0, byte(i * 7), byte(i & 3), byte(255 - i), byte(i), 0, byte(i * 13), byte(i & 1), byte(i)})
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		img := bytes.Clone(smallVolume())
		spoil(img, smallStructures(), edits)
		if rep := coherent(t, bytes.NewReader(img), len(img)); rep.Worst < Error {
			was.agreed(t, img, rep)
		}
	})
}

// FuzzUsed breaks a volume in use, of which a sector may be unreadable: its number
// (2 bytes), then the damage. Where all can be read and the check finds no error, the
// reader must read all.
func FuzzUsed(f *testing.F) {
	was := truthOf(f, usedVolume())
	for i := range 250 {
		f.Add([]byte{0xFF, 0xFF, byte(i), 0, byte(i * 7), byte(i & 3), byte(255 - i), byte(i), 0, byte(i * 13), byte(i & 1), byte(i)})
	}
	for i := range 30 {
		f.Add([]byte{byte(i * 9), byte(i / 2)})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		img := bytes.Clone(usedVolume())
		spoil(img, usedStructures(), b[2:])
		sector := int64(le.Uint16(b)) * 512
		if rep := coherent(t, &patchy{img, sector}, len(img)); sector >= int64(len(img)) && rep.Worst < Error {
			was.agreed(t, img, rep)
		}
	})
}

// FuzzFields breaks fields of a volume, one a step more or less: volume (1 byte), sector
// that cannot be read (2), edits as wreck takes them. Where all can be read and the check
// finds no error, the reader must read all, as in TestAgreement.
func FuzzFields(f *testing.F) {
	var volumes []*wreck.Volume
	var was []*truth
	for i, img := range [][]byte{unzipped("../testdata/fuzz.img.gz"), usedVolume(), smallVolume(), unzipped("../testdata/large.img.gz")} {
		v := wreck.New(img, structures(img)...)
		volumes, was = append(volumes, v), append(was, truthOf(f, img))
		for n := range v.Structures() {
			at := 0x30 + n*4%v.Used(n)
			f.Add([]byte{byte(i), 0xFF, 0xFF, byte(n), byte(n >> 8), byte(at), byte(at >> 8), byte(n * 37)})
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 3 {
			return
		}
		n, sector := int(b[0])%len(volumes), int64(le.Uint16(b[1:]))*512
		img := volumes[n].Damaged(b[3:])
		rep := coherent(t, &patchy{img, sector}, len(img))
		if sector >= int64(len(img)) && rep.Worst < Error {
			was[n].agreed(t, img, rep)
		}
	})
}

// FuzzFile checks a volume in which all bytes of one file record are arbitrary, but for
// its number and its update sequence; without an error, the reader must read it.
func FuzzFile(f *testing.F) {
	v, was := wreck.New(smallVolume()), truthOf(f, smallVolume())
	for _, w := range []*wreck.Volume{v, wreck.New(usedVolume()), wreck.New(unzipped("../testdata/fuzz.img.gz"))} {
		for n := range w.Structures() {
			if b := w.Content(n); string(b[:4]) == "FILE" {
				f.Add(b)
			}
		}
	}
	place := v.Record(70)
	f.Fuzz(func(t *testing.T, b []byte) {
		img := v.Replaced(place, b)
		if rep := coherent(t, bytes.NewReader(img), len(img)); rep.Worst < Error {
			was.agreed(t, img, rep)
		}
	})
}

// FuzzSystem checks a volume in which all bytes of a system file's record, which the first
// byte names, are arbitrary, but for its number and its update sequence; without an error,
// the reader must read all.
func FuzzSystem(f *testing.F) {
	v, was := wreck.New(usedVolume()), truthOf(f, usedVolume())
	for n := range byte(32) {
		if place := v.Record(uint32(n)); place >= 0 {
			f.Add(append([]byte{n}, v.Content(place)...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		if place := v.Record(uint32(b[0] % 32)); place >= 0 {
			img := v.Replaced(place, b[1:])
			if rep := coherent(t, bytes.NewReader(img), len(img)); rep.Worst < Error {
				was.agreed(t, img, rep)
			}
		}
	})
}

// FuzzDedup breaks a volume of deduplicated files in places given by three
// bytes, with the byte behind them. Where all was looked at and the check finds no error,
// the reader must read all, and the files have the contents they had.
func FuzzDedup(f *testing.F) {
	sound := unzipped("../testdata/dedup.img.gz")
	was, files := truthOf(f, sound), map[string][]byte{}
	for _, name := range []string{"form12", "form21", "form31", "parts"} {
		b, err := contents(sound, name)
		must(f, err)
		files[name] = b
	}
	for at := 0; at < len(sound)-8; at += 8 {
		if m := string(sound[at : at+4]); m == "Ckhr" || m == "Smap" || m == "Rrtl" || m == "Cthr" {
			for in := 0; in < 100; in += 12 {
				p := at + in
				f.Add([]byte{byte(p), byte(p >> 8), byte(p >> 16), 0x7F})
			}
		}
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		img := bytes.Clone(sound)
		for ; len(edits) >= 4; edits = edits[4:] {
			img[(int(edits[0])|int(edits[1])<<8|int(edits[2])<<16)%len(img)] = edits[3]
		}
		rep := coherent(t, bytes.NewReader(img), len(img))
		if rep.Worst < Error && !rep.Incomplete && was.agreed(t, img, rep) {
			for name, had := range files {
				if b, err := contents(img, name); err == nil && !bytes.Equal(b, had) {
					t.Errorf("%q %v, and %s has other contents", rep.Summary, codes(rep, Info), name)
				}
			}
		}
	})
}

// contents are what a file has, read in one piece; an error when there is no such file.
func contents(img []byte, name string) ([]byte, error) {
	v, err := ntfsparse.Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		return nil, err
	}
	f, err := v.Lookup(name)
	if err != nil {
		return nil, err
	}
	s, err := f.Open()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(s.Size(), 4<<20))
	_, err = s.ReadAt(b, 0)
	return b, err
}

// FuzzRecord gives arbitrary bytes to what decodes single structures.
func FuzzRecord(f *testing.F) {
	b := smallVolume()
	for _, off := range smallStructures() {
		f.Add(b[off:min(len(b), off+1024)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1024 {
			return
		}
		b = b[:1024]
		fixup(bytes.Clone(b), headOld)
		each(b, func(a *attr) bool {
			r := runReader{b: a.pairs, vcn: a.lowest}
			for range len(b) + 1 {
				if _, ok, _ := r.next(); !ok {
					break
				}
			}
			parseFileName(a.value)
			securityFault(a.value)
			return true
		})
		for p := b; len(p) > 0; {
			_, rest, ok := cutList(p)
			if !ok {
				break
			}
			p = rest
		}
	})
}

func TestSmallVolumeIsSound(t *testing.T) {
	rep := judged(t, smallVolume(), Options{Deep: true})
	sound(t, rep)
	if rep.Counts.IndexBlocks == 0 || rep.Counts.Extensions == 0 || rep.Counts.ReparsePoints == 0 || len(smallStructures()) < 60 {
		t.Errorf("%d structures, %+v", len(smallStructures()), rep.Counts)
	}
}

// TestEveryByteFlipped breaks each byte of the small volume's structures, one
// after the other.
func TestEveryByteFlipped(t *testing.T) {
	img := bytes.Clone(smallVolume())
	step := 1
	if testing.Short() {
		step = 37
	}
	for _, off := range smallStructures()[:12] {
		for i := 0; i < 1024; i += 13 * step {
			old := img[off+i]
			img[off+i] ^= 0xff
			judged(t, img, Options{MaxPerCode: 10})
			img[off+i] = old
		}
	}
}

// TestEveryLengthCut checks volumes that end too early.
func TestEveryLengthCut(t *testing.T) {
	img := smallVolume()
	for n := 0; n < len(img); n += 9973 {
		if rep := judged(t, img[:n], Options{MaxPerCode: 10}); rep.Worst < Error {
			t.Errorf("%d of %d bytes: %s", n, len(img), rep.Summary)
		}
	}
}
