package check

import (
	"slices"
	"strings"
	"testing"
)

// TestDetails: one wrong byte in what most readers pass over is told, and nothing else,
// as what it is.
func TestDetails(t *testing.T) {
	good := soundVolume(t)
	resize := func(path string, typ uint32, name string, by int) func(v *vol) { // of a resident value
		return func(v *vol) {
			v.attr(v.no(path), typ, name, func(a []byte) { u32(a, 16, uint32(int(le.Uint32(a[16:]))+by)) })
		}
	}
	for _, c := range []struct {
		name, path string
		sev        Severity
		want       string // code and part of the sentence
		do         func(v *vol)
	}{
		{"entry's attributes", "/plain", Warning, "I10 has the file attributes 0x22 instead of 0x20", func(v *vol) {
			v.entryOf("plain", func(e []byte) { e[entryHead+56] |= 2 })
		}},
		{"folder's attributes", "/sub", Warning, "I10 has the file attributes 0x2", func(v *vol) {
			v.entryOf("sub", func(e []byte) { e[entryHead+56] |= 2 })
		}},
		{"entry's clusters", "/plain", Info, "I10 says that the file takes 4096 bytes", func(v *vol) {
			v.entryOf("plain", func(e []byte) { u64(e, entryHead+40, 4096) })
		}},
		{"entry's folder", "/many", Warning, "I8 gives the folder the sequence number 2 instead of 1", func(v *vol) {
			v.entry(1, func(e []byte) { e[entryHead+6]++ })
		}},
		{"entry's flags", "/many", Warning, "I3 unknown flags 0x80", func(v *vol) { v.entry(1, func(e []byte) { e[12] |= 0x80 }) }},
		{"unit", "/plain", Warning, "T9 not compressed, but has compression units of 2^132", func(v *vol) {
			v.attr(v.no("/plain"), tData, "", func(a []byte) { a[34] = 0x84 })
		}},
		{"name's length", "/other", Warning, "T3 has 77 bytes instead of 76", resize("/other", tName, "", 1)},
		{"hidden contents", "/resident", Error, "T1 16 bytes longer than what it holds", resize("/resident", tData, "", -11)},
		{"key of $R", "/$Extend/$Reparse", Error, "X3 malformed", func(v *vol) {
			v.value(v.no("/$Extend/$Reparse"), tRoot, nameR, func(x []byte) { x[32+10]++ })
		}},
		{"extended attribute's flags", "/ea", Warning, "T14 unknown flags 0x1", func(v *vol) {
			v.value(v.no("/ea"), tEA, "", func(x []byte) { x[4] |= 1 })
		}},
		{"link's letters", "/symlink", Error, "T15 within a letter", func(v *vol) {
			v.value(v.no("/symlink"), tReparse, "", func(x []byte) { x[10]-- })
		}},
		{"stream's name in its run list", "/comp/named", Error, "T2 in its header or run list", func(v *vol) {
			v.attr(v.no("/comp/named"), tData, enc("stream"), func(a []byte) { a[10] += 8 })
		}},
		{"stream's name in its header", "/comp/named", Error, "T2 in its header or run list", func(v *vol) {
			v.attr(v.no("/comp/named"), tData, enc("stream"), func(a []byte) { a[10] = 56 })
		}},
		{"stream's name moved", "/streams", Warning, "T2 has its name at byte 26 instead of 24", func(v *vol) {
			v.attr(v.no("/streams"), tData, enc("aaa"), func(a []byte) { a[9], a[10] = a[9]-1, 26 })
		}},
		{"stream's name", "/streams", Warning, "T2 letter that no name may have", func(v *vol) { v.rename("/streams", "bbb", "b/b") }},
		{"extended attributes lost", "/ea", Error, "T14 break off at byte 0", func(v *vol) {
			v.value(v.no("/ea"), tEA, "", func(x []byte) { clear(x[:len(x)-len(x)%8]) })
		}},
		{"definitions cut", "/$AttrDef", Warning, "V6 end after 11, with", func(v *vol) {
			at := v.place(v.stream(fAttrDef, tData, ""), 11*definitionSize+128)
			clear(v.b[at : at+4])
		}},
		{"half a letter", "/$Volume", Warning, "T3 no whole letters", func(v *vol) {
			v.replace(fVolume, tVolName, "", func([]byte) []byte { return resident(tVolName, 4, []byte{'a', 0, 'b', 0, 'c'}) })
		}},
		{"folder with contents", "/sub", Warning, "R8 contents like a file", func(v *vol) {
			v.insert(v.no("/sub"), resident(tData, 77, []byte("contents")))
		}},
		{"sparse instead of compressed", "/comp/text", Error, "T10 sparse but the file's flags", func(v *vol) {
			v.attr(v.no("/comp/text"), tData, "", func(a []byte) { u16(a, 12, aSparse) })
		}},
	} {
		v := good.copyOf(t)
		c.do(v)
		rep := judged(t, v.b, Options{})
		code, text, _ := strings.Cut(c.want, " ")
		i := slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.Code == code && strings.Contains(f.Message, text) })
		if i < 0 || rep.Findings[i].Severity != c.sev || rep.Findings[i].Path != c.path || rep.Worst != c.sev {
			t.Errorf("%s: worst %v\n%s", c.name, rep.Worst, messages(rep))
		}
	}
}

// TestBehindList: bytes behind an attribute list's last entry, too few for another.
func TestBehindList(t *testing.T) {
	v := soundVolume(t)
	v.attr(v.no("/links/hl0"), tList, "", func(a []byte) {
		if a[8] == 0 {
			t.Fatal("the list is resident")
		}
		u64(a, 48, le.Uint64(a[48:])+1)
		u64(a, 56, le.Uint64(a[56:])+1)
	})
	if rep := judged(t, v.b, Options{}); !slices.Contains(codes(rep, Warning), "T13") {
		t.Errorf("%s", messages(rep))
	}
}

// TestOrderOfExtents: other readers look for a cluster of a stream by the order of its
// attribute list.
func TestOrderOfExtents(t *testing.T) {
	v := soundVolume(t)
	v.list("/pieces", func(l []byte) {
		for ; le.Uint32(l) != tData; l = l[le.Uint16(l[4:]):] {
		}
		n := int(le.Uint16(l[4:]))
		if le.Uint32(l[n:]) != tData || int(le.Uint16(l[n+4:])) != n {
			t.Fatal("the file has no two extents")
		}
		copy(l, slices.Concat(l[n:2*n], l[:n]))
	})
	rep := judged(t, v.b, Options{})
	if got := codes(rep, Error); !slices.Equal(got, []string{"T13"}) || rep.Findings[0].Path != "/pieces" {
		t.Errorf("%s", messages(rep))
	}
}

// TestEmptyKeys: keys of an encrypted file that are zeros are none.
func TestEmptyKeys(t *testing.T) {
	for _, lost := range []bool{false, true} {
		v := soundVolume(t)
		no := v.no("/streams")
		v.attr(no, tData, "", func(a []byte) { u16(a, 12, aEncrypted) })
		v.flag("/streams", 0x4000)
		keys := efsKeys(900)
		if lost {
			clear(keys[32:])
		}
		v.insert(no, keys)
		if rep := judged(t, v.b, Options{}); slices.Contains(codes(rep, Error), "T16") != lost {
			t.Errorf("lost %v: %s", lost, messages(rep))
		}
	}
}

// efsKeys is a $LOGGED_UTILITY_STREAM:$EFS with something in it.
func efsKeys(id uint16) []byte {
	b := append(namedStream("$EFS", id), 1, 2, 3, 4, 5, 6, 7, 8)
	u32(b, 0, tUtility)
	u32(b, 4, uint32(len(b)))
	u32(b, 16, 8)
	return b
}

// TestPathOfRing: the path of a folder that is in itself names it once.
func TestPathOfRing(t *testing.T) {
	v := soundVolume(t)
	v.value(v.no("/comp"), tName, "", func(x []byte) {
		no := v.no("/comp")
		u64(x, 0, no|uint64(v.c.table.at(no).seq)<<48)
	})
	for _, f := range judged(t, v.b, Options{}).Findings {
		if strings.Count(f.Path, "comp") > 1 {
			t.Errorf("%+v", f)
		}
	}
}
