//go:build linux

package testvol

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// WOF names the four formats of CompactOS files by their number on disk.
type WOF uint32

// The formats, with the chunk sizes that wimlib is asked for.
const (
	XPRESS4K  WOF = 0
	LZX       WOF = 1
	XPRESS8K  WOF = 2
	XPRESS16K WOF = 3
)

var wofArgs = map[WOF][]string{
	XPRESS4K:  {"--compress=XPRESS", "--chunk-size=4096"},
	LZX:       {"--compress=LZX", "--chunk-size=32768"},
	XPRESS8K:  {"--compress=XPRESS", "--chunk-size=8192"},
	XPRESS16K: {"--compress=XPRESS", "--chunk-size=16384"},
}

// WOFChunk is the plain size of a format's chunks in bytes.
var WOFChunk = map[WOF]int{XPRESS4K: 4096, LZX: 32768, XPRESS8K: 8192, XPRESS16K: 16384}

// CompressWOF gives the bytes of a WofCompressedData stream for data, which
// must not be empty. wimlib stores a resource that does not shrink at all
// plainly; then ok is false.
func CompressWOF(t testing.TB, data []byte, format WOF) (stream []byte, ok bool) {
	t.Helper()
	tmp := t.TempDir()
	must(t, os.Mkdir(filepath.Join(tmp, "src"), 0o755))
	must(t, os.WriteFile(filepath.Join(tmp, "src", "f"), data, 0o644))
	wim := filepath.Join(tmp, "f.wim")
	Run(t, "wimlib-imagex", append([]string{"capture", filepath.Join(tmp, "src"), wim}, wofArgs[format]...)...)
	b, err := os.ReadFile(wim)
	must(t, err)
	return wimResource(t, b, sha1.Sum(data))
}

// wimResource finds a resource by its SHA-1 in the look-up table of a WIM:
// 50-byte entries (size 7 bytes, flags 1, offset 8, original size 8, part 2,
// references 4, hash 20), whose own place is in the header at 48.
func wimResource(t testing.TB, wim []byte, sum [20]byte) (stream []byte, ok bool) {
	t.Helper()
	le := binary.LittleEndian
	size := le.Uint64(wim[48:]) & (1<<56 - 1)
	off := le.Uint64(wim[56:])
	for table := wim[off : off+size]; len(table) >= 50; table = table[50:] {
		if !bytes.Equal(table[30:50], sum[:]) {
			continue
		}
		n, at := le.Uint64(table)&(1<<56-1), le.Uint64(table[8:])
		return wim[at : at+n], table[7]&4 != 0
	}
	t.Fatal("wimlib's file does not hold the resource")
	return nil, false
}

// WriteWOF makes a CompactOS file at path on a mounted volume. It reports
// false, and makes nothing, when the data cannot be compressed at all.
func WriteWOF(t testing.TB, path string, data []byte, format WOF) bool {
	t.Helper()
	stream, ok := CompressWOF(t, data, format)
	if !ok {
		return false
	}
	must(t, os.WriteFile(path, nil, 0o644))
	must(t, os.Truncate(path, int64(len(data))))
	must(t, os.WriteFile(path+":WofCompressedData", stream, 0o644))
	b := binary.LittleEndian.AppendUint32(nil, 1)
	for _, v := range []uint32{2, 1, uint32(format)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	Reparse(t, path, 0x80000017, b)
	return true
}

// String is the name used in file names of tests.
func (w WOF) String() string {
	return map[WOF]string{XPRESS4K: "xpress4k", LZX: "lzx", XPRESS8K: "xpress8k", XPRESS16K: "xpress16k"}[w]
}

// WOFSet writes files of every format and shape (text, code, mixed with
// incompressible chunks, below, at and above one chunk) into dir and returns
// their plain contents by name.
func WOFSet(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for format := XPRESS4K; format <= XPRESS16K; format++ {
		for shape, data := range wofShapes(t, WOFChunk[format]) {
			name := fmt.Sprintf("%v %s", format, shape)
			if WriteWOF(t, filepath.Join(dir, name), data, format) {
				files[name] = data
			}
		}
	}
	return files
}

func wofShapes(t testing.TB, chunk int) map[string][]byte {
	t.Helper()
	text := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. 0123456789\n"), 6000)
	mixed := append(append([]byte{}, text[:3*chunk]...), noise(2*chunk+77)...)
	code, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	return map[string][]byte{
		"text": text, "mixed": append(mixed, text[:chunk+5]...), "code": code[:min(len(code), 1<<20)],
		"short": text[:chunk-7], "exact": text[:chunk], "one more": text[:chunk+1],
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
