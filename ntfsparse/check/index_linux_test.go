package check

import (
	"bytes"
	"slices"
	"testing"
)

// TestDamagedNode: what a broken node does not hold is walked all the same.
func TestDamagedNode(t *testing.T) {
	v := soundVolume(t)
	many := v.no("/many")
	one, other := v.leaf(many, nameI30, 5), int64(0)
	for other = one + 1; ; other++ {
		n := 0
		v.block(many, nameI30, other, func(b []byte) {
			if n = len(entriesOf(b[indexHead:])); b[indexHead+12] != 0 {
				n = 0
			}
		})
		if n > 5 {
			break
		}
	}
	names := 0
	v.block(many, nameI30, one, func(b []byte) {
		e := entriesOf(b[indexHead:])
		names = len(e) - 2 // behind the first, before the last
		u16(e[1], 8, 0)
	})
	v.block(many, nameI30, other, func(b []byte) { u64(entriesOf(b[indexHead:])[1], 0, v.free()|1<<48) })
	got := map[string]int{}
	for _, f := range judged(t, v.b, Options{}).Findings {
		got[f.Code]++
		if (f.Code == "I3" || f.Code == "I7") && f.Path != "/many" {
			t.Errorf("%+v", f)
		}
	}
	if got["I3"] != 1 || got["I7"] != 1 || got["I9"] != names+1 {
		t.Errorf("%d names lost, one dangling, but %v", names, got)
	}
}

// TestIndexesAreBounded: what an index claims beyond what is left to read is told
// once, and costs nothing.
func TestIndexesAreBounded(t *testing.T) {
	v := soundVolume(t)
	many := v.no("/many")
	for _, left := range []int64{0, 5 * 4096} {
		r := &counter{r: bytes.NewReader(v.b)}
		c := newChecker(t.Context(), r, int64(len(v.b)), Options{})
		if !c.boot() || !c.openTable() {
			t.Fatal("the volume cannot be opened")
		}
		c.up, c.indexBudget, r.n = plainUpcase(), budget(left), 0
		n := 0
		c.folder(many, v.c.table.at(many), func(uint64, []byte, []byte) { n++ })
		if f := c.rep.Findings; len(f) != 1 || f[0].Code != "I5" || f[0].Severity != Error || n > 100 || r.n > left+16<<10 {
			t.Errorf("%d entries, %d bytes read of %d: %+v", n, r.n, left, f)
		}
	}
}

// TestStaleBlocks counts bits of a bitmap that the tree does not have.
func TestStaleBlocks(t *testing.T) {
	x := &tree{seen: []uint64{1<<63 | 5}, bitmap: []byte{5, 2, 0, 0, 0, 0, 0, 0x80, 1, 0x80, 0}}
	if n := x.stale(); n != 3 {
		t.Errorf("%d", n)
	}
}

// TestSpoiledUpcase: when the table is damaged, names whose order it decides are not
// called out of order; others are.
func TestSpoiledUpcase(t *testing.T) {
	good := soundVolume(t)
	for _, m := range mutations {
		if m.code != "V7" && m.code != "V10" {
			continue
		}
		v := good.copyOf(t)
		m.do(v)
		for _, f := range judged(t, v.b, Options{}).Findings {
			if f.Severity >= Warning && f.Code != m.code && f.Code != "T8" { // one cuts the table by its size
				t.Errorf("%s: %+v", m.name, f)
			}
		}
		v.nodeEntries(func(e [][]byte) { x := bytes.Clone(e[1]); copy(e[1], e[2]); copy(e[2], x) })
		if got := codes(judged(t, v.b, Options{}), Error); !slices.Contains(got, "I4") {
			t.Errorf("%s and entries swapped: %v", m.name, got)
		}
	}
}

// TestDescriptorsAreBounded: what the security indexes claim is read up to a bound.
func TestDescriptorsAreBounded(t *testing.T) {
	v := soundVolume(t)
	c := newChecker(t.Context(), bytes.NewReader(v.b), int64(len(v.b)), Options{})
	if !c.boot() || !c.openTable() {
		t.Fatal("the volume cannot be opened")
	}
	sds := v.stream(fSecure, tData, nameSDS)
	r := &counter{r: bytes.NewReader(v.b)}
	c.r = r
	for range 10000 {
		c.descriptor(sds, descriptor{off: 0, n: uint32(min(maxSD, sds.size))})
	}
	if most := 4*int64(len(v.b)) + 1<<20; r.n > most {
		t.Errorf("%d bytes were read, at most %d are expected", r.n, most)
	}
	if n := c.count[kind{"S2", Error}]; n == 0 || n > 1000 || !c.rep.Incomplete || c.count[kind{"V11", Info}] != 1 {
		t.Errorf("%v", c.count)
	}
}
