package check

import (
	"context"
	"io"
	"testing"

	"vitrine/internal/bounds"
)

// manyMembers is a volume with clusters and file records of 64 KiB and a file
// in as many of them as a list can name.
type manyMembers struct{ records int64 }

const memberSize = 64 << 10

func (v manyMembers) size() int64 { return (v.records + 64) * memberSize }

func (v manyMembers) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		at := off + int64(n)
		if at >= v.size() {
			return n, io.EOF
		}
		n += copy(p[n:], v.cluster(at / memberSize)[at%memberSize:])
	}
	return len(p), nil
}

// cluster makes a cluster: the boot sector, 2: the mirror, 8 to 11: the list, 32
// and on: file records, of which 24 has the list and the others are its members.
func (v manyMembers) cluster(lcn int64) []byte {
	b := make([]byte, memberSize)
	switch {
	case lcn == 0:
		copy(b[3:], "NTFS    ")
		u16(b, 11, 512)
		b[13], b[64], b[68], b[510], b[511] = memberSize/512, 1, 1, 0x55, 0xaa
		u64(b, 40, uint64(v.size()/512-1))
		u64(b, 48, 32)
		u64(b, 56, 2)
	case lcn >= 8 && lcn < 12:
		for i := range int64(memberSize / 32) {
			if no := (lcn-8)*(memberSize/32) + i + 25; no < v.records {
				e := b[i*32:]
				u32(e, 0, tData)
				u16(e, 4, 32)
				u64(e, 16, uint64(no)|1<<48)
			}
		}
	case lcn == 2:
		v.record(b, 0)
	case lcn >= 32 && lcn < 32+v.records:
		v.record(b, lcn-32)
	}
	return b
}

func (v manyMembers) record(b []byte, no int64) {
	copy(b, "FILE")
	u16(b, 4, 0x30)
	u16(b, 6, 129)
	u16(b, 16, 1)
	u16(b, 20, 0x138)
	u16(b, 22, 1)
	u32(b, 28, memberSize)
	u32(b, 44, uint32(no))
	var a []byte
	switch {
	case no == 0:
		a = extent(tData, v.records, 32)
	case no == 24:
		a = extent(tList, 4, 8)
		u64(a, 48, uint64(v.records-25)*32)
		u64(a, 56, uint64(v.records-25)*32)
	case no > 24:
		u64(b, 32, 24|1<<48)
		a = make([]byte, 24)
		u32(a, 0, tData)
		u32(a, 4, 24)
		u16(a, 20, 24)
	}
	end := 0x138 + copy(b[0x138:], a)
	u32(b, end, tEnd)
	u32(b, 24, uint32(end+8))
	u16(b, 0x30, 1)
	seal(b)
}

// extent is a non-resident attribute of clusters that follow each other.
func extent(typ uint32, clusters, lcn int64) []byte {
	a := make([]byte, 72)
	u32(a, 0, typ)
	u32(a, 4, 72)
	a[8] = 1
	u64(a, 24, uint64(clusters-1))
	u16(a, 32, 64)
	for _, at := range []int{40, 48, 56} {
		u64(a, at, uint64(clusters*memberSize))
	}
	copy(a[64:], []byte{0x23, byte(clusters), byte(clusters >> 8), byte(clusters >> 16), byte(lcn), byte(lcn >> 8)})
	return a
}

// TestManyMembers: of a file in many records, one record is in memory at a time.
func TestManyMembers(t *testing.T) {
	v := manyMembers{2500}
	var rep *Report
	var err error
	peak := bounds.Peak(32<<20, func() { rep, err = Run(context.Background(), v, v.size(), Options{MaxPerCode: 5}) })
	must(t, err)
	if peak > 80<<20 {
		t.Errorf("%d MiB of memory for %d MiB of records", peak>>20, v.size()>>20)
	}
	if rep.Counts.Extensions != v.records-25 {
		t.Errorf("%+v", rep.Counts)
	}
	for _, f := range rep.Findings {
		if f.Code == "T11" && f.Record == 24 {
			return
		}
	}
	t.Errorf("no T11 in %+v", rep.Findings)
}
