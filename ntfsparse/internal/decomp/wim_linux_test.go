package decomp

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// wim compresses data with wimlib and returns the stored resource: n-1 offsets
// of four bytes, then the chunks. That is also what CompactOS stores.
func wim(t testing.TB, data []byte, method string, chunk int) []byte {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	must(t, os.Mkdir(src, 0o755))
	must(t, os.WriteFile(filepath.Join(src, "f"), data, 0o644))
	out := filepath.Join(dir, "f.wim")
	cmd := exec.Command("wimcapture", src, out, "--compress="+method, fmt.Sprint("--chunk-size=", chunk), "--threads=1")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("wimcapture (package wimtools) is needed: %v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	must(t, err)
	return resource(t, b, sha1.Sum(data))
}

// resource finds a stream in a WIM by its SHA-1: the look-up table's header
// entry stands at byte 48 of the file, its entries have 50 bytes.
func resource(t testing.TB, b []byte, sum [20]byte) []byte {
	size := int(le.Uint64(b[48:]) & (1<<56 - 1))
	at := int(le.Uint64(b[56:]))
	for table := b[at : at+size]; len(table) >= 50; table = table[50:] {
		if bytes.Equal(table[30:50], sum[:]) {
			n, off := le.Uint64(table)&(1<<56-1), le.Uint64(table[8:])
			return b[off : off+n]
		}
	}
	t.Fatal("the stream is not in the WIM")
	return nil
}

// piece is one stored chunk and its plain length.
type piece struct {
	stored []byte
	plain  int
}

func pieces(res []byte, size, chunk int) []piece {
	n := (size + chunk - 1) / chunk
	body := res[4*(n-1):]
	var out []piece
	for i := range n {
		from, to := 0, len(body)
		if i > 0 {
			from = int(le.Uint32(res[4*(i-1):]))
		}
		if i < n-1 {
			to = int(le.Uint32(res[4*i:]))
		}
		out = append(out, piece{body[from:to], min(chunk, size-i*chunk)})
	}
	return out
}

type method struct {
	name  string
	chunk int
	run   func(dst, src []byte) error
}

var methods = []method{{"XPRESS", 4096, Xpress}, {"XPRESS", 8192, Xpress}, {"XPRESS", 16384, Xpress}, {"LZX", 32768, LZX}}

func TestAgainstWimlib(t *testing.T) {
	files := plainFiles(t)
	for _, m := range methods {
		for name, data := range files {
			t.Run(fmt.Sprintf("%s%d/%s", m.name, m.chunk, name), func(t *testing.T) {
				res := wim(t, data, m.name, m.chunk)
				if len(res) == len(data) {
					t.Skip("wimlib stores this file plain; the mixed file has such chunks")
				}
				compare(t, m, data, pieces(res, len(data), m.chunk))
			})
		}
	}
}

func compare(t *testing.T, m method, data []byte, ps []piece) {
	pos := 0
	for i, p := range ps {
		got := make([]byte, p.plain)
		if len(p.stored) == p.plain {
			copy(got, p.stored)
		} else if err := m.run(got, p.stored); err != nil {
			t.Fatalf("chunk %d of %d: %v", i, len(ps), err)
		}
		if !bytes.Equal(got, data[pos:pos+p.plain]) {
			t.Fatalf("chunk %d of %d differs", i, len(ps))
		}
		pos += p.plain
	}
}

// compressed returns chunks that are really compressed.
func compressed(t testing.TB, m method, data []byte) (out []piece) {
	for _, p := range pieces(wim(t, data, m.name, m.chunk), len(data), m.chunk) {
		if len(p.stored) < p.plain {
			out = append(out, p)
		}
	}
	return out
}

func TestDamagedChunksEndInErrorsOrData(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, m := range methods {
		for _, p := range compressed(t, m, executable(t)[:200_000]) {
			b, dst := bytes.Clone(p.stored), make([]byte, p.plain)
			for range 40 {
				b[rng.IntN(len(b))] = byte(rng.Uint32())
				checkError(t, m.run(dst, b))
				checkError(t, m.run(dst, p.stored[:rng.IntN(len(b))]))
			}
		}
	}
}

func BenchmarkWim(b *testing.B) {
	files := plainFiles(b)
	for _, m := range methods {
		for _, name := range []string{"text", "exe"} {
			b.Run(fmt.Sprintf("%s%d/%s", m.name, m.chunk, name), func(b *testing.B) {
				ps := compressed(b, m, files[name])
				dst := make([]byte, m.chunk)
				plain := 0
				for _, p := range ps {
					plain += p.plain
				}
				b.SetBytes(int64(plain))
				b.ReportAllocs()
				b.ResetTimer()
				reportCPU(b, plain*b.N, func() {
					for range b.N {
						for _, p := range ps {
							must(b, m.run(dst[:p.plain], p.stored))
						}
					}
				})
			})
		}
	}
}

func TestRealLZNT1(t *testing.T) {
	src := sample(t, "lznt1_real.bin")
	dst := make([]byte, 65536)
	n, err := LZNT1(dst, src)
	must(t, err)
	text := strings.ReplaceAll(string(dst[:n]), "\x00", "")
	if !strings.HasPrefix(text, "Version=1\r\n") && !strings.Contains(text, "Version") {
		t.Fatalf("%d bytes: %.80q", n, text)
	}
	t.Logf("%d bytes from %d, ends %.60q", n, len(src), text[max(0, len(text)-60):])
}

func FuzzXpress(f *testing.F) {
	fuzzChunk(f, methods[:3], func(src []byte, size int) []byte { return xpressSlowly(src, size, 2) })
}

func FuzzLZX(f *testing.F) {
	for i, kind := range []uint16{1, 2, 3} { // the head of a block of 64 bytes
		b := le.AppendUint16(nil, kind<<13|64>>4)
		b = append(b, 0, byte(64&15<<4))
		for range 3 {
			b = le.AppendUint32(b, uint32(i+1))
		}
		f.Add(append(b, "a call \xE8\x10\x20\x30\x00, \xE8\xFF\xFF\xFF\xFF, text, text, text, text, text, and more of it"...), uint16(64))
	}
	fuzzChunk(f, methods[3:], lzxSlowly)
}

// fuzzChunk looks that what a decoder takes for sound it expands as the slow one
// does.
func fuzzChunk(f *testing.F, ms []method, slowly func(src []byte, size int) []byte) {
	files := plainFiles(f)
	for _, m := range ms {
		for _, data := range [][]byte{files["text"], files["mixed"], files["exe"]} {
			for i, p := range compressed(f, m, data[:min(len(data), 300_000)]) {
				if i < 3 {
					f.Add(p.stored, uint16(p.plain))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, room uint16) {
		dst := make([]byte, room)
		err := ms[0].run(dst, src)
		checkError(t, err)
		if err == nil && !bytes.Equal(dst, slowly(src, len(dst))) {
			t.Fatal("differs from the slow decoder")
		}
	})
}

// TestXpressIsTheSlowOne: what the fast decoder takes for sound, it expands as
// the specification says, in damaged chunks, too.
func TestXpressIsTheSlowOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	sound := 0
	for _, m := range methods[:3] {
		for _, p := range compressed(t, m, plainFiles(t)["mixed"][:150_000]) {
			for range 20 {
				b, dst := bytes.Clone(p.stored), make([]byte, p.plain)
				if err := m.run(dst, b); err == nil {
					sound++
					if want := xpressSlowly(b, p.plain, 2); !bytes.Equal(dst, want) {
						t.Fatalf("%s %d: differs", m.name, m.chunk)
					}
				}
				p.stored = b
				b[xpressTable+rng.IntN(len(b)-xpressTable)] ^= 1 << rng.IntN(8)
			}
		}
	}
	if sound < 100 {
		t.Errorf("only %d chunks were compared", sound)
	}
}
