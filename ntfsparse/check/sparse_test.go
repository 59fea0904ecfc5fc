package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"testing"

	"vitrine/internal/bounds"
)

// sparse is a volume of any size whose bytes are made when they are read: its boot sector
// and file records, zeros elsewhere.
type sparse struct {
	cluster, record, size int64
	mft                   int64                                // cluster of the file table
	records               int64                                // that it has
	make                  func(no int64) []byte                // a record; nil: zeros
	fill                  func(p []byte, off int64) (did bool) // what is elsewhere
	read                  func()                               // is called for each read
	bytes                 int64                                // that were read
}

func newSparse(cluster, record, size, records int64) *sparse {
	return &sparse{cluster: cluster, record: record, size: size, mft: 64, records: records}
}

func (v *sparse) boot() []byte {
	b := make([]byte, 512)
	copy(b[3:], "NTFS    ")
	u16(b, 11, 512)
	b[13] = byte(v.cluster / 512)
	b[64], b[68] = byte(-bits.TrailingZeros64(uint64(v.record))), 0xF4
	u64(b, 40, uint64(v.size/512-1))
	u64(b, 48, uint64(v.mft))
	u64(b, 56, uint64(v.mft-1))
	b[72], b[510], b[511] = 1, 0x55, 0xaa
	return b
}

func (v *sparse) ReadAt(p []byte, off int64) (int, error) {
	if v.bytes += int64(len(p)); v.read != nil {
		v.read()
	}
	if off+int64(len(p)) > v.size {
		return 0, io.EOF
	}
	clear(p)
	first, end := v.mft*v.cluster, v.mft*v.cluster+v.records*v.record
	switch {
	case off < 512:
		copy(p, v.boot()[off:])
	case off >= end || off+int64(len(p)) <= first:
		if v.fill != nil {
			v.fill(p, off)
		}
	default:
		for no := max(0, off-first) / v.record; no < v.records; no++ {
			at := first + no*v.record - off
			if at >= int64(len(p)) {
				break
			}
			if b := v.make(no); b != nil {
				copy(p[max(0, at):], b[max(0, -at):])
			}
		}
	}
	return len(p), nil
}

// file is a file record with attributes.
func (v *sparse) file(no int64, seq, links, flags uint16, base uint64, attrs ...[]byte) []byte {
	b := make([]byte, v.record)
	copy(b, "FILE")
	words := int(v.record/512) + 1
	end := (0x30 + 2*words + 7) &^ 7
	u16(b, 4, 0x30)
	u16(b, 6, uint16(words))
	u16(b, 16, seq)
	u16(b, 18, links)
	u16(b, 20, uint16(end))
	u16(b, 22, flags)
	u32(b, 28, uint32(v.record))
	u64(b, 32, base)
	u16(b, 40, 0xffff)
	u32(b, 44, uint32(no))
	for _, a := range attrs {
		end += copy(b[end:], a)
	}
	u32(b, end, tEnd)
	u32(b, 24, uint32(end+8))
	u16(b, 0x30, 1)
	seal(b)
	return b
}

// own is the record of the file table; its bitmap is there if any cluster of it is given.
func (v *sparse) own(bitmap int64) []byte {
	n := (v.records*v.record + v.cluster - 1) / v.cluster
	return v.file(0, 1, 1, 1, 0, standardValue(), nameValue(5|5<<48, "$MFT", false),
		v.extents(tData, "", v.records*v.record, run{0, v.mft, n}),
		v.extents(tBitmap, "", v.records/8+1, run{0, bitmap, v.records/8/v.cluster + 1}))
}

func standardValue() []byte { return named(resident(tStandard, 0, make([]byte, 72)), "") }

func nameValue(parent uint64, name string, folder bool) []byte {
	units := encode16(name)
	x := make([]byte, nameHead+len(units))
	u64(x, 0, parent)
	if folder {
		u32(x, 56, entryDir)
	}
	x[64] = byte(copy(x[nameHead:], units) / 2)
	a := resident(tName, 1, x)
	a[22] = 1
	return a
}

// named gives a name to an attribute that has none.
func named(a []byte, name string) []byte {
	units := encode16(name)
	if len(units) == 0 {
		return a
	}
	head := map[byte]int{0: 24, 1: 64}[a[8]]
	room := (len(units) + 7) &^ 7
	b := append(append(append([]byte{}, a[:head]...), make([]byte, room)...), a[head:]...)
	copy(b[head:], units)
	b[9] = byte(len(units) / 2)
	u16(b, 10, uint16(head))
	u32(b, 4, uint32(len(b)))
	at := map[byte]int{0: 20, 1: 32}[a[8]]
	u16(b, at, uint16(head+room))
	return b
}

// extents is a non-resident attribute.
func (v *sparse) extents(typ uint32, name string, size int64, runs ...run) []byte {
	var list []byte
	last, n := int64(0), int64(0)
	for _, r := range runs {
		length, place := signedBytes(r.n), []byte(nil)
		if r.lcn >= 0 {
			place = signedBytes(r.lcn - last)
			last = r.lcn
		}
		list = append(append(append(list, byte(len(length)|len(place)<<4)), length...), place...)
		n += r.n
	}
	a := make([]byte, (64+len(list)+1+7)&^7)
	u32(a, 0, typ)
	u32(a, 4, uint32(len(a)))
	a[8] = 1
	u16(a, 14, uint16(typ>>4))
	u64(a, 24, uint64(n-1))
	u16(a, 32, 64)
	u64(a, 40, uint64(n*v.cluster))
	u64(a, 48, uint64(size))
	u64(a, 56, uint64(size))
	copy(a[64:], list)
	return named(a, name)
}

// signedBytes is n in as few bytes as hold it with its sign.
func signedBytes(n int64) (b []byte) {
	for {
		b = append(b, byte(n))
		if s := n >> 7; s == 0 || s == -1 {
			return b
		}
		n >>= 8
	}
}

// folderRoot is the index of a folder with one entry.
func folderRoot(ref uint64, name []byte) []byte {
	key := name[24:]
	n := (16 + nameHead + 2*int(key[64]) + 7) &^ 7
	r := make([]byte, 32+n+16)
	u32(r, 0, tName)
	u32(r, 4, 1)
	u32(r, 8, 4096)
	r[12] = 1
	u32(r, 16, 16)
	u32(r, 20, uint32(16+n+16))
	u32(r, 24, uint32(16+n+16))
	e := r[32:]
	u64(e, 0, ref)
	u16(e, 8, uint16(n))
	u16(e, 10, uint16(nameHead+2*int(key[64])))
	copy(e[16:], key[:nameHead+2*int(key[64])])
	u16(e, n+8, 16)
	u16(e, n+12, 2)
	return named(resident(tRoot, 2, r), "$I30")
}

// TestSparseDevice: what a table and its bitmap claim in holes of a huge device costs no
// memory, and the check ends when it is asked to.
func TestSparseDevice(t *testing.T) {
	const most = (48 + 64 + 8) << 20 // with the table's clusters, see docs/check.md
	for _, shift := range []int{46, 50, 56} {
		v := newSparse(4096, 1024, 1<<shift, 1<<33)
		v.make = func(no int64) []byte {
			if no == 0 {
				return v.own(-1)
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		peak := bounds.Peak(most, func() {
			_, err = Run(ctx, v, v.size, Options{Deep: true, Progress: func(p Progress) {
				if p.Phase == "file records" && p.Done > 1<<30 {
					cancel()
				}
			}})
		})
		if peak > most+most/10 || !errors.Is(err, context.Canceled) { // what other tests left free counts, too
			t.Errorf("2^%d bytes: %d MiB, %v", shift, peak>>20, err)
		}
	}
}

// withExtend has $Extend and one file in it.
func (v *sparse) withExtend(name string, attrs ...[]byte) {
	v.make = func(no int64) []byte {
		extend, child := nameValue(5|5<<48, "$Extend", true), nameValue(11|11<<48, name, false)
		switch no {
		case 0:
			return v.own(900)
		case 5:
			return v.file(5, 5, 1, 3, 0, standardValue(), nameValue(5|5<<48, ".", true), folderRoot(11|11<<48, extend))
		case 11:
			return v.file(11, 11, 1, 3, 0, standardValue(), extend, folderRoot(30|1<<48, child))
		case 30:
			return v.file(30, 1, 1, 1, 0, append([][]byte{standardValue(), child}, attrs...)...)
		}
		return nil
	}
}

// TestJournalOfSharedClusters: a journal whose runs lie upon each other is read once as far
// as a volume may hold one.
func TestJournalOfSharedClusters(t *testing.T) {
	v := newSparse(4096, 1024, 64<<20, 64)
	area := v.size/v.cluster - 1000
	runs := make([]run, 100)
	for i := range runs {
		runs[i] = run{lcn: 950, n: area}
	}
	settings := named(resident(tData, 3, make([]byte, 32)), "$Max")
	v.withExtend("$UsnJrnl", v.extents(tData, "$J", 100*area*v.cluster, runs...), settings)
	rep, err := Run(t.Context(), v, v.size, Options{})
	must(t, err)
	same := 0
	for _, f := range rep.Findings {
		if f.Code == "C1" {
			same++
		}
	}
	if v.bytes > 2*v.size || left(rep) == 0 || !rep.Incomplete || same != 1 {
		t.Errorf("%d bytes were read, %d findings of the same clusters, %s", v.bytes, same, rep.Summary)
	}
}

// orphans has files whose folder's record is free.
func orphans(n int64) *sparse {
	v := newSparse(4096, 1024, 64<<20, n)
	v.make = func(no int64) []byte {
		switch {
		case no == 0:
			return v.own(900)
		case no < 24:
			return nil
		}
		return v.file(no, 1, 1, 1, 0, standardValue(), nameValue(20|1<<48, fmt.Sprint("f", no), false), resident(tData, 2, nil))
	}
	return v
}

// TestInterruptedAnywhere: after its context has ended a check reads nothing and gives no
// report.
func TestInterruptedAnywhere(t *testing.T) {
	count := orphans(2000)
	total := 0
	count.read = func() { total++ }
	_, err := Run(t.Context(), count, count.size, Options{Deep: true, MaxPerCode: 100})
	must(t, err)
	if total > 200+2*2000 { // names beyond those that are kept are not looked up
		t.Errorf("%d reads", total)
	}
	for at := 1; at <= total; at += 1 + total/50 {
		v := orphans(2000)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		v.read = func() {
			if n++; n == at {
				cancel()
			}
		}
		if rep, err := Run(ctx, v, v.size, Options{Deep: true, MaxPerCode: 100}); !errors.Is(err, context.Canceled) || rep != nil || n != at {
			t.Errorf("at read %d of %d: %v, %d reads", at, total, err, n)
		}
	}
}

// TestTextIsBounded: sentences have a bound beside their number; what is beyond is counted.
func TestTextIsBounded(t *testing.T) {
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	v := orphans(2000)
	whole, err := Run(t.Context(), v, v.size, Options{MaxPerCode: 5000})
	must(t, err)
	maxTextBytes = 20_000
	rep, err := Run(t.Context(), v, v.size, Options{MaxPerCode: 5000})
	must(t, err)
	text, omitted := 0, 0
	for _, f := range rep.Findings {
		text += len(f.Message)
		if strings.Contains(f.Message, "%!") {
			t.Errorf("%+v", f)
		}
	}
	for _, n := range rep.Omitted {
		omitted += n
	}
	if text > maxTextBytes+1000 || omitted == 0 || len(rep.Findings)+omitted != len(whole.Findings) || rep.Errors != whole.Errors {
		t.Errorf("%d bytes, %d findings and %d left out of %d", text, len(rep.Findings), omitted, len(whole.Findings))
	}
}
