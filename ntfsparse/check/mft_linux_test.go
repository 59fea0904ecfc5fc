package check

import "testing"

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
