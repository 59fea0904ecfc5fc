package check

import (
	"os"
	"testing"

	"vitrine/internal/testvol"
)

// TestStaleRecords: what stands behind the valid bytes of the file table are no
// records of it, whoever left them there.
func TestStaleRecords(t *testing.T) {
	v := soundVolume(t)
	last := uint64(0)
	v.c.table.each(func(no uint64, _ *entry) { last = no })
	plain := v.place(&v.c.mft, int64(v.no("/plain"))*v.c.g.record)
	if last+2 > v.c.records {
		t.Fatal("all records are in use: the test does not test")
	}
	for no := last + 1; no < v.c.records; no++ {
		copy(v.b[v.place(&v.c.mft, int64(no)*v.c.g.record):], v.b[plain:plain+v.c.g.record])
		v.edit(no, func(b []byte) { u32(b, 44, uint32(no)) })
	}
	v.attr(fMFT, tData, "", func(a []byte) { u64(a, 56, (last+1)*uint64(v.c.g.record)) })
	copy(v.b[v.c.g.mirror*v.c.g.cluster:], v.b[v.c.g.mft*v.c.g.cluster:][:v.c.g.record])
	rep := judged(t, v.b, Options{Deep: true})
	if rep.Worst != Info || rep.Counts != v.c.rep.Counts {
		t.Errorf("%s\n%+v", rep.Summary, rep.Findings)
	}
}

// TestRecord0 changes each bit of the file table's own record: as the mirror's copy is
// sound, no other file than the table itself is called damaged.
func TestRecord0(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 12 << 20, Cluster: 512})
	testvol.With(t, img, func(dir string) { testvol.FragmentMFT(t, dir, 300) })
	b, err := os.ReadFile(img)
	must(t, err)
	v := openVol(t, b)
	if n := len(v.c.mft.runs); n < 20 {
		t.Fatalf("the file table is in %d runs", n)
	}
	v.raw(fMFT, func(rec []byte) {
		end, _ := v.find(rec, tBitmap, "") // where that is wrong, so are its bits
		for i := 0; i < 8*end; i += 5 {
			twice := i/8 == 16 || i/8 == 17 || i/8 >= 32 && i/8 < 40 // the root's index has it, too: sequence number and base
			if twice || i/8%stride >= stride-2 {
				continue
			}
			rec[i/8] ^= 1 << (i % 8)
			for _, f := range judged(t, b, Options{}).Findings {
				if f.Record != fMFT && f.Severity > Warning {
					t.Errorf("bit %d of byte %#x: %v", i%8, i/8, f)
				}
			}
			rec[i/8] ^= 1 << (i % 8)
		}
	})
}

// TestListOfTableLost: without its attribute list the file table is found by its extension
// records, and nothing else is called damaged.
func TestListOfTableLost(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 48 << 20})
	testvol.With(t, img, func(dir string) { testvol.FragmentMFT(t, dir, 7000) })
	b, err := os.ReadFile(img)
	must(t, err)
	v := openVol(t, b)
	lost := 0
	rec, msg := v.c.record(fMFT, nil)
	if msg != "" {
		t.Fatal(msg)
	}
	each(rec, func(a *attr) bool {
		if a.typ == tList && a.nonRes {
			r := runReader{b: a.pairs}
			e, _, _ := r.next()
			clear(v.b[e.lcn*v.c.g.cluster:][:a.size])
			lost++
		} else if a.typ == tList {
			v.value(fMFT, tList, "", func(x []byte) { clear(x) })
			lost++
		}
		return true
	})
	if lost != 1 {
		t.Fatalf("%d attribute lists", lost)
	}
	rep := judged(t, v.b, Options{})
	if got := codes(rep, Warning); len(got) != 1 || got[0] != "T13" || rep.Counts.Files != v.c.rep.Counts.Files-1 { // $MFT itself
		t.Errorf("%v, %d files, want %d", got, rep.Counts.Files, v.c.rep.Counts.Files)
	}
}
