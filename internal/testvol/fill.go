//go:build linux

package testvol

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Fill writes n files of mixed size and kind below dir: small and large text,
// random bytes, sparse files, hard links, streams, compressed folders. The
// same seed gives the same tree.
func Fill(t testing.TB, dir string, n int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for d := 0; d*50 < n; d++ {
		must(t, os.MkdirAll(folder(dir, d), 0o755))
		if d%8 == 5 {
			Compressed(t, folder(dir, d))
		}
	}
	for i := range n {
		fillOne(t, dir, i, rnd)
	}
}

func folder(dir string, d int) string {
	return filepath.Join(dir, fmt.Sprintf("dir%d", d%7), fmt.Sprintf("Ordner %03d äöü", d))
}

func fillOne(t testing.TB, dir string, i int, rnd *rand.Rand) {
	t.Helper()
	path := filepath.Join(folder(dir, i/50), fmt.Sprintf("file %05d.txt", i))
	switch {
	case i%97 == 96:
		must(t, os.Link(filepath.Join(folder(dir, i/50), fmt.Sprintf("file %05d.txt", i-i%50)), path))
	case i%61 == 60:
		sparse(t, path, int64(1+rnd.IntN(40))<<16, rnd)
	default:
		must(t, os.WriteFile(path, Content(rnd, size(rnd)), 0o644))
	}
	if i%53 == 52 {
		must(t, os.WriteFile(path+":note", Content(rnd, rnd.IntN(3000)), 0o644))
	}
	mtime := time.Unix(1_500_000_000+rnd.Int64N(200_000_000), rnd.Int64N(10_000_000)*100)
	must(t, os.Chtimes(path, mtime, mtime))
}

// size is empty or resident for a third, some KiB for most, up to 2 MiB for few.
func size(rnd *rand.Rand) int {
	switch rnd.IntN(20) {
	case 0:
		return 0
	case 1, 2, 3, 4, 5:
		return rnd.IntN(700)
	case 6:
		return rnd.IntN(2 << 20)
	}
	return rnd.IntN(20_000)
}

// Content is n bytes: log-like text that compresses well, or, one time in
// four, random bytes.
func Content(rnd *rand.Rand, n int) []byte {
	if rnd.IntN(4) == 0 {
		return random(rnd, n)
	}
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "2026-11-%02d 12:%02d:%02d service[%d]: request %08x took %d ms\n",
			1+rnd.IntN(28), rnd.IntN(60), rnd.IntN(60), rnd.IntN(100), rnd.Uint32(), rnd.IntN(1000))
	}
	return b.Bytes()[:n]
}

func random(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rnd.Uint64())
	}
	return b[:n]
}

func sparse(t testing.TB, path string, n int64, rnd *rand.Rand) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(n))
	for range 3 {
		_, err := f.WriteAt(random(rnd, 5000), rnd.Int64N(max(1, n-5000)))
		must(t, err)
	}
}

// Mutate changes a filled tree as a day of work would: about a fiftieth of
// its files is rewritten, renamed or deleted, and some are new.
func Mutate(t testing.TB, dir string, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 2))
	files := regularFiles(t, dir)
	for i, path := range files {
		switch rnd.IntN(150) {
		case 0:
			must(t, os.WriteFile(path, Content(rnd, size(rnd)), 0o644))
		case 1:
			must(t, os.Rename(path, fmt.Sprintf("%s.renamed-%d", path, seed)))
		case 2:
			must(t, os.Remove(path))
		case 3:
			must(t, os.WriteFile(fmt.Sprintf("%s.new-%d-%d", path, seed, i), Content(rnd, size(rnd)), 0o644))
		}
	}
}

func regularFiles(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	sort.Strings(files)
	return files
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// setxattr retries: right after the mount the driver may still be starting.
func setxattr(t testing.TB, path, name string, value []byte) {
	t.Helper()
	if err := syscall.Setxattr(path, name, value, 0); err != nil {
		t.Fatalf("setxattr %s %s: %v", path, name, err)
	}
}

// Attributes sets FILE_ATTRIBUTE_* bits of a file on a mounted volume.
func Attributes(t testing.TB, path string, bits uint32) {
	t.Helper()
	setxattr(t, path, "system.ntfs_attrib_be", binary.BigEndian.AppendUint32(nil, bits))
}

// Compressed makes a folder compress what is written into it from now on.
func Compressed(t testing.TB, path string) {
	t.Helper()
	Attributes(t, path, 0x800)
}

// Times sets creation, change, access and record-change times, in FILETIME
// units (100 ns since 1601); ntfs-3g sets the fourth by itself.
func Times(t testing.TB, path string, create, modify, access uint64) {
	t.Helper()
	var b []byte
	for _, v := range []uint64{create, modify, access} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	setxattr(t, path, "system.ntfs_times_be", b)
}

// Reparse gives a file or an empty folder a reparse point: tag and data
// behind the 8-byte header.
func Reparse(t testing.TB, path string, tag uint32, data []byte) {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, tag)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	setxattr(t, path, "system.ntfs_reparse_data", append(append(b, 0, 0), data...))
}

// LinkData is the data of a symlink (tag 0xA000000C; flags 1 when relative)
// or, with symlink false, of a junction (tag 0xA0000003).
func LinkData(substitute, print string, symlink bool, flags uint32) []byte {
	s, p := utf16le(substitute), utf16le(print)
	b := binary.LittleEndian.AppendUint16(nil, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	gap := 0
	if !symlink {
		gap = 2
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)+gap))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p)))
	if symlink {
		b = binary.LittleEndian.AppendUint32(b, flags)
	}
	zero := make([]byte, gap)
	return bytes.Join([][]byte{b, s, zero, p, zero}, nil)
}

// EAs gives a file extended attributes, in the order of names.
func EAs(t testing.TB, path string, names []string, values map[string][]byte) {
	t.Helper()
	var b []byte
	for _, name := range names {
		b = append(b, oneEA(name, values[name])...)
	}
	setxattr(t, path, "system.ntfs_ea", b)
}

func oneEA(name string, value []byte) []byte {
	n := (8 + len(name) + 1 + len(value) + 3) &^ 3
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, n), uint32(n))
	b = append(b, 0, byte(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(append(append(b, name...), 0), value...)
	return b[:n]
}

// ObjectID gives a file an object id: 32 hexadecimal digits.
func ObjectID(t testing.TB, path, id string) {
	t.Helper()
	b, err := hex.DecodeString(id)
	must(t, err)
	setxattr(t, path, "system.ntfs_object_id", b)
}

// DOSName gives a file an 8.3 name, which splits its name in two.
func DOSName(t testing.TB, path, name string) {
	t.Helper()
	setxattr(t, path, "system.ntfs_dos_name", []byte(name))
}

// Striped writes n pieces of 4 KiB with holes of 4 KiB between them: a file
// of very many extents.
func Striped(t testing.TB, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	piece := bytes.Repeat([]byte("stripe. "), 512)
	for i := range n {
		copy(piece, fmt.Sprintf("%07d", i))
		_, err := f.WriteAt(piece, int64(i)*8192)
		must(t, err)
	}
}

// Rich writes (onto a volume of 256 MiB or more) one of each: streams, links, compressed and sparse files,
// reparse points, EAs, object ids, odd names, odd times.
func Rich(t testing.TB, dir string) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(42, 42))
	richNames(t, dir)
	richCompressed(t, filepath.Join(dir, "comp"), rnd)
	richStreams(t, dir)
	richLinks(t, filepath.Join(dir, "links"))
	richReparse(t, filepath.Join(dir, "reparse"))
	richMeta(t, filepath.Join(dir, "meta"))
	sparse(t, filepath.Join(dir, "sparse50"), 50<<20, rnd)
	huge(t, filepath.Join(dir, "huge hole"))
	Striped(t, filepath.Join(dir, "striped"), 3000)
}

func richNames(t testing.TB, dir string) {
	t.Helper()
	dir = filepath.Join(dir, "names")
	must(t, os.Mkdir(dir, 0o755))
	names := []string{strings.Repeat("n", 255), "日本語", "emoji 😀", "trailing_dot.", "con", "a<b>c|d", "Ünïcode", "ẞ", "lower", "UPPER"}
	for i, name := range names {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(fmt.Sprint(i)), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(dir, "LongFileName.document"), []byte("dos"), 0o644))
	DOSName(t, filepath.Join(dir, "LongFileName.document"), "LONGFI~1.DOC")
}

func richCompressed(t testing.TB, dir string, rnd *rand.Rand) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	Compressed(t, dir)
	text := func(n int) []byte { return Content(rand.New(rand.NewPCG(7, 9)), n) }
	files := map[string][]byte{
		"text": text(1 << 20), "zero": make([]byte, 300_000), "random": random(rnd, 200_000),
		"exact": text(65536), "one more": text(65537), "one less": text(65535), "small": text(9000), "empty": nil,
	}
	for _, name := range []string{"text", "zero", "random", "exact", "one more", "one less", "small", "empty"} {
		must(t, os.WriteFile(filepath.Join(dir, name), files[name], 0o644))
	}
	appendPieces(t, filepath.Join(dir, "pieces"), rnd)
}

func appendPieces(t testing.TB, path string, rnd *rand.Rand) {
	t.Helper()
	for range 20 {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		must(t, err)
		_, err = f.Write(Content(rnd, 70_000))
		must(t, err)
		must(t, f.Close())
	}
}

func richStreams(t testing.TB, dir string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(dir, "streams"), 0o755))
	file := filepath.Join(dir, "streams", "a.txt")
	must(t, os.WriteFile(file, []byte("main"), 0o644))
	must(t, os.WriteFile(file+":Zone.Identifier", []byte("[ZoneTransfer]\r\nZoneId=3\r\n"), 0o644))
	must(t, os.WriteFile(file+":big", bytes.Repeat([]byte("0123456789abcdef"), 5000), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "streams")+":note", []byte("on a folder"), 0o644))
}

func richLinks(t testing.TB, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	first := filepath.Join(dir, "hl0")
	must(t, os.WriteFile(first, bytes.Repeat([]byte("linked "), 3000), 0o644))
	for i := range 60 {
		must(t, os.Link(first, filepath.Join(dir, fmt.Sprintf("%s%02d", strings.Repeat("l", 98), i))))
	}
}

func richReparse(t testing.TB, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"junction", "mountpoint"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	for _, name := range []string{"symlink", "symlink abs", "lx symlink", "appexec", "cloud"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	Reparse(t, filepath.Join(dir, "junction"), 0xA0000003, LinkData(`\??\C:\Users\Public`, `C:\Users\Public`, false, 0))
	Reparse(t, filepath.Join(dir, "mountpoint"), 0xA0000003, LinkData(`\??\Volume{12345678-1234-1234-1234-123456789abc}\`, "", false, 0))
	Reparse(t, filepath.Join(dir, "symlink"), 0xA000000C, LinkData(`..\names\lower`, `..\names\lower`, true, 1))
	Reparse(t, filepath.Join(dir, "symlink abs"), 0xA000000C, LinkData(`\??\D:\x\y`, `D:\x\y`, true, 0))
	Reparse(t, filepath.Join(dir, "lx symlink"), 0xA000001D, append([]byte{2, 0, 0, 0}, "../names/日本語"...))
	Reparse(t, filepath.Join(dir, "appexec"), 0x8000001B, append([]byte{3, 0, 0, 0}, utf16le("pkg\x00entry\x00C:\\x.exe\x00")...))
	Reparse(t, filepath.Join(dir, "cloud"), 0x9000701A, make([]byte, 32))
}

func richMeta(t testing.TB, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"hidden", "ea", "objid", "old", "future"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	Attributes(t, filepath.Join(dir, "hidden"), 0x6)
	EAs(t, filepath.Join(dir, "ea"), []string{"$LXUID", "$LXGID", "$LXMOD", "USER.X"}, map[string][]byte{
		"$LXUID": {0xE8, 3, 0, 0}, "$LXGID": {0xE9, 3, 0, 0}, "$LXMOD": {0xA4, 0x81, 0, 0}, "USER.X": []byte("value")})
	ObjectID(t, filepath.Join(dir, "objid"), "00112233445566778899aabbccddeeff")
	Times(t, filepath.Join(dir, "old"), 1, 10_000_000, 20_000_000)
	Times(t, filepath.Join(dir, "future"), 1<<62, 1<<61, 1<<60)
}

func huge(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("end of a hole longer than the volume"), 600<<20)
	must(t, err)
}

func utf16le(s string) []byte {
	var b []byte
	for _, r := range s {
		if r >= 0x10000 {
			b = binary.LittleEndian.AppendUint16(b, uint16(0xD800+(r-0x10000)>>10))
			r = 0xDC00 + (r-0x10000)&0x3FF
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}

// FragmentMFT leaves $MFT and a folder's index in very many pieces: it fills
// the volume with small files, deletes every second one, fills most of the
// gaps that are left together, and makes n files in one folder. Meant for a
// volume of 32 to 128 MiB.
func FragmentMFT(t testing.TB, dir string, n int) {
	t.Helper()
	fill := filepath.Join(dir, "fill")
	must(t, os.Mkdir(fill, 0o755))
	made := 0
	for os.WriteFile(filepath.Join(fill, fmt.Sprintf("%06d", made)), make([]byte, 4096), 0o644) == nil {
		made++
	}
	for i := 0; i < made; i += 2 {
		must(t, os.Remove(filepath.Join(fill, fmt.Sprintf("%06d", i))))
	}
	os.Remove(filepath.Join(fill, fmt.Sprintf("%06d", made)))
	many := filepath.Join(dir, "many")
	must(t, os.Mkdir(many, 0o755))
	for i := range n {
		name := fmt.Sprintf("%s %06d", strings.Repeat("a long name ", 8), i)
		must(t, os.WriteFile(filepath.Join(many, name), []byte(fmt.Sprint(i)), 0o644))
	}
}

// StaleIndex leaves a folder whose index once held n names and now holds ten.
func StaleIndex(t testing.TB, dir string, n int) {
	t.Helper()
	dir = filepath.Join(dir, "stale")
	must(t, os.Mkdir(dir, 0o755))
	for i := range n {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("name %06d", i)), nil, 0o644))
	}
	for i := range n {
		if i%(n/10) != 0 {
			must(t, os.Remove(filepath.Join(dir, fmt.Sprintf("name %06d", i))))
		}
	}
}
