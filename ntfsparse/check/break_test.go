package check

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vol is a sound volume in memory that a test breaks in one place.
type vol struct {
	t testing.TB
	b []byte
	c *checker // has read the volume while it was sound
}

// openVol reads a volume that must be sound.
func openVol(t testing.TB, img []byte) *vol {
	t.Helper()
	v := &vol{t: t, b: img}
	v.c = newChecker(context.Background(), bytes.NewReader(img), int64(len(img)), Options{Deep: true})
	if !v.c.boot() || !v.c.openTable() {
		t.Fatal("the volume cannot be opened")
	}
	v.c.stages()
	v.c.addPaths()
	sound(t, v.c.rep)
	return v
}

// copyOf gives a volume to break; the reader still reads the sound one.
func (v *vol) copyOf(t testing.TB) *vol { return &vol{t, bytes.Clone(v.b), v.c} }

// no is the record of a path.
func (v *vol) no(path string) uint64 {
	v.t.Helper()
	found := NoRecord
	dir, base := filepath.Split(path)
	v.c.table.each(func(no uint64, e *entry) {
		if e.flags&recExt != 0 || found != NoRecord {
			return
		}
		v.c.eachOfFile(no, func(a *attr) {
			f, ok := parseFileName(a.value)
			if a.typ == tName && ok && decode16(f.name) == base && strings.TrimSuffix(dir, "/") == strings.TrimSuffix(v.c.path(refRecord(f.parent)), "/") {
				found = no
			}
		})
	})
	if found == NoRecord {
		v.t.Fatalf("there is no %s", path)
	}
	return found
}

// place is where byte off of a stream lies in the image.
func (v *vol) place(s *stream, off int64) int64 {
	v.t.Helper()
	for _, r := range s.runs {
		if in := off - r.vcn*v.c.g.cluster; in >= 0 && in < r.n*v.c.g.cluster && r.lcn >= 0 {
			return r.lcn*v.c.g.cluster + in
		}
	}
	v.t.Fatalf("byte %d has no place", off)
	return 0
}

func (v *vol) stream(no uint64, typ uint32, name string) *stream {
	v.t.Helper()
	s, err := v.c.load(no, typ, name)
	must(v.t, err)
	return s
}

// edit changes file record no, with the update sequence undone and done again.
func (v *vol) edit(no uint64, change func(b []byte)) {
	v.t.Helper()
	at := v.place(&v.c.mft, int64(no)*v.c.g.record)
	b := v.b[at : at+v.c.g.record]
	if msg := fixup(b, headOld); msg != "" {
		v.t.Fatal(msg)
	}
	change(b)
	seal(b)
}

// raw changes file record no as it is on disk.
func (v *vol) raw(no uint64, change func(b []byte)) {
	at := v.place(&v.c.mft, int64(no)*v.c.g.record)
	change(v.b[at : at+v.c.g.record])
}

// seal does an update sequence; it follows the block's own fields when they are
// possible, which a mutation may have changed.
func seal(b []byte) {
	off, n := int(le.Uint16(b[4:])), len(b)/stride
	if off+2+2*n > stride-2 {
		return
	}
	for i := 1; i <= n; i++ {
		copy(b[off+2*i:], b[i*stride-2:i*stride])
		copy(b[i*stride-2:i*stride], b[off:off+2])
	}
}

// attr changes the raw bytes of an attribute.
func (v *vol) attr(no uint64, typ uint32, name string, change func(a []byte)) {
	v.t.Helper()
	v.edit(no, func(b []byte) {
		off, n := v.find(b, typ, name)
		change(b[off : off+n])
	})
}

func (v *vol) find(b []byte, typ uint32, name string) (off, n int) {
	v.t.Helper()
	for off = int(le.Uint16(b[20:])); le.Uint32(b[off:]) != tEnd; off += n {
		var a attr
		n, _ = a.parse(b[off:])
		if a.typ == typ && string(a.name) == name {
			return off, n
		}
	}
	v.t.Fatalf("there is no %s", attrName(typ, []byte(name)))
	return 0, 0
}

// replace puts other bytes in an attribute's place; nil removes it.
func (v *vol) replace(no uint64, typ uint32, name string, other func(a []byte) []byte) {
	v.t.Helper()
	v.edit(no, func(b []byte) {
		off, n := v.find(b, typ, name)
		used := int(le.Uint32(b[24:]))
		next := slices.Concat(b[:off], other(b[off:off+n]), b[off+n:used])
		if len(next) > len(b) {
			v.t.Fatal("the record is too small for this")
		}
		clear(b[copy(b, next):])
		le.PutUint32(b[24:], uint32(len(next)))
	})
}

// value changes a resident value.
func (v *vol) value(no uint64, typ uint32, name string, change func(x []byte)) {
	v.t.Helper()
	v.attr(no, typ, name, func(a []byte) { change(a[le.Uint16(a[20:]):]) })
}

// block changes index block i of a file.
func (v *vol) block(no uint64, name string, i int64, change func(b []byte)) {
	v.t.Helper()
	s := v.stream(no, tAlloc, name)
	root := v.stream(no, tRoot, name)
	size := int64(le.Uint32(root.value[8:]))
	at := v.place(s, i*size)
	b := v.b[at : at+size]
	if msg := fixup(b, 0x28); msg != "" {
		v.t.Fatal(msg)
	}
	change(b)
	seal(b)
}

// leaf returns an index block without children and with at least n entries.
func (v *vol) leaf(no uint64, name string, n int) int64 {
	v.t.Helper()
	s := v.stream(no, tAlloc, name)
	root := v.stream(no, tRoot, name)
	size := int64(le.Uint32(root.value[8:]))
	for i := int64(0); i < s.size/size; i++ {
		b := make([]byte, size)
		must(v.t, v.c.read(s, b, i*size))
		if string(b[:4]) == "INDX" && fixup(b, 0x28) == "" && b[indexHead+12] == 0 && len(entriesOf(b[indexHead:])) >= n {
			return i
		}
	}
	v.t.Fatal("there is no such index block")
	return 0
}

// entriesOf returns the entries of a node, the last one included.
func entriesOf(node []byte) (out [][]byte) {
	for p := node[le.Uint32(node):le.Uint32(node[4:])]; len(p) >= entryHead; {
		n := le.Uint16(p[8:])
		out = append(out, p[:n])
		if le.Uint16(p[12:])&entryLast != 0 {
			break
		}
		p = p[n:]
	}
	return out
}

// entry changes entry k of a leaf of the folder "many", the one for the tests.
func (v *vol) entry(k int, change func(e []byte)) {
	v.t.Helper()
	no := v.no("/many")
	v.block(no, nameI30, v.leaf(no, nameI30, 5), func(b []byte) { change(entriesOf(b[indexHead:])[k]) })
}

// file puts the bytes of a file's run list into words: the first LCN.
func (v *vol) lcn(path string) int64 {
	return v.stream(v.no(path), tData, "").runs[0].lcn
}

// bitmap changes a bit of a bitmap stream.
func (v *vol) bit(s *stream, i int64, set bool) {
	v.t.Helper()
	at := v.place(s, i/8)
	if set {
		v.b[at] |= 1 << (i & 7)
	} else {
		v.b[at] &^= 1 << (i & 7)
	}
}

// boot changes the boot sector; both also its backup.
func (v *vol) boot(change func(b []byte)) { change(v.b[:512]) }
func (v *vol) both(change func(b []byte)) { change(v.b[:512]); change(v.b[len(v.b)-512:]) }

func u16(b []byte, off int, v uint16) { le.PutUint16(b[off:], v) }
func u32(b []byte, off int, v uint32) { le.PutUint32(b[off:], v) }
func u64(b []byte, off int, v uint64) { le.PutUint64(b[off:], v) }

// resident is an attribute without a name.
func resident(typ uint32, id uint16, value []byte) []byte {
	b := make([]byte, (24+len(value)+7)&^7)
	u32(b, 0, typ)
	u32(b, 4, uint32(len(b)))
	u16(b, 14, id)
	u32(b, 16, uint32(len(value)))
	u16(b, 20, 24)
	copy(b[24:], value)
	return b
}

// left counts what a report says was not looked at.
func left(rep *Report) (n int) {
	for _, f := range rep.Findings {
		if f.Code == "V11" {
			n++
		}
	}
	return n
}
