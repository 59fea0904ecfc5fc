package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
)

// TestRunOfAllBytes: a run of more bytes than a number holds is an error.
func TestRunOfAllBytes(t *testing.T) {
	v := soundVolume(t)
	v.replace(fUpCase, tData, "", func(a []byte) []byte {
		off := int(le.Uint16(a[32:]))
		first := a[off:][1+a[off]&15:][:a[off]>>4]
		list := slices.Concat([]byte{byte(len(first)<<4) | 1, 1}, first, []byte{0x11, 1, 1, 7, 0, 0, 0, 0, 0, 0, 8, 7, 1, 0, 0, 0, 0, 0, 8, 1, 10, 1, 10, 1, 10, 0})
		b := slices.Concat(a[:off], list, make([]byte, -len(list)&7))
		u32(b, 4, uint32(len(b)))
		return b
	})
	if rep := judged(t, v.b, Options{}); !slices.Contains(codes(rep, Error), "T5") {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestNumberOfSectors: a number that cannot be right, with no backup, is an error, and
// the rest is checked as for what the device has.
func TestNumberOfSectors(t *testing.T) {
	for _, bit := range []uint{35, 40, 54, 62, 63} {
		v := soundVolume(t)
		v.boot(func(b []byte) { u64(b, 40, le.Uint64(b[40:])|1<<bit) })
		clear(v.b[len(v.b)-512:])
		rep := judged(t, v.b, Options{})
		for _, f := range rep.Findings {
			if f.Severity >= Error && f.Code != "B4" {
				t.Errorf("bit %d: %+v", bit, f)
			}
		}
		if rep.Errors == 0 || rep.Counts.Files < 400 || rep.Volume.Clusters > int64(len(v.b)) {
			t.Errorf("bit %d: %s %+v", bit, rep.Summary, rep.Volume)
		}
	}
}

// TestOneSizeTooLarge: a size that is far too large is damage of that file alone.
func TestOneSizeTooLarge(t *testing.T) {
	v := soundVolume(t)
	v.attr(v.no("/pieces"), tList, "", func(a []byte) { a[48+7] = 0x20 })
	wrongIn(t, judged(t, v.b, Options{Deep: true}), "/pieces")

	v = madeVolume(t, testvol.Options{}, func(dir string) {
		for _, n := range []string{"cloud1", "cloud2"} {
			must(t, os.WriteFile(filepath.Join(dir, n), nil, 0o644))
			must(t, os.Truncate(filepath.Join(dir, n), 300_000))
			testvol.Reparse(t, filepath.Join(dir, n), 0x9000701A, make([]byte, 3000))
		}
	})
	v.attr(v.no("/cloud1"), tReparse, "", func(a []byte) { a[48+7] ^= 0x20 })
	wrongIn(t, judged(t, v.b, Options{Deep: true}), "/cloud1")
}

// wrongIn looks that errors are in one file, and that nothing was left out.
func wrongIn(t *testing.T, rep *Report, path string) {
	t.Helper()
	for _, f := range rep.Findings {
		if f.Severity >= Warning && f.Path != path && !(f.Code == "C3" || f.Code == "X3" && strings.HasSuffix(path, "1")) {
			t.Errorf("%+v", f)
		}
		if strings.Contains(f.Message, "has 0 bytes") {
			t.Errorf("%+v", f)
		}
	}
	if rep.Errors == 0 || rep.Incomplete {
		t.Errorf("%s", rep.Summary)
	}
}

// wide is an attribute without a name that claims to have size bytes in cluster 9.
func wide(typ uint32, id uint16, size int64) []byte {
	b := make([]byte, 72)
	u32(b, 0, typ)
	u32(b, 4, 72)
	b[8] = 1
	u16(b, 14, id)
	u16(b, 32, 64)
	u64(b, 40, 4096)
	u64(b, 48, uint64(size))
	u64(b, 56, uint64(size))
	copy(b[64:], []byte{0x11, 1, 9, 0})
	return b
}

// TestBudgetsDoNotWrap: sizes near 2^63 do not make room for more work. 400 files have
// streams of the same 15 clusters, 85 times each.
func TestBudgetsDoNotWrap(t *testing.T) {
	v := soundVolume(t)
	v.insert(v.no("/links"), wide(tEA, 78, 1<<63-1))
	v.insert(v.no("/sub"), wide(tEA, 78, 1<<40))
	const units = 85
	lcn := v.c.g.clusters - 100
	list := []byte{0x31, 15, byte(lcn), byte(lcn >> 8), byte(lcn >> 16), 1, 1}
	for range units - 1 {
		list = append(list, 0x11, 15, 0, 1, 1)
	}
	list = append(list, make([]byte, 1+(-len(list)-1)&7)...)
	a := make([]byte, 80)
	u32(a, 0, tData)
	u32(a, 4, uint32(80+len(list)))
	a[8], a[9], a[10], a[12], a[34], a[72] = 1, 1, 72, 1, 4, 'x'
	u16(a, 14, 79)
	u64(a, 24, 16*units-1)
	u16(a, 32, 80)
	for at := 40; at < 64; at += 8 {
		u64(a, at, 16*units*4096)
	}
	u64(a, 64, 15*units*4096)
	v.c.table.each(func(no uint64, _ *entry) {
		if strings.HasPrefix(v.c.path(no), "/many/") {
			v.insert(no, append(a, list...))
		}
	})
	if n, most := reads(t, v.b, Options{Deep: true, MaxPerCode: 5}), 8*int64(len(v.b)); n > most {
		t.Errorf("%d bytes were read, at most %d are expected", n, most)
	}
	if rep := judged(t, v.b, Options{Deep: true}); left(rep) < 2 || !rep.Incomplete {
		t.Errorf("%d kinds are said to be left out: %s", left(rep), rep.Summary)
	}
	free := map[string]bool{} // what C2 says
	for _, f := range judged(t, v.b, Options{}).Findings {
		if f.Code == "C2" && free[f.Message] {
			t.Fatalf("twice: %+v", f)
		}
		free[f.Message] = f.Code == "C2"
	}
}

// TestManyFragments: what is not expanded for its fragments is said to be left out.
func TestManyFragments(t *testing.T) {
	defer func(n int) { maxRuns = n }(maxRuns)
	v := soundVolume(t)
	s := v.stream(v.no("/comp/text"), tData, "")
	at := v.place(s, 0)
	v.b[at+1] ^= 0xff
	v.b[at+2] ^= 0xff
	if rep := judged(t, v.b, Options{Deep: true}); !slices.Contains(codes(rep, Error), "D2") || rep.Incomplete {
		t.Fatalf("%s", rep.Summary)
	}
	maxRuns = len(s.runs) - 1
	if rep := judged(t, v.b, Options{Deep: true}); slices.Contains(codes(rep, Error), "D2") || !rep.Incomplete || left(rep) != 1 {
		t.Errorf("%s", rep.Summary)
	}
}

// TestRingBelow: of a folder that is inside itself and one that lies in it, the first is
// named, whatever their numbers.
func TestRingBelow(t *testing.T) {
	v := madeVolume(t, testvol.Options{}, func(dir string) {
		must(t, os.Mkdir(filepath.Join(dir, "inner"), 0o755))
		must(t, os.Mkdir(filepath.Join(dir, "ring"), 0o755))
		must(t, os.Rename(filepath.Join(dir, "inner"), filepath.Join(dir, "ring/inner")))
	})
	ring := v.no("/ring")
	v.value(ring, tName, "", func(x []byte) { u64(x, 0, ring|uint64(v.c.table.at(ring).seq)<<48) })
	n := 0
	for _, f := range judged(t, v.b, Options{}).Findings {
		if f.Code == "I13" {
			if n++; f.Record != ring || !strings.Contains(f.Message, `"ring"`) {
				t.Errorf("%+v", f)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d times", n)
	}
}

// TestSizeOfTable: a file table whose sizes are impossible is checked as far as it
// is there, and when nothing is left, that is said.
func TestSizeOfTable(t *testing.T) {
	for _, c := range []struct {
		size, valid int64
		want        string
	}{{1, 0, "M4"}, {1, 1, "M4"}, {-1 << 62, 0, "M4"}, {0, -1 << 40, "M4"}} {
		v := soundVolume(t)
		v.edit(fMFT, func(b []byte) {
			off, _ := v.find(b, tData, "")
			size := int64(le.Uint64(b[off+48:]))
			u64(b, off+48, uint64(size+c.size))
			u64(b, off+56, uint64(c.valid*size))
		})
		rep := judged(t, v.b, Options{})
		if !slices.Contains(codes(rep, Error), c.want) || rep.Counts.Files < 400 {
			t.Errorf("%+v: %s %d files", c, rep.Summary, rep.Counts.Files)
		}
	}
	v := soundVolume(t)
	lcn := v.c.mft.runs[0].lcn
	for _, at := range []int64{v.c.g.mft, v.c.g.mirror} {
		b := v.b[at*v.c.g.cluster:][:1024]
		fixup(b, headOld)
		off, _ := v.find(b, tData, "")
		copy(b[off:][le.Uint16(b[off+32:]):], []byte{0x31, 1, byte(lcn), byte(lcn >> 8), byte(lcn >> 16), 0})
		u64(b, off+24, 0)
		seal(b)
	}
	if rep := judged(t, v.b, Options{}); rep.Worst != Fatal {
		t.Errorf("a file table of one cluster: %s %+v", rep.Summary, rep.Findings)
	}
}

// TestHoleInTable: a hole in the file table reads as records that were never used; most of
// it cannot be holes.
func TestHoleInTable(t *testing.T) {
	for _, n := range []byte{1, 120} {
		v := soundVolume(t)
		for _, at := range []int64{v.c.g.mft, v.c.g.mirror} {
			b := v.b[at*v.c.g.cluster:][:1024]
			fixup(b, headOld)
			off, _ := v.find(b, tData, "")
			var old attr
			old.parse(b[off:])
			r := runReader{b: old.pairs}
			all, _, _ := r.next()
			if _, more, _ := r.next(); more || all.n < 121 || all.lcn > 127 {
				t.Fatalf("%+v", all)
			}
			// The last n clusters become a hole.
			copy(old.pairs, []byte{0x12, byte(all.n) - n, byte((all.n - int64(n)) >> 8), byte(all.lcn), 1, n, 0})
			seal(b)
		}
		rep := judged(t, v.b, Options{})
		fatal := n > 1
		if (rep.Worst == Fatal) != fatal || !fatal && (!slices.Contains(codes(rep, Error), "T9") || rep.Counts.Files < 300) {
			t.Errorf("a hole of %d clusters: %s %+v", n, rep.Summary, rep.Findings)
		}
	}
}

// TestInterruptedOverlay: a check ends within a large compressed system file.
func TestInterruptedOverlay(t *testing.T) {
	const chunk = 4096
	big := make([]byte, 4<<20)
	for i := range big {
		big[i] = byte(i * i >> 3)
	}
	stored := make([]byte, (len(big)/chunk-1)*4)
	for i := range len(stored) / 4 {
		u32(stored, 4*i, uint32((i+1)*chunk))
	}
	stored = append(stored, big...)
	v := madeVolume(t, testvol.Options{}, func(dir string) {
		f := filepath.Join(dir, "big")
		must(t, os.WriteFile(f, nil, 0o644))
		must(t, os.Truncate(f, int64(len(big))))
		must(t, os.WriteFile(f+":WofCompressedData", stored, 0o644))
		testvol.Reparse(t, f, 0x80000017, []byte{1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})
	})
	no := v.no("/big")
	ctx, cancel := context.WithCancel(t.Context())
	at := v.place(v.stream(no, tData, nameWof), 1<<20)
	r := &stopper{r: bytes.NewReader(v.b), at: at, stop: cancel}
	c := newChecker(ctx, r, int64(len(v.b)), Options{Deep: true})
	if !c.boot() || !c.openTable() {
		t.Fatal("no volume")
	}
	for _, stage := range []func(){c.readVolume, c.readUpcase, c.readTableBitmap, c.scanTable, c.attributeLists, c.extensions} {
		stage()
	}
	if c.expandOverlay(no); r.stopped == 0 || r.after > 2 || slices.Contains(codes(c.rep, Error), "D2") {
		t.Errorf("%v, %d reads after it, %+v", ctx.Err(), r.after, c.rep.Findings)
	}
}

// stopper ends a check when a place is read.
type stopper struct {
	r              *bytes.Reader
	at             int64
	stop           func()
	stopped, after int
}

func (s *stopper) ReadAt(p []byte, off int64) (int, error) {
	if s.after += s.stopped; off <= s.at && s.at < off+int64(len(p)) {
		s.stopped = 1
		s.stop()
	}
	return s.r.ReadAt(p, off)
}

// TestQuotaOfLeavingOwner: an owner who is being removed may be missing in the list of
// owners.
func TestQuotaOfLeavingOwner(t *testing.T) {
	v := soundVolume(t)
	no := v.no("/$Extend/$Quota")
	v.value(no, tRoot, nameO, func(x []byte) { // the first entry goes
		n := int(le.Uint16(x[32+8:]))
		used := int(le.Uint32(x[16+4:]))
		copy(x[32:], x[32+n:16+used])
		u32(x, 16+4, uint32(used-n))
		u32(x, 16+8, uint32(used-n))
	})
	if rep := judged(t, v.b, Options{}); !strings.Contains(messages(rep), "have owners that are not in the list") {
		t.Errorf("%+v", rep.Findings)
	}
	v.value(no, tRoot, nameQ, func(x []byte) { x[32+72+20+4] |= quotaDeleted })
	if rep := judged(t, v.b, Options{}); strings.Contains(messages(rep), "have owners that are not in the list") {
		t.Errorf("%+v", rep.Findings)
	}
}

func messages(rep *Report) (all string) {
	for _, f := range rep.Findings {
		all += f.Message + "\n"
	}
	return all
}

// TestNeededEAs: the sentence names what differs.
func TestNeededEAs(t *testing.T) {
	v := soundVolume(t)
	v.value(v.no("/ea"), tEAInfo, "", func(x []byte) { x[2] = 1 })
	rep := judged(t, v.b, Options{})
	if len(rep.Findings) == 0 || rep.Findings[0].Message != "Of the extended attributes of record "+fmt.Sprint(v.no("/ea"))+" 0 are marked as needed, but 1 are claimed." {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestNotWritten: what of the cluster bitmap and of the security descriptors does not
// count as written is zeros, as it is for all that read the volume.
func TestNotWritten(t *testing.T) {
	for _, c := range []struct {
		no   uint64
		name string
		code string
	}{{fBitmap, "", "C2"}, {fSecure, nameSDS, "S2"}} {
		v := soundVolume(t)
		v.attr(c.no, tData, c.name, func(a []byte) { u64(a, 56, 0) })
		rep := judged(t, v.b, Options{})
		if got := codes(rep, Warning); !slices.Contains(got, c.code) || !slices.Contains(got, "T8") {
			t.Errorf("record %d: %v", c.no, got)
		}
	}
}
