package check

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vitrine/internal/testvol"
)

// TestMakeUsedVolume makes ../testdata/used.img.gz again when asked to.
func TestMakeUsedVolume(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	img := testvol.Make(t, testvol.Options{Size: 2 << 20, Cluster: 512, Args: []string{"-z", "1"}})
	testvol.With(t, img, func(dir string) { furnishUsed(t, dir) })
	testvol.With(t, img, func(dir string) { furnishWSL(t, filepath.Join(dir, "wsl")) }, "special_files=wsl,permissions")
	testvol.With(t, img, func(dir string) { removeFolder(t, filepath.Join(dir, "gone")) })
	b, err := os.ReadFile(img)
	must(t, err)
	v := windowsParts(t, b)
	v.splitTable()
	log := v.place(v.stream(fLog, tData, ""), 0)
	copy(v.b[log:], restartPage(1, logNone, logClean))
	copy(v.b[log+4096:], restartPage(1, logNone, logClean))
	copy(v.b[v.place(v.stream(v.no("/hiberfil.sys"), tData, ""), 0):], "HIBR")
	sound(t, judged(t, v.b, Options{Deep: true}))
	keepVolume(t, "../testdata/used.img.gz", v.b)
}

// furnishUsed writes what volumes collect in use.
func furnishUsed(t testing.TB, dir string) {
	p := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) { must(t, os.WriteFile(p(name), data, 0o644)) }
	for _, d := range []string{"wsl", "twins", "mixed", "junction", "stale"} {
		must(t, os.Mkdir(p(d), 0o755))
	}
	testvol.Reparse(t, p("junction"), 0xA0000003, testvol.LinkData(`\??\C:\Users`, `C:\Users`, false, 0))
	write("cloud", nil)
	must(t, os.Truncate(p("cloud"), 300_000))
	testvol.Attributes(t, p("cloud"), 0x1000)
	testvol.Reparse(t, p("cloud"), 0x9000701A, make([]byte, 3000)) // not in the record
	testvol.Compressed(t, p("mixed"))
	noise := make([]byte, 20_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	write("mixed/units", slices.Concat(bytes.Repeat([]byte("compressible "), 2000), make([]byte, 32768), noise, []byte("the end")))
	for i, mode := range []uint32{0o100644, 0o120777, 0o010644, 0o140644, 0o020644, 0o060644} { // of the first WSL
		name := fmt.Sprint("wsl/old ", i)
		write(name, []byte(strings.Repeat("../twins/", 1+100*(i%2))+"TWIN"))
		attr := make([]byte, 56)
		attr[2] = 1
		le.PutUint32(attr[4:], mode)
		le.PutUint32(attr[16:], 37<<20|13)
		testvol.EAs(t, p(name), []string{"LXATTRB"}, map[string][]byte{"LXATTRB": attr})
	}
	for name, data := range map[string][]byte{"interix link": append([]byte("IntxLNK\x01"), encode16("wsl/tty")...),
		"interix tty": append([]byte("IntxCHR\x00"), make([]byte, 16)...), "interix pipe": nil} {
		write(name, data)
		testvol.Attributes(t, p(name), 4)
	}
	for _, name := range []string{"Twin", "TWIN", "twin"} {
		write("twins/"+name, []byte(name))
	}
	for i := range 40 {
		write(fmt.Sprintf("stale/name %02d", i), nil)
	}
	for i := range 40 {
		if i%9 != 0 {
			must(t, os.Remove(p(fmt.Sprintf("stale/name %02d", i))))
		}
	}
	write("hiberfil.sys", make([]byte, 9000))
	writeWindowsParts(t, dir)
}

// removeFolder makes a folder in which there is one, each with a file, and
// removes them.
func removeFolder(t testing.TB, dir string) {
	write := func(name string, data []byte) { must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644)) }
	must(t, os.MkdirAll(filepath.Join(dir, "deeper"), 0o755))
	write("deeper/file", bytes.Repeat([]byte("gone "), 500))
	write("file", []byte("resident"))
	for i := range 12 {
		must(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, fmt.Sprintf("%s%d", strings.Repeat("l", 90), i))))
	}
	must(t, os.RemoveAll(dir))
}

// furnishWSL makes one of each kind of file that WSL has.
func furnishWSL(t testing.TB, dir string) {
	must(t, os.Symlink("../target", filepath.Join(dir, "link")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, syscall.Mknod(filepath.Join(dir, "disk"), syscall.S_IFBLK|0o600, 8<<8|1))
	must(t, syscall.Mknod(filepath.Join(dir, "tty"), syscall.S_IFCHR|0o600, 4<<8|1))
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(t, l.Close())
}

// writeWindowsParts writes a change journal and the folder of files deleted
// while open into the root. windowsParts moves them.
func writeWindowsParts(t testing.TB, dir string) {
	path := filepath.Join(dir, "$UsnJrnl")
	must(t, os.WriteFile(path, nil, 0o644))
	settings := make([]byte, 32)
	u64(settings, 0, 32<<20)
	u64(settings, 8, 4<<20)
	u64(settings, 16, 130_000_000_000_000_000)
	must(t, os.WriteFile(path+":$Max", settings, 0o644))
	f, err := os.Create(path + ":$J")
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt(journal(journalStart, 3*usnPage), journalStart)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "$Deleted"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "$Deleted", "0001000000000021"), []byte("deleted while open"), 0o644))
}

// journalStart is the first byte of the journal that is still kept.
const journalStart = 64 << 10

// journal makes n bytes of change records, the first of them at byte at; no
// record crosses a page.
func journal(at int64, n int) (b []byte) {
	for i := 0; len(b) < n; i++ {
		name := encode16(fmt.Sprint("file number ", i))
		major, id := uint16(2), 8
		if i%5 == 4 {
			major, id = 3, 16
		}
		r := make([]byte, 0x2C+2*id)
		u16(r, 4, major)
		r[8], r[14], r[8+id], r[14+id] = byte(30+i), 1, 5, 5
		u64(r, 8+2*id, uint64(at)+uint64(len(b)))
		u64(r, 16+2*id, 130_000_000_000_000_000+uint64(i))
		u32(r, 24+2*id, 0x100)
		u32(r, 36+2*id, 0x20)
		u16(r, 40+2*id, uint16(len(name)))
		u16(r, 42+2*id, uint16(len(r)))
		r = append(r, name...)
		r = append(r, make([]byte, -len(r)&7)...)
		u32(r, 0, uint32(len(r)))
		if room := usnPage - len(b)%usnPage; room < len(r) {
			b = append(b, make([]byte, room)...)
			i--
			continue
		}
		b = append(b, r...)
	}
	return b[:n]
}

// windowsParts moves what writeWindowsParts wrote to where Windows has it.
func windowsParts(t testing.TB, img []byte) *vol {
	for _, name := range []string{"$UsnJrnl", "$Deleted"} {
		openVol(t, img).intoExtend(name)
	}
	return openVol(t, img)
}

// intoExtend moves a file from the root into $Extend, where ntfs-3g lets nobody
// write.
func (v *vol) intoExtend(name string) {
	v.t.Helper()
	no, parent := v.no("/"+name), uint64(fExtend)|uint64(v.c.table.at(fExtend).seq)<<48
	v.value(no, tName, "", func(x []byte) { u64(x, 0, parent) })
	entry := v.cutFromRoot(name)
	u64(entry, entryHead, parent)
	v.replace(fExtend, tRoot, nameI30, func(a []byte) []byte {
		head := int(le.Uint16(a[20:])) + 16
		at := head + int(le.Uint32(a[head:]))
		for _, e := range entriesOf(a[head:]) {
			f, ok := parseFileName(e[entryHead:])
			after, _ := v.c.up.compare(f.name, encode16(name))
			if le.Uint16(e[12:])&entryLast != 0 || ok && after > 0 {
				break
			}
			at += len(e)
		}
		end := head + int(le.Uint32(a[head+4:]))
		a = slices.Concat(a[:at], entry, a[at:end])
		u32(a, 4, uint32(len(a)))
		u32(a, 16, uint32(len(a)-head+16))
		u32(a, head+4, uint32(len(a)-head))
		u32(a, head+8, uint32(len(a)-head))
		return a
	})
}

// cutFromRoot takes the entry of a name out of the root's index.
func (v *vol) cutFromRoot(name string) (entry []byte) {
	v.t.Helper()
	s := v.stream(fRoot, tAlloc, nameI30)
	size := int64(le.Uint32(v.stream(fRoot, tRoot, nameI30).value[8:]))
	for i := int64(0); i < s.size/size && entry == nil; i++ {
		v.block(fRoot, nameI30, i, func(b []byte) {
			for k, e := range entriesOf(b[indexHead:]) {
				if f, ok := parseFileName(e[entryHead:]); ok && decode16(f.name) == name && le.Uint16(e[12:])&(entryLast|1) == 0 {
					entry = bytes.Clone(e)
					removeEntry(b, k)
					return
				}
			}
		})
	}
	if entry == nil {
		v.t.Fatalf("%s is in no leaf of the root", name)
	}
	return entry
}

// splitTable leaves the second half of $MFT's runs to an extension record.
func (v *vol) splitTable() {
	v.t.Helper()
	const ext = 15
	r := v.c.mft.runs
	if len(r) != 1 || r[0].n <= 16*v.c.g.record/v.c.g.cluster {
		v.t.Fatalf("the table's runs are %v", r)
	}
	first, second := r[0].n-4, int64(4)
	run := func(n, lcn int64) []byte {
		return []byte{0x22, byte(n), byte(n >> 8), byte(lcn), byte(lcn >> 8), 0, 0, 0}
	}
	var more []byte
	v.replace(fMFT, tData, "", func(a []byte) []byte {
		more = bytes.Clone(a[:le.Uint16(a[32:])])
		u64(a, 24, uint64(first-1))
		head := append(a[:le.Uint16(a[32:])], run(first, r[0].lcn)...)
		u32(head, 4, uint32(len(head)))
		return head
	})
	u64(more, 16, uint64(first))
	u64(more, 24, uint64(first+second-1))
	clear(more[40:])
	more = append(more[:64], run(second, r[0].lcn+first)...)
	u16(more, 32, 64)
	u32(more, 4, uint32(len(more)))
	u16(more, 14, 0)
	v.edit(ext, func(b []byte) {
		u16(b, 22, 1)
		u64(b, 32, uint64(fMFT)|1<<48)
		at := int(le.Uint16(b[20:]))
		n := copy(b[at:], more)
		u32(b, at+n, tEnd)
		u32(b, 24, uint32(at+n+8))
	})
	extRef := uint64(ext) | uint64(v.c.table.at(ext).seq)<<48
	v.edit(fMFT, func(b []byte) {
		list := make([]byte, 24)
		each(b, func(a *attr) bool {
			list = append(list, listed(a.typ, 0, 1<<48, uint16(a.id))...)
			if a.typ == tData {
				list = append(list, listed(tData, first, extRef, 0)...)
			}
			return true
		})
		u32(list, 0, tList)
		u32(list, 4, uint32(len(list)))
		u16(list, 14, 99)
		u32(list, 16, uint32(len(list)-24))
		u16(list, 20, 24)
		off, n := v.find(b, tStandard, "")
		used := int(le.Uint32(b[24:]))
		next := slices.Concat(b[:off+n], list, b[off+n:used])
		copy(b, next)
		u32(b, 24, uint32(len(next)))
		u16(b, 40, 100)
	})
	at := v.c.g.mft * v.c.g.cluster
	copy(v.b[v.c.g.mirror*v.c.g.cluster:], v.b[at:at+v.c.g.record])
}

// listed is an entry of an attribute list.
func listed(typ uint32, low int64, ref uint64, id uint16) []byte {
	b := make([]byte, 32)
	u32(b, 0, typ)
	u16(b, 4, 32)
	b[7] = 26
	u64(b, 8, uint64(low))
	u64(b, 16, ref)
	u16(b, 24, id)
	return b
}
