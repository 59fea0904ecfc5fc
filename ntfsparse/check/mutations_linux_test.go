package check

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vitrine/internal/testvol"
)

// mutation breaks one thing in a sound volume; code is what the check must say,
// with the code's usual severity unless the table unusual has another, path of
// which file ("": not looked at).
type mutation struct {
	code, name, path string
	do               func(v *vol)
}

var (
	soundOnce  sync.Once
	soundImage []byte
)

// soundVolume is a volume with one of everything that the mutations break.
func soundVolume(t testing.TB) *vol {
	soundOnce.Do(func() {
		img := testvol.Make(t, testvol.Options{Size: 33 << 20})
		testvol.With(t, img, func(dir string) { furnish(t, dir) })
		b, err := os.ReadFile(img)
		must(t, err)
		soundImage = windowsParts(t, b).b
	})
	if soundImage == nil {
		t.Fatal("the volume could not be made, see the first test")
	}
	return openVol(t, bytes.Clone(soundImage))
}

func furnish(t testing.TB, dir string) {
	write := func(name string, data []byte) { must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644)) }
	for _, d := range []string{"many", "comp", "sub", "sub/inner", "links"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	for i := range 400 {
		write("many/"+strings.Repeat("a name that fills ", 3)+string(rune('a'+i/100))+string(rune('a'+i/10%10))+string(rune('a'+i%10)), nil)
	}
	testvol.Compressed(t, filepath.Join(dir, "comp"))
	write("comp/text", bytes.Repeat([]byte("compressible text, line by line\n"), 9000))
	for _, n := range []string{"документ 1", "ДОКУМЕНТ 2", "документ 3"} {
		write("sub/"+n, nil)
	}
	write("plain", bytes.Repeat([]byte("plain "), 5000))
	write("other", bytes.Repeat([]byte("other "), 5000))
	write("resident", []byte("a few bytes"))
	write("streams", []byte("main"))
	write("streams:aaa", []byte("first"))
	write("streams:bbb", []byte("second"))
	write("hiberfil.sys", make([]byte, 20000))
	write("LongFileName.document", []byte("dos"))
	testvol.DOSName(t, filepath.Join(dir, "LongFileName.document"), "LONGFI~1.DOC")
	write("comp/named", nil)
	write("comp/named:stream", bytes.Repeat([]byte("more compressible text, line by line\n"), 3000))
	testvol.Striped(t, filepath.Join(dir, "striped"), 40)
	testvol.Striped(t, filepath.Join(dir, "pieces"), 400) // in several records
	write("links/hl0", []byte("linked"))
	for i := range 60 {
		must(t, os.Link(filepath.Join(dir, "links/hl0"), filepath.Join(dir, "links", strings.Repeat("l", 98)+string(rune('a'+i/26))+string(rune('a'+i%26)))))
	}
	for _, n := range []string{"ea", "objid", "symlink"} {
		write(n, nil)
	}
	testvol.EAs(t, filepath.Join(dir, "ea"), []string{"USER.A", "USER.B"}, map[string][]byte{"USER.A": []byte("one"), "USER.B": []byte("two")})
	testvol.ObjectID(t, filepath.Join(dir, "objid"), "00112233445566778899aabbccddeeff")
	testvol.Reparse(t, filepath.Join(dir, "symlink"), 0xA000000C, testvol.LinkData("plain", "plain", true, 1))
	testvol.WriteWOF(t, filepath.Join(dir, "wof"), bytes.Repeat([]byte("The quick brown fox. "), 3000), testvol.XPRESS4K)
	deduplicated(t, dir)
	writeWindowsParts(t, dir)
	for _, n := range []string{"x", "y", "z"} {
		write("gone "+n, nil)
	}
	for _, n := range []string{"x", "y", "z"} {
		must(t, os.Remove(filepath.Join(dir, "gone "+n)))
	}
}

// deduplicated makes the files "dedup" and "dedup 2", whose chunks are in one
// container each, and "dedup 3" of both.
func deduplicated(t testing.TB, dir string) {
	d := &testvol.Dedup{GUID: [16]byte{1, 2, 3}}
	one, two, maps := d.Container(false, 1, 1), d.Container(false, 2, 1), d.Container(true, 1, 1)
	text := bytes.Repeat([]byte("the same again and again; "), 3000)
	a, b := one.AddData(text[:60000], true), two.AddData(text[5:5000], false)
	for i, m := range []testvol.DedupMap{maps.AddMap(0, a), maps.AddMap(0, b), maps.AddMap(0, a, b)} {
		testvol.WriteDedup(t, filepath.Join(dir, []string{"dedup", "dedup 2", "dedup 3"}[i]), m.End, d.Point31(nil, m))
	}
	d.Write(t, dir)
}

// container is the chunk store's file of that name.
func (v *vol) container(name string) uint64 {
	return v.no("/System Volume Information/Dedup/ChunkStore/{00030201-0000-0000-0000-000000000000}.ddp/" + name)
}

// chunk changes the bytes of a container from off on.
func (v *vol) chunk(name string, off int64, b ...byte) {
	copy(v.b[v.place(v.stream(v.container(name), tData, ""), off):], b)
}

// runs rewrites an attribute's run list in place; it must not grow.
func runs(a []byte, list ...byte) { copy(a[le.Uint16(a[32:]):], append(list, 0)) }

var mutations = []mutation{
	{"B1", "boot signature swapped", "", func(v *vol) { v.boot(func(b []byte) { b[510], b[511] = 0xaa, 0x55 }) }},
	{"B2", "file system name spoiled", "", func(v *vol) { v.boot(func(b []byte) { b[6] = 'X' }) }},
	{"B2", "reserved sectors", "", func(v *vol) { v.boot(func(b []byte) { b[14] = 1 }) }},
	{"B2", "sectors in 32 bits", "", func(v *vol) { v.boot(func(b []byte) { u32(b, 32, 7) }) }},
	{"B3", "sector of 500 bytes", "", func(v *vol) { v.boot(func(b []byte) { u16(b, 11, 500) }) }},
	{"B3", "cluster of 127 sectors", "", func(v *vol) { v.boot(func(b []byte) { b[13] = 127 }) }},
	{"B3", "cluster size halved", "", func(v *vol) { v.boot(func(b []byte) { b[13] /= 2 }) }},
	{"B3", "record size impossible", "", func(v *vol) { v.boot(func(b []byte) { b[64] = 0x30 }) }},
	{"B3", "record size doubled", "", func(v *vol) { v.boot(func(b []byte) { b[64]-- }) }},
	{"B3", "index block size doubled in both boot sectors", "", func(v *vol) { v.both(func(b []byte) { b[68] = 2 }) }},
	{"B4", "more sectors than the device", "", func(v *vol) { v.boot(func(b []byte) { u64(b, 40, le.Uint64(b[40:])*2) }) }},
	{"B4", "fewer sectors in both boot sectors", "", func(v *vol) { v.both(func(b []byte) { u64(b, 40, le.Uint64(b[40:])-640) }) }},
	{"B5", "file table outside the volume", "", func(v *vol) { v.boot(func(b []byte) { u64(b, 48, 1<<40) }) }},
	{"B5", "file table elsewhere", "", func(v *vol) { v.boot(func(b []byte) { u64(b, 48, le.Uint64(b[48:])+9) }) }},
	{"B5", "mirror at the file table", "", func(v *vol) { v.boot(func(b []byte) { copy(b[56:64], b[48:56]) }) }},
	{"C6", "mirror elsewhere in both boot sectors", "/$MFTMirr", func(v *vol) { v.both(func(b []byte) { u64(b, 56, le.Uint64(b[56:])+3) }) }},
	{"B6", "backup boot sector zero", "", func(v *vol) { clear(v.b[len(v.b)-512:]) }},
	{"B6", "backup has another serial number", "", func(v *vol) { v.b[len(v.b)-512+73] ^= 1 }},
	{"B7", "serial number zero", "", func(v *vol) { v.both(func(b []byte) { u64(b, 72, 0) }) }},
	{"B8", "BitLocker", "", func(v *vol) { v.boot(func(b []byte) { copy(b[3:], "-FVE-FS-") }) }},

	{"V1", "dirty flag", "/$Volume", func(v *vol) { v.value(fVolume, tVolInfo, "", func(x []byte) { x[10] |= 1 }) }},
	{"V2", "unknown volume flag", "/$Volume", func(v *vol) { v.value(fVolume, tVolInfo, "", func(x []byte) { x[11] |= 2 }) }},
	{"V3", "version 9.9", "/$Volume", func(v *vol) { v.value(fVolume, tVolInfo, "", func(x []byte) { x[8], x[9] = 9, 9 }) }},
	{"V4", "log of noise", "/$LogFile", func(v *vol) {
		at := v.place(v.stream(fLog, tData, ""), 0)
		copy(v.b[at:at+8192], bytes.Repeat([]byte("noise!"), 2000))
	}},
	{"V4", "log with unfinished work", "/$LogFile", func(v *vol) {
		at := v.place(v.stream(fLog, tData, ""), 0)
		copy(v.b[at:], restartPage(1, 0, 0))
	}},
	{"V8", "log of version 2", "/$LogFile", func(v *vol) {
		at := v.place(v.stream(fLog, tData, ""), 0)
		copy(v.b[at:], restartPage(2, logNone, logClean))
	}},
	{"V5", "hibernated", "/hiberfil.sys", func(v *vol) {
		copy(v.b[v.place(v.stream(v.no("/hiberfil.sys"), tData, ""), 0):], "hibr")
	}},
	{"V6", "attribute definitions out of order", "/$AttrDef", func(v *vol) {
		u32(v.b, int(v.place(v.stream(fAttrDef, tData, ""), 128)), 0x90)
	}},
	{"V7", "upper-case table spoiled", "/$UpCase", func(v *vol) {
		u16(v.b, int(v.place(v.stream(fUpCase, tData, ""), 2*'k')), 'k')
	}},
	{"V7", "upper-case table cut", "/$UpCase", func(v *vol) { v.attr(fUpCase, tData, "", func(a []byte) { u64(a, 48, 100000) }) }},
	{"V6", "attribute definition with another name", "/$AttrDef", func(v *vol) {
		v.b[v.place(v.stream(fAttrDef, tData, ""), definitionSize+4)]++
	}},
	{"V6", "attribute definition with impossible sizes", "/$AttrDef", func(v *vol) {
		u64(v.b, int(v.place(v.stream(fAttrDef, tData, ""), 2*definitionSize+152)), 1)
	}},
	{"V10", "upper-case checksum wrong", "/$UpCase", func(v *vol) { v.value(fUpCase, tData, nameInfo, func(x []byte) { x[8]++ }) }},
	{"V10", "rare letter of the upper-case table changed", "/$UpCase", func(v *vol) {
		u16(v.b, int(v.place(v.stream(fUpCase, tData, ""), 2*0x10FD)), 0x10FE)
	}},
	{"V10", "letter of the upper-case table changed", "/$UpCase", func(v *vol) {
		u16(v.b, int(v.place(v.stream(fUpCase, tData, ""), 2*'о')), 'о')
	}},
	{"V9", "a bad cluster", "/$BadClus", func(v *vol) { v.badCluster(v.c.g.clusters - 2) }},

	{"M1", "mirror of record 1 zero", "/$MFTMirr", func(v *vol) {
		at := v.c.g.mirror*v.c.g.cluster + v.c.g.record
		clear(v.b[at : at+v.c.g.record])
	}},
	{"M1", "mirror of record 0 stale", "/$MFT", func(v *vol) {
		at := v.c.g.mirror * v.c.g.cluster
		b := v.b[at : at+v.c.g.record]
		fixup(b, headOld)
		off, _ := v.find(b, tData, "")
		u64(b, off+48, le.Uint64(b[off+48:])-1024)
		seal(b)
	}},
	{"M2", "record 0 without signature", "/$MFT", func(v *vol) { v.raw(0, func(b []byte) { copy(b, "FILL") }) }},
	{"M3", "record 0 and its mirror without signature", "", func(v *vol) {
		v.raw(0, func(b []byte) { copy(b, "FILL") })
		copy(v.b[v.c.g.mirror*v.c.g.cluster:], "FILL")
	}},
	{"M4", "file table of an odd size", "/$MFT", func(v *vol) {
		v.attr(0, tData, "", func(a []byte) { u64(a, 48, le.Uint64(a[48:])-100) })
	}},
	{"M4", "file table without valid records", "/$MFT", func(v *vol) { v.attr(0, tData, "", func(a []byte) { u64(a, 56, 0) }) }},
	{"M4", "file table valid to the middle of a record", "/$MFT", func(v *vol) {
		v.attr(0, tData, "", func(a []byte) { u64(a, 56, le.Uint64(a[56:])-100) })
	}},
	{"M5", "record bitmap too short", "/$MFT", func(v *vol) {
		v.attr(0, tBitmap, "", func(a []byte) { u64(a, 48, 8); u64(a, 56, 8) })
	}},
	{"M6", "record in use, bit clear", "/plain", func(v *vol) { v.bit(v.stream(0, tBitmap, ""), int64(v.no("/plain")), false) }},
	{"M6", "record free, bit set", "", func(v *vol) { v.bit(v.stream(0, tBitmap, ""), int64(v.free()), true) }},
	{"M6", "bit behind the file table", "/$MFT", func(v *vol) {
		s := v.stream(0, tBitmap, "")
		v.bit(s, 8*s.size-1, true)
	}},
	{"M7", "system file freed", "", func(v *vol) { v.edit(fAttrDef, func(b []byte) { b[22] = 0 }) }},
	{"M7", "system file renamed", "", func(v *vol) { v.value(fUpCase, tName, "", func(x []byte) { x[nameHead+2] = 'X' }) }},
	{"M7", "system file with another sequence number", "", func(v *vol) { v.edit(fBadClus, func(b []byte) { u16(b, 16, 77) }) }},

	{"R1", "record without signature", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { copy(b, "LIFE") }) }},
	{"R1", "record zero", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { clear(b) }) }},
	{"R1", "record marked BAAD", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { copy(b, "BAAD") }) }},
	{"R2", "record torn", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { b[510]++ }) }},
	{"R2", "record torn in its second sector", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { b[1022]++ }) }},
	{"R2", "update sequence of two entries", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { u16(b, 6, 2) }) }},
	{"R2", "update sequence at an odd place", "/plain", func(v *vol) { v.raw(v.no("/plain"), func(b []byte) { u16(b, 4, 47) }) }},
	{"R3", "more used than allocated", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u32(b, 24, 2000) }) }},
	{"R3", "record claims another size", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u32(b, 28, 1023) }) }},
	{"R3", "end marker gone", "/plain", func(v *vol) {
		v.edit(v.no("/plain"), func(b []byte) { u32(b, 24, le.Uint32(b[24:])-8) })
	}},
	{"R3", "bytes behind the end marker", "/plain", func(v *vol) {
		v.edit(v.no("/plain"), func(b []byte) { u32(b, 24, le.Uint32(b[24:])+16) })
	}},
	{"R4", "first attribute too early", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 20, 48) }) }},
	{"R4", "first attribute behind the end", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 20, 1016) }) }},
	{"R5", "another record's number", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u32(b, 44, 5) }) }},
	{"R6", "sequence number 0", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 16, 0) }) }},
	{"R7", "a link too many", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 18, 2) }) }},
	{"R7", "no links", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 18, 0) }) }},
	{"R7", "a link too few in a file of many records", "/links/hl0", func(v *vol) {
		v.edit(v.no("/links/hl0"), func(b []byte) { u16(b, 18, le.Uint16(b[18:])-1) })
	}},
	{"R8", "file marked as a folder", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { b[22] |= flagDir }) }},
	{"R8", "folder not marked", "/sub", func(v *vol) { v.edit(v.no("/sub"), func(b []byte) { b[22] &^= flagDir }) }},
	{"R8", "file marked as a view", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { b[22] |= flagView }) }},
	{"R8", "$Secure not marked as a view", "/$Secure", func(v *vol) { v.edit(fSecure, func(b []byte) { b[22] &^= flagView }) }},
	{"R9", "next identifier too small", "/plain", func(v *vol) { v.edit(v.no("/plain"), func(b []byte) { u16(b, 40, 0) }) }},
	{"R10", "file claims to be an extension", "/plain", func(v *vol) {
		v.edit(v.no("/plain"), func(b []byte) { u64(b, 32, v.no("/other")|1<<48) })
	}},
	{"R10", "extension of a free record", "", func(v *vol) {
		v.edit(v.extension("/links/hl0"), func(b []byte) { u64(b, 32, v.free()|1<<48) })
	}},
	{"T13", "extension of another file", "/links/hl0", func(v *vol) {
		v.edit(v.extension("/links/hl0"), func(b []byte) { u64(b, 32, v.no("/other")|1<<48) })
	}},
	{"T13", "extension of a former file", "/links/hl0", func(v *vol) {
		v.edit(v.extension("/links/hl0"), func(b []byte) { b[38] += 3 })
	}},
	{"T13", "extension with a list of its own", "/links/hl0", func(v *vol) {
		v.insert(v.extension("/links/hl0"), resident(tList, 900, listed(tData, 0, v.no("/plain")|1<<48, 0)))
	}},
	{"T13", "extension freed", "/links/hl0", func(v *vol) { v.edit(v.extension("/links/hl0"), func(b []byte) { b[22] = 0 }) }},
	{"T13", "attribute list gone", "/links/hl0", func(v *vol) { v.replace(v.no("/links/hl0"), tList, "", drop) }},
	{"R11", "attributes swapped", "/plain", func(v *vol) {
		var std []byte
		no := v.no("/plain")
		v.replace(no, tStandard, "", func(a []byte) []byte { std = bytes.Clone(a); return nil })
		v.replace(no, tName, "", func(a []byte) []byte { return slices.Concat(a, std) })
	}},
	{"R11", "stream names out of order", "/streams", func(v *vol) { v.rename("/streams", "aaa", "zzz") }},
	{"R12", "standard information gone", "/plain", func(v *vol) { v.replace(v.no("/plain"), tStandard, "", drop) }},
	{"R12", "file name gone", "", func(v *vol) { v.replace(v.no("/plain"), tName, "", drop) }},
	{"R12", "data gone", "/resident", func(v *vol) { v.replace(v.no("/resident"), tData, "", drop) }},
	{"R12", "data with a name", "/resident", func(v *vol) {
		v.attr(v.no("/resident"), tData, "", func(a []byte) { a[9], a[10] = 1, 16 })
	}},
	{"R12", "data of another type", "/resident", func(v *vol) { v.attr(v.no("/resident"), tData, "", func(a []byte) { u32(a, 0, tRoot) }) }},
	{"R12", "index root gone", "/sub/inner", func(v *vol) { v.replace(v.no("/sub/inner"), tRoot, nameI30, drop) }},
	{"R12", "record bitmap gone", "/$MFT", func(v *vol) { v.replace(0, tBitmap, "", drop) }},

	{"T1", "attribute of length 0", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u32(a, 4, 0) }) }},
	{"T1", "attribute longer than its record", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u32(a, 4, 0x1000) }) }},
	{"T1", "attribute of odd length", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { u32(a, 4, le.Uint32(a[4:])-1) })
	}},
	{"T1", "attribute that hides the next", "/streams", func(v *vol) {
		v.edit(v.no("/streams"), func(b []byte) {
			off, n := v.find(b, tData, enc("aaa"))
			_, next := v.find(b, tData, enc("bbb"))
			u32(b, off+4, uint32(n+next))
		})
	}},
	{"T1", "run list that hides the next attribute", "/$BadClus", func(v *vol) {
		v.edit(fBadClus, func(b []byte) {
			off, n := v.find(b, tName, "")
			le.PutUint32(b[off+4:], uint32(n)+le.Uint32(b[off+n+4:]))
		})
	}},
	{"T1", "attribute longer than its value", "/resident", func(v *vol) {
		v.replace(v.no("/resident"), tData, "", func(a []byte) []byte {
			u32(a, 4, uint32(len(a)+8))
			return append(bytes.Clone(a), make([]byte, 8)...)
		})
	}},
	{"T2", "named file name", "/plain", func(v *vol) { v.attr(v.no("/plain"), tName, "", func(a []byte) { a[9], a[10] = 1, 24 }) }},
	{"T2", "stream name outside", "/streams", func(v *vol) { v.attr(v.no("/streams"), tData, enc("aaa"), func(a []byte) { u16(a, 10, 0x7000) }) }},
	{"T2", "stream name too long", "/streams", func(v *vol) { v.attr(v.no("/streams"), tData, enc("aaa"), func(a []byte) { a[9] = 200 }) }},
	{"T3", "value outside", "/resident", func(v *vol) { v.attr(v.no("/resident"), tData, "", func(a []byte) { u16(a, 20, 0x4000) }) }},
	{"T3", "value too long", "/resident", func(v *vol) { v.attr(v.no("/resident"), tData, "", func(a []byte) { u32(a, 16, 5000) }) }},
	{"T3", "value at an odd place", "/resident", func(v *vol) { v.attr(v.no("/resident"), tData, "", func(a []byte) { a[20]++ }) }},
	{"T3", "value over the name", "/streams", func(v *vol) {
		v.replace(v.no("/streams"), tData, enc("aaa"), func(a []byte) []byte {
			a[20] -= 8
			u32(a, 4, uint32(len(a)-8))
			return a[:len(a)-8]
		})
	}},
	{"T3", "data with an index flag", "/resident", func(v *vol) { v.attr(v.no("/resident"), tData, "", func(a []byte) { a[22] = 1 }) }},
	{"T3", "name without an index flag", "/resident", func(v *vol) { v.attr(v.no("/resident"), tName, "", func(a []byte) { a[22] = 0 }) }},
	{"T3", "name longer than its attribute", "/resident", func(v *vol) { v.value(v.no("/resident"), tName, "", func(x []byte) { x[0x40] = 200 }) }},
	{"T3", "standard information too short", "/resident", func(v *vol) { v.attr(v.no("/resident"), tStandard, "", func(a []byte) { u32(a, 16, 40) }) }},
	{"T4", "attribute of an unknown form", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { a[8] = 2 }) }},
	{"T4", "unknown type", "/streams", func(v *vol) { v.attr(v.no("/streams"), tData, enc("bbb"), func(a []byte) { u32(a, 0, 0x88) }) }},
	{"T4", "object identifier longer than its definition allows", "/objid", func(v *vol) {
		u64(v.b, int(v.place(v.stream(fAttrDef, tData, ""), 3*definitionSize+152)), 8)
	}},
	{"T4", "extended attributes longer than their definition allows", "/ea", func(v *vol) {
		u64(v.b, int(v.place(v.stream(fAttrDef, tData, ""), 13*definitionSize+152)), 4)
	}},
	{"T5", "impossible run header", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { runs(a, 0x9f) }) }},
	{"T5", "run of length 0", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { runs(a, 0x11, 0, 5) }) }},
	{"T5", "run before the volume", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { runs(a, 0x11, 8, 0x80) }) }},
	{"T5", "run list outside its attribute", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u16(a, 32, 0x3000) }) }},
	{"T5", "run list shorter than its range", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 24, le.Uint64(a[24:])+1) })
	}},
	{"T6", "run past the volume's end", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { runs(a, 0x31, 8, 0xff, 0xff, 0x7f) })
	}},
	{"T7", "allocated size without clusters", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 40, le.Uint64(a[40:])+4096) })
	}},
	{"T8", "size above the allocated", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 48, 1<<30) }) }},
	{"T8", "more valid than there is", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 56, 32000) }) }},
	{"T8", "negative size", "/plain", func(v *vol) { v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 48, 1<<63) }) }},
	{"T8", "allocated size of half a cluster", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { u64(a, 40, le.Uint64(a[40:])+2048) })
	}},
	{"T9", "compressed size wrong", "/comp/text", func(v *vol) {
		v.attr(v.no("/comp/text"), tData, "", func(a []byte) { u64(a, 64, le.Uint64(a[64:])+4096) })
	}},
	{"T9", "compression unit wrong", "/comp/text", func(v *vol) { v.attr(v.no("/comp/text"), tData, "", func(a []byte) { a[34] = 7 }) }},
	{"T9", "unknown way of compression", "/comp/text", func(v *vol) {
		v.attr(v.no("/comp/text"), tData, "", func(a []byte) { a[12] = 2 })
	}},
	{"T9", "compressed data, no longer marked as such", "/comp/text", func(v *vol) {
		v.attr(v.no("/comp/text"), tData, "", func(a []byte) { a[12] = 0 })
	}},
	{"T9", "real size wrong in a file of many records", "/pieces", func(v *vol) {
		v.firstExtent("/pieces", func(a []byte) { u64(a, 64, le.Uint64(a[64:])+4096) })
	}},
	{"T10", "reparse point, flag clear", "/symlink", func(v *vol) { v.flag("/symlink", attrReparse) }},
	{"T10", "reparse point of CompactOS, flag clear", "/wof", func(v *vol) { v.flag("/wof", attrReparse) }},
	{"T10", "no reparse point, flag set", "/plain", func(v *vol) { v.flag("/plain", attrReparse) }},
	{"T10", "no reparse point, flag set, no contents", "/sub", func(v *vol) { v.flag("/sub", attrReparse) }},
	{"T10", "compressed data, flag clear", "/comp/text", func(v *vol) {
		v.value(v.no("/comp/text"), tStandard, "", func(x []byte) { u32(x, 32, le.Uint32(x[32:])&^0x800) })
	}},
	{"T11", "two streams of one name", "/streams", func(v *vol) {
		v.attr(v.no("/streams"), tData, enc("bbb"), func(a []byte) { copy(a[le.Uint16(a[10:]):], encode16("aaa")) })
	}},
	{"T11", "two streams of one name, apart", "/streams", func(v *vol) {
		v.insert(v.no("/streams"), slices.Concat(namedStream("bbb", 901), namedStream("ccc", 902)))
	}},
	{"T11", "two streams of one name in two records", "/links/hl0", func(v *vol) {
		rec := v.extension("/links/hl0")
		v.insert(rec, resident(tData, 900, []byte("other")))
		v.growList("/links/hl0", listed(tData, 0, rec|uint64(v.c.table.at(rec).seq)<<48, 900))
	}},
	{"T12", "two attributes of one identifier", "/streams", func(v *vol) {
		v.attr(v.no("/streams"), tData, enc("bbb"), func(a []byte) { u16(a, 14, 0) })
	}},
	{"T13", "list entry with another sequence number", "/links/hl0", func(v *vol) { v.list("/links/hl0", func(l []byte) { l[22]++ }) }},
	{"T13", "list entry of length 0", "/links/hl0", func(v *vol) { v.list("/links/hl0", func(l []byte) { u16(l, 4, 0) }) }},
	{"T13", "list entry with another identifier", "/links/hl0", func(v *vol) { v.list("/links/hl0", func(l []byte) { u16(l, 24, 999) }) }},
	{"T13", "list out of order", "/links/hl0", func(v *vol) { v.list("/links/hl0", func(l []byte) { u32(l, 0, 0xe0) }) }},
	{"T13", "list that names an attribute twice", "/links/hl0", func(v *vol) {
		v.list("/links/hl0", func(l []byte) { // followed by a name in the same record
			next := l[le.Uint16(l[4:]):]
			next = next[le.Uint16(next[4:]):]
			copy(next, l[:32])
		})
	}},
	{"T13", "list with stream names out of order", "/links/hl0", func(v *vol) {
		rec := v.extension("/links/hl0")
		ref := rec | uint64(v.c.table.at(rec).seq)<<48
		v.insert(rec, slices.Concat(namedStream("aaa", 900), namedStream("bbb", 901)))
		v.growList("/links/hl0", slices.Concat(listedName(ref, "bbb", 901), listedName(ref, "aaa", 900)))
	}},
	{"T14", "packed size of extended attributes wrong", "/ea", func(v *vol) { v.value(v.no("/ea"), tEAInfo, "", func(x []byte) { x[0]++ }) }},
	{"T14", "chain of extended attributes broken", "/ea", func(v *vol) { v.value(v.no("/ea"), tEA, "", func(x []byte) { u32(x, 0, 4) }) }},
	{"T14", "size of extended attributes wrong", "/ea", func(v *vol) { v.value(v.no("/ea"), tEAInfo, "", func(x []byte) { u32(x, 4, 999) }) }},
	{"T15", "reparse point of another length", "/symlink", func(v *vol) { v.value(v.no("/symlink"), tReparse, "", func(x []byte) { u16(x, 4, 3) }) }},
	{"T15", "reparse point cut short", "/symlink", func(v *vol) { v.value(v.no("/symlink"), tReparse, "", func(x []byte) { u16(x, 4, 300) }) }},
	{"T15", "link's target outside", "/symlink", func(v *vol) { v.value(v.no("/symlink"), tReparse, "", func(x []byte) { u16(x, 8, 300) }) }},
	{"T15", "CompactOS reparse point of another length", "/wof", func(v *vol) { v.value(v.no("/wof"), tReparse, "", func(x []byte) { x[4]++ }) }},
	{"T15", "CompactOS data of an unknown provider", "/wof", func(v *vol) { v.value(v.no("/wof"), tReparse, "", func(x []byte) { x[12] = 9 }) }},
	{"T16", "encrypted without keys", "/plain", func(v *vol) {
		v.attr(v.no("/plain"), tData, "", func(a []byte) { u16(a, 12, aEncrypted) })
	}},
	{"T17", "CompactOS table broken", "/wof", func(v *vol) {
		u32(v.b, int(v.place(v.stream(v.no("/wof"), tData, nameWof), 4)), 1<<30)
	}},
	{"T17", "CompactOS data in an archive", "/wof", func(v *vol) { v.value(v.no("/wof"), tReparse, "", func(x []byte) { x[12] = wofWIM }) }},
	{"T17", "CompactOS data not written in full", "/wof", func(v *vol) {
		v.attr(v.no("/wof"), tData, nameWof, func(a []byte) { u64(a, 56, le.Uint64(a[56:])-1) })
	}},
	{"T17", "CompactOS data gone", "/wof", func(v *vol) { v.replace(v.no("/wof"), tData, nameWof, drop) }},
	{"T18", "deduplicated file without a chunk store", "/dedup", func(v *vol) {
		v.value(v.no("/dedup"), tReparse, "", func(x []byte) { x[20] ^= 1 })
	}},
	{"T18", "stream map spoiled", "/dedup", func(v *vol) { v.chunk("Stream/00000001.00000001.ccc", 0x5000+104, 'X') }},
	{"T18", "container of chunks gone", "/dedup 2", func(v *vol) {
		rename := func(x []byte) { x[bytes.Index(x, []byte(enc("00000002.")))+14] = '3' }
		v.block(v.container("Data"), nameI30, 0, rename)
		v.value(v.container("Data/00000002.00000001.ccc"), tName, "", rename)
	}},

	{"C1", "two files share clusters", "/plain", func(v *vol) { v.share("/plain", "/other") }},
	{"C2", "clusters of a file marked free", "/plain", func(v *vol) { v.bit(v.stream(fBitmap, tData, ""), v.lcn("/plain")+2, false) }},
	{"C3", "free cluster marked used", "/$Bitmap", func(v *vol) { v.bit(v.stream(fBitmap, tData, ""), v.c.g.clusters-1, true) }},
	{"C4", "bits behind the end clear", "/$Bitmap", func(v *vol) { v.bit(v.stream(fBitmap, tData, ""), v.c.g.clusters, false) }},
	{"C5", "bad cluster in a file", "/plain", func(v *vol) { v.badCluster(v.lcn("/plain") + 1) }},
	{"C6", "$Boot elsewhere", "/$Boot", func(v *vol) {
		v.attr(fBoot, tData, "", func(a []byte) { runs(a, 0x21, 2, byte(v.c.g.clusters-4), byte((v.c.g.clusters-4)>>8)) })
	}},
	{"C7", "cluster bitmap too short", "/$Bitmap", func(v *vol) {
		v.attr(fBitmap, tData, "", func(a []byte) { u64(a, 48, 512); u64(a, 56, 512) })
	}},

	{"I1", "index of another collation", "/sub", func(v *vol) { v.value(v.no("/sub"), tRoot, nameI30, func(x []byte) { u32(x, 4, 0x10) }) }},
	{"I1", "index of another type", "/sub", func(v *vol) { v.value(v.no("/sub"), tRoot, nameI30, func(x []byte) { u32(x, 0, tData) }) }},
	{"I1", "index blocks of impossible size", "/sub", func(v *vol) { v.value(v.no("/sub"), tRoot, nameI30, func(x []byte) { u32(x, 8, 4000) }) }},
	{"T8", "index blocks beyond the initialized size", "/many", func(v *vol) {
		v.attr(v.no("/many"), tAlloc, nameI30, func(a []byte) { u64(a, 56, 4096) })
	}},
	{"T9", "index blocks marked as encrypted", "/many", func(v *vol) {
		v.attr(v.no("/many"), tAlloc, nameI30, func(a []byte) { u16(a, 12, aEncrypted) })
	}},
	{"I1", "index blocks of another number of clusters", "/many", func(v *vol) { v.value(v.no("/many"), tRoot, nameI30, func(x []byte) { x[12] = 3 }) }},
	{"I1", "index entries outside the root", "/sub", func(v *vol) { v.value(v.no("/sub"), tRoot, nameI30, func(x []byte) { u32(x, 20, 5000) }) }},
	{"I1", "index root with less room than it uses", "/sub", func(v *vol) { v.value(v.no("/sub"), tRoot, nameI30, func(x []byte) { u32(x, 24, 8) }) }},
	{"I1", "security index of another collation", "/$Secure", func(v *vol) { v.value(fSecure, tRoot, nameSII, func(x []byte) { u32(x, 4, byName) }) }},
	{"I2", "index block with more room than it has", "/many", func(v *vol) { v.node(func(b []byte) { u32(b, 32, 1<<20) }) }},
	{"I1", "index root that knows of no blocks", "/many", func(v *vol) { v.value(v.no("/many"), tRoot, nameI30, func(x []byte) { x[28] = 0 }) }},
	{"I2", "leaf that says that there are nodes below", "/many", func(v *vol) { v.node(func(b []byte) { b[36] ^= 1 }) }},
	{"I2", "index block without signature", "/many", func(v *vol) { v.node(func(b []byte) { copy(b, "XDNI") }) }},
	{"I2", "index block with another number", "/many", func(v *vol) { v.node(func(b []byte) { u64(b, 16, 99) }) }},
	{"I2", "index block torn", "/many", func(v *vol) {
		no := v.no("/many")
		v.b[v.place(v.stream(no, tAlloc, nameI30), v.leaf(no, nameI30, 5)*4096)+510]++
	}},
	{"I3", "index entry of length 0", "/many", func(v *vol) { v.entry(1, func(e []byte) { u16(e, 8, 0) }) }},
	{"I3", "index entry longer than its block", "/many", func(v *vol) { v.entry(1, func(e []byte) { u16(e, 8, 0x2000) }) }},
	{"I3", "key longer than its entry", "/many", func(v *vol) { v.entry(1, func(e []byte) { u16(e, 10, 0x300) }) }},
	{"I3", "name longer than its key", "/many", func(v *vol) { v.entry(1, func(e []byte) { e[entryHead+0x40] = 250 }) }},
	{"I3", "entry in the middle marked as the last", "/many", func(v *vol) {
		v.nodeEntries(func(e [][]byte) { u16(e[2], 12, le.Uint16(e[2][12:])|entryLast) })
	}},
	{"I3", "bytes behind the last entry", "/many", func(v *vol) { v.node(func(b []byte) { u32(b, 28, le.Uint32(b[28:])+64) }) }},
	{"I3", "index entry that hides the next", "/many", func(v *vol) {
		v.nodeEntries(func(e [][]byte) { u16(e[2], 8, le.Uint16(e[2][8:])+uint16(len(e[3]))) })
	}},
	{"I3", "last index entry that hides one", "/many", func(v *vol) {
		v.nodeEntries(func(e [][]byte) {
			k := len(e) - 2
			u16(e[k], 12, entryLast)
			u16(e[k], 8, uint16(len(e[k])+len(e[k+1])))
		})
	}},
	{"I3", "key longer than its name", "/many", func(v *vol) { v.entry(1, func(e []byte) { e[10] += 2 }) }},
	{"I4", "index entries swapped", "/many", func(v *vol) {
		v.nodeEntries(func(e [][]byte) { x := bytes.Clone(e[1]); copy(e[1], e[2]); copy(e[2], x) })
	}},
	{"I4", "index entry doubled", "/many", func(v *vol) { v.nodeEntries(func(e [][]byte) { copy(e[2], e[1]) }) }},
	{"I5", "child block outside the index", "/many", func(v *vol) { v.children(func(a, _ []byte) { u64(a, 0, 9999) }) }},
	{"I5", "child block reached twice", "/many", func(v *vol) { v.children(func(a, b []byte) { copy(b, a) }) }},
	{"I6", "index bitmap bit clear", "/many", func(v *vol) {
		v.value(v.no("/many"), tBitmap, nameI30, func(x []byte) { x[0] &^= 1 << v.leaf(v.no("/many"), nameI30, 5) })
	}},
	{"I6", "index bitmap bit too many", "/many", func(v *vol) { v.value(v.no("/many"), tBitmap, nameI30, func(x []byte) { x[7] |= 0x80 }) }},
	{"I7", "entry leads to a free record", "/many", func(v *vol) { v.entry(1, func(e []byte) { u64(e, 0, v.free()|1<<48) }) }},
	{"I7", "entry leads outside the file table", "/many", func(v *vol) { v.entry(1, func(e []byte) { u64(e, 0, 1<<40) }) }},
	{"I7", "entry with another sequence number", "/many", func(v *vol) { v.entry(1, func(e []byte) { e[6]++ }) }},
	{"I8", "entry with another name", "", func(v *vol) {
		v.entry(1, rename)
	}},
	{"I8", "entry leads to another file", "", func(v *vol) {
		v.entry(1, func(e []byte) { u64(e, 0, v.no("/plain")|uint64(v.c.table.at(v.no("/plain")).seq)<<48) })
	}},
	{"I8", "entry with another folder", "", func(v *vol) { v.entry(1, func(e []byte) { copy(e[entryHead:], []byte{5, 0, 0, 0, 0, 0, 5, 0}) }) }},
	{"I8", "entry calls a file a folder", "/plain", func(v *vol) {
		v.entryOf("plain", func(e []byte) { e[entryHead+59] |= 0x10 })
	}},
	{"I8", "entry does not call a folder one", "/sub", func(v *vol) {
		v.entryOf("sub", func(e []byte) { e[entryHead+59] &^= 0x10 })
	}},
	{"I9", "entry gone", "", func(v *vol) { v.removeEntry(2) }},
	{"I10", "entry with a stale size", "", func(v *vol) { v.entry(1, func(e []byte) { u64(e, entryHead+48, 12345) }) }},
	{"I10", "entry younger than its file", "", func(v *vol) {
		v.entry(1, func(e []byte) { u64(e, entryHead+24, le.Uint64(e[entryHead+24:])+1e9) })
	}},
	{"I11", "short name without a long one", "/LongFileName.document", func(v *vol) {
		no := v.no("/LongFileName.document")
		v.edit(no, func(b []byte) {
			each(b, func(a *attr) bool {
				if a.typ == tName && a.value[0x41] == spaceWin32 {
					a.value[0x41] = spacePOSIX
				}
				return true
			})
		})
	}},
	{"I12", "name with NUL", "", func(v *vol) { v.value(v.no("/plain"), tName, "", func(x []byte) { x[nameHead+2] = 0 }) }},
	{"I12", "file named by two dots", "", func(v *vol) {
		v.value(v.no("/sub/inner"), tName, "", func(x []byte) { x[0x40] = 2; copy(x[0x42:], ".\x00.\x00") })
	}},
	{"I13", "file whose folder is a file", "/resident/plain", func(v *vol) { v.parent("/plain", "/resident") }},
	{"I13", "folder in itself", "", func(v *vol) { v.parent("/sub", "/sub/inner") }},
	{"I13", "folder with another sequence number", "/sub/inner", func(v *vol) { v.value(v.no("/sub/inner"), tName, "", func(x []byte) { x[6]++ }) }},

	{"S1", "unknown security id", "/plain", func(v *vol) { v.securityID("/plain", 0x7777) }},
	{"S2", "security descriptor elsewhere", "/$Secure", func(v *vol) { v.value(fSecure, tRoot, nameSII, func(x []byte) { x[32+20+8]++ }) }},
	{"S3", "security descriptor changed", "/$Secure", func(v *vol) { v.sds(0, sdsHead+12); v.sds(sdsBlock, sdsHead+12) }},
	{"S4", "second copy changed", "/$Secure", func(v *vol) { v.sds(sdsBlock, sdsHead+12) }},
	{"S5", "security descriptor of an unknown revision", "/$Secure", func(v *vol) { v.sds(0, sdsHead) }},
	{"X1", "object identifier changed", "/objid", func(v *vol) { v.value(v.no("/objid"), tObjectID, "", func(x []byte) { x[3]++ }) }},
	{"X1", "object index leads elsewhere", "/objid", func(v *vol) {
		v.value(v.no("/$Extend/$ObjId"), tRoot, nameO, func(x []byte) { x[32+32]++ })
	}},
	{"X2", "quota defaults gone", "/$Extend/$Quota", func(v *vol) { v.value(v.no("/$Extend/$Quota"), tRoot, nameQ, func(x []byte) { u32(x, 32+16, 0) }) }},
	{"X2", "quota entry of an unknown version", "/$Extend/$Quota", func(v *vol) { v.value(v.no("/$Extend/$Quota"), tRoot, nameQ, func(x []byte) { x[32+20] = 9 }) }},
	{"X2", "quota owner without a SID", "/$Extend/$Quota", func(v *vol) {
		v.value(v.no("/$Extend/$Quota"), tRoot, nameQ, func(x []byte) { x[32+72+20+quotaHead] = 7 })
	}},
	{"X2", "quota owner with another SID", "/$Extend/$Quota", func(v *vol) {
		v.value(v.no("/$Extend/$Quota"), tRoot, nameQ, func(x []byte) { x[32+72+20+quotaHead+8]++ })
	}},
	{"X2", "list of quota owners leads elsewhere", "/$Extend/$Quota", func(v *vol) {
		v.value(v.no("/$Extend/$Quota"), tRoot, nameO, func(x []byte) { x[32+le.Uint16(x[32:])]++ })
	}},
	{"X3", "reparse point of another tag", "/symlink", func(v *vol) { v.value(v.no("/symlink"), tReparse, "", func(x []byte) { x[0]++ }) }},
	{"X3", "reparse index leads elsewhere", "", func(v *vol) {
		v.value(v.no("/$Extend/$Reparse"), tRoot, nameR, func(x []byte) { x[32+16+4]++ })
	}},
	{"D2", "compressed contents spoiled", "/comp/text", func(v *vol) {
		at := v.place(v.stream(v.no("/comp/text"), tData, ""), 0)
		copy(v.b[at+2:at+60], bytes.Repeat([]byte{0xff}, 58))
	}},
	{"D2", "compressed contents of a named stream spoiled", "/comp/named", func(v *vol) {
		at := v.place(v.stream(v.no("/comp/named"), tData, enc("stream")), 0)
		copy(v.b[at+2:at+60], bytes.Repeat([]byte{0xff}, 58))
	}},
	{"D2", "CompactOS contents spoiled", "/wof", func(v *vol) {
		s := v.stream(v.no("/wof"), tData, nameWof)
		at := v.place(s, 60)
		copy(v.b[at:at+300], bytes.Repeat([]byte{0x11}, 300))
	}},
	{"X4", "change journal with a record of another place", "/$Extend/$UsnJrnl", func(v *vol) { v.journal(2 * usnPage)[24]++ }},
	{"X4", "change journal with a torn page", "/$Extend/$UsnJrnl", func(v *vol) { copy(v.journal(usnPage+100), bytes.Repeat([]byte{0x11}, 200)) }},
	{"X4", "change journal without settings", "/$Extend/$UsnJrnl", func(v *vol) { v.replace(v.no("/$Extend/$UsnJrnl"), tData, nameMax, drop) }},
	{"D3", "chunk spoiled", "/dedup 3", func(v *vol) { v.chunk("Data/00000001.00000001.ccc", 0x5000+88+20, 0xFF, 0xFF, 0xFF) }},
	{"D3", "container of chunks without a header", "/dedup 2", func(v *vol) { v.chunk("Data/00000002.00000001.ccc", 0, 'X') }},
}

// unusual are the severities of mutations that are not those of their codes.
var unusual = map[string]Severity{
	"bytes behind the end marker":                Warning,
	"unknown type":                               Error,
	"compression unit wrong":                     Error,
	"unknown way of compression":                 Error,
	"compressed data, no longer marked as such":  Error,
	"stream names out of order":                  Warning,
	"list with stream names out of order":        Warning,
	"attribute longer than its value":            Warning,
	"file marked as a view":                      Warning,
	"$Secure not marked as a view":               Warning,
	"index blocks of another number of clusters": Warning,
	"reparse point of CompactOS, flag clear":     Error,
	"no reparse point, flag set, no contents":    Error,
	"reparse point cut short":                    Error,
	"link's target outside":                      Error,
	"chain of extended attributes broken":        Error,
	"index blocks marked as encrypted":           Error,
	"CompactOS data in an archive":               Info,
	"CompactOS data of an unknown provider":      Error,
	"CompactOS reparse point of another length":  Error,
	"index bitmap bit too many":                  Warning,
	"bit behind the file table":                  Warning,
}

func drop([]byte) []byte { return nil }

func enc(s string) string { return string(encode16(s)) }

// restartPage is a log's restart page.
func restartPage(major, inUse, flags uint16) []byte {
	b := make([]byte, 4096)
	copy(b, "RSTR")
	u16(b, 4, 0x1e)
	u16(b, 6, 9)
	u32(b, 16, 4096)
	u32(b, 20, 4096)
	u16(b, 24, 0x30)
	u16(b, 26, 1)
	u16(b, 28, major)
	u64(b, 0x30, 1000)
	u16(b, 0x30+12, inUse)
	u16(b, 0x30+14, flags)
	u16(b, 0x1e, 7)
	seal(b)
	return b
}

// journal is the change journal from byte off of what is kept on.
func (v *vol) journal(off int64) []byte {
	return v.b[v.place(v.stream(v.no("/$Extend/$UsnJrnl"), tData, nameJ), journalStart+off):]
}

// badCluster puts a cluster on the list of bad ones, and marks it used.
func (v *vol) badCluster(lcn int64) {
	n := v.c.g.clusters
	v.bit(v.stream(fBitmap, tData, ""), lcn, true)
	v.replace(fBadClus, tData, nameBad, func(a []byte) []byte {
		head := bytes.Clone(a[:le.Uint16(a[32:])])
		rest := n - lcn - 1
		head = append(head, 0x03, byte(lcn), byte(lcn>>8), byte(lcn>>16), 0x31, 1, byte(lcn), byte(lcn>>8), byte(lcn>>16), 0x03, byte(rest), byte(rest>>8), byte(rest>>16), 0)
		head = append(head, make([]byte, 7)...)[:(len(head)+7)&^7]
		u32(head, 4, uint32(len(head)))
		return head
	})
}

// extension is a record that holds attributes of a file beside its own.
func (v *vol) extension(path string) (out uint64) {
	no := v.no(path)
	v.c.table.each(func(rec uint64, e *entry) {
		if e.flags&recExt != 0 && refRecord(e.parent) == no {
			out = rec
		}
	})
	return out
}

// list changes the second entry of a file's attribute list.
func (v *vol) list(path string, change func(l []byte)) {
	v.t.Helper()
	no := v.no(path)
	s := v.stream(no, tList, "")
	if s.resident {
		v.value(no, tList, "", func(x []byte) { change(x[le.Uint16(x[4:]):]) })
		return
	}
	at := v.place(s, 0)
	change(v.b[at+int64(le.Uint16(v.b[at+4:])):])
}

// growList adds entries to a file's attribute list, which is not in its record.
func (v *vol) growList(path string, entries []byte) {
	no := v.no(path)
	s := v.stream(no, tList, "")
	size := s.size + int64(len(entries))
	copy(v.b[v.place(s, 0)+s.size:], entries)
	v.attr(no, tList, "", func(a []byte) { u64(a, 48, uint64(size)); u64(a, 56, uint64(size)) })
}

// insert puts attributes behind the others of a record.
func (v *vol) insert(no uint64, attrs []byte) {
	v.t.Helper()
	v.edit(no, func(b []byte) {
		used := int(le.Uint32(b[24:]))
		if used+len(attrs) > len(b) {
			v.t.Fatal("the record is too small for this")
		}
		copy(b[used-8+len(attrs):], b[used-8:used])
		copy(b[used-8:], attrs)
		u32(b, 24, uint32(used+len(attrs)))
		u16(b, 40, 999)
	})
}

// namedStream is a stream without contents; its name has at most 4 letters.
func namedStream(name string, id uint16) []byte {
	b := resident(tData, id, make([]byte, 8))
	b[9] = byte(copy(b[24:], encode16(name)) / 2)
	u16(b, 10, 24)
	u32(b, 16, 0)
	u16(b, 20, 32)
	return b
}

// listedName is the entry of an attribute list for a namedStream.
func listedName(ref uint64, name string, id uint16) []byte {
	b := append(listed(tData, 0, ref, id), make([]byte, 8)...)
	u16(b, 4, 40)
	b[6] = byte(copy(b[26:], encode16(name)) / 2)
	return b
}

// rename gives a stream another name, as long as the old one.
func (v *vol) rename(path, from, to string) {
	v.attr(v.no(path), tData, enc(from), func(a []byte) { copy(a[le.Uint16(a[10:]):], encode16(to)) })
}

// flag turns a flag of a file over.
func (v *vol) flag(path string, f uint32) {
	v.value(v.no(path), tStandard, "", func(x []byte) { u32(x, 32, le.Uint32(x[32:])^f) })
}

// firstExtent changes the first extent of a file that has an attribute list.
func (v *vol) firstExtent(path string, change func(a []byte)) {
	v.t.Helper()
	s := v.stream(v.no(path), tList, "")
	list, err := v.c.readAll(s, maxList)
	must(v.t, err)
	for len(list) > 0 {
		e, rest, _ := cutList(list)
		if e.typ == tData && e.lowest == 0 {
			v.attr(refRecord(e.ref), tData, string(e.name), change)
			return
		}
		list = rest
	}
	v.t.Fatal("the list has no data")
}

// share lets file a own the first clusters of file b.
func (v *vol) share(a, b string) {
	lcn := v.lcn(b)
	v.attr(v.no(a), tData, "", func(x []byte) { runs(x, 0x31, 8, byte(lcn), byte(lcn>>8), byte(lcn>>16)) })
}

// node changes a leaf of the folder "many".
func (v *vol) node(change func(b []byte)) {
	v.t.Helper()
	no := v.no("/many")
	v.block(no, nameI30, v.leaf(no, nameI30, 5), change)
}

// entryOf changes the entry of a name in the root folder.
func (v *vol) entryOf(name string, change func(e []byte)) {
	v.t.Helper()
	found := false
	for i := range v.stream(fRoot, tAlloc, nameI30).size / 4096 {
		v.block(fRoot, nameI30, i, func(b []byte) {
			for _, e := range entriesOf(b[indexHead:]) {
				if f, ok := parseFileName(e[entryHead:]); ok && decode16(f.name) == name {
					change(e)
					found = true
				}
			}
		})
	}
	if !found {
		v.t.Fatalf("the root has no %s", name)
	}
}

func (v *vol) nodeEntries(change func(e [][]byte)) {
	v.t.Helper()
	v.node(func(b []byte) { change(entriesOf(b[indexHead:])) })
}

// removeEntry takes an entry out of a leaf, as a lost write would.
func (v *vol) removeEntry(k int) {
	v.node(func(b []byte) { removeEntry(b, k) })
}

func removeEntry(b []byte, k int) {
	node := b[indexHead:]
	e := entriesOf(node)
	used := int(le.Uint32(node[4:]))
	at := used
	for _, x := range e[k:] {
		at -= len(x)
	}
	copy(node[at:], node[at+len(e[k]):used])
	u32(node, 4, uint32(used-len(e[k])))
}

// rename changes the case of an entry's first letter, without changing its order.
func rename(e []byte) {
	f, _ := parseFileName(e[entryHead:])
	f.name[0] ^= 0x20
}

// children gives two child pointers of a node of "many" to a change.
func (v *vol) children(change func(a, b []byte)) {
	v.t.Helper()
	no := v.no("/many")
	s := v.stream(no, tAlloc, nameI30)
	for i := range s.size / 4096 {
		done := false
		v.block(no, nameI30, i, func(b []byte) {
			if e := entriesOf(b[indexHead:]); b[indexHead+12] != 0 && len(e) > 1 {
				change(e[0][len(e[0])-8:], e[1][len(e[1])-8:])
				done = true
			}
		})
		if done {
			return
		}
	}
	v.t.Fatal("no index block has two children")
}

// free is a record that is not in use.
func (v *vol) free() uint64 {
	for no := uint64(firstFree); no < v.c.records; no++ {
		if e := v.c.table.peek(no); e == nil || e.flags&recUsed == 0 {
			return no
		}
	}
	v.t.Fatal("no record is free")
	return 0
}

// parent moves a file's name, in its record alone, into another folder.
func (v *vol) parent(path, into string) {
	to := v.no(into)
	v.value(v.no(path), tName, "", func(x []byte) { u64(x, 0, to|uint64(v.c.table.at(to).seq)<<48) })
}

// securityID gives a file another descriptor, growing its standard information
// to the form that has one.
func (v *vol) securityID(path string, id uint32) { v.setSecurity(v.no(path), id) }

func (v *vol) setSecurity(no uint64, id uint32) {
	v.replace(no, tStandard, "", func(a []byte) []byte {
		b := make([]byte, 24+72)
		copy(b, a[:24])
		copy(b[24:], a[le.Uint16(a[20:]):][:le.Uint32(a[16:])])
		u32(b, 4, uint32(len(b)))
		u32(b, 16, 72)
		u16(b, 20, 24)
		u32(b, 24+52, id)
		return b
	})
}

// sds changes a byte of the security descriptors.
func (v *vol) sds(block, off int64) {
	v.b[v.place(v.stream(fSecure, tData, nameSDS), block+off)] ^= 0x40
}

func TestMutations(t *testing.T) {
	kinds := map[string]bool{}
	good := soundVolume(t)
	for _, m := range mutations {
		if kinds[m.name] {
			t.Errorf("%s is there twice", m.name)
		}
		kinds[m.name] = true
		t.Run(m.code+" "+m.name, func(t *testing.T) { checkMutation(t, good.copyOf(t), m) })
	}
	if len(kinds) < 60 {
		t.Errorf("only %d kinds", len(kinds))
	}
	t.Logf("%d kinds", len(kinds))
}

// linked reports whether both are names of the file with 61 links.
func linked(a, b string) bool {
	return strings.HasPrefix(a, "/links/") && strings.HasPrefix(b, "/links/")
}

func checkMutation(t *testing.T, v *vol, m mutation) {
	m.do(v)
	rep := judged(t, v.b, Options{Deep: true})
	want, ok := unusual[m.name]
	if !ok {
		want = Codes[m.code].Severity
	}
	for _, f := range rep.Findings {
		if f.Code == m.code && f.Severity == want && (m.path == "" || f.Path == m.path || linked(f.Path, m.path)) {
			return
		}
	}
	t.Errorf("%v %s %s not found", want, m.code, m.path)
	for _, f := range rep.Findings {
		t.Logf("%v %s %s: %s", f.Severity, f.Code, f.Path, f.Message)
	}
}
