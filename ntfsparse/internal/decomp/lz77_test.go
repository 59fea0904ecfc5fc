package decomp

import (
	"bytes"
	"strings"
	"testing"

	"vitrine/internal/testvol"
)

// lz77Cases are the examples of [MS-XCA 3.1] and streams written by hand.
var lz77Cases = []struct {
	name  string
	src   string
	plain string
	bad   string
}{
	{name: "specification, plain bytes", src: "\x3f\x00\x00\x00abcdefghijklmnopqrstuvwxyz", plain: "abcdefghijklmnopqrstuvwxyz"},
	{name: "specification, pairs", src: "\xff\xff\xff\x1fabc\x17\x00\x0f\xff\x26\x01", plain: strings.Repeat("abc", 100)},
	{name: "empty", src: "", plain: ""},
	{name: "short pair", src: "\x00\x00\x00\x40a\x06\x00", plain: strings.Repeat("a", 10)},
	{name: "half byte", src: "\x00\x00\x00\x40a\x07\x00\x0e", plain: strings.Repeat("a", 1+7+14+3)},
	{name: "half bytes shared", src: "\x00\x00\x00\x60a\x07\x00\x20\x07\x00", plain: strings.Repeat("a", 1+10+12)},
	{name: "half byte shared beyond a plain byte", src: "\x00\x00\x00\x50a\x07\x00\x20b\x07\x00", plain: strings.Repeat("a", 11) + strings.Repeat("b", 13)},
	{name: "one byte", src: "\x00\x00\x00\x40a\x07\x00\x0f\xfe", plain: strings.Repeat("a", 1+254+25)},
	{name: "two bytes", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x00\x10", plain: strings.Repeat("a", 1+4096+3)},
	{name: "four bytes", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x00\x00\x00\x00\x01\x00", plain: strings.Repeat("a", 1+65536+3)},
	{name: "bytes behind the end", src: "\x3f\x00\x00\x00abc\xff\xff", plain: "abc"},
	{name: "no flags", src: "\x3f\x00\x00", plain: "a", bad: "flags"},
	{name: "no plain byte", src: "\x3f\x00\x00\x00ab", plain: "abc", bad: "plain bytes are cut"},
	{name: "half a pair", src: "\x00\x00\x00\x40a\x06", plain: "aaaa", bad: "pair is cut"},
	{name: "half byte missing", src: "\x00\x00\x00\x40a\x07\x00", plain: strings.Repeat("a", 12), bad: "pair is cut"},
	{name: "long byte missing", src: "\x00\x00\x00\x40a\x07\x00\x0f", plain: strings.Repeat("a", 40), bad: "pair is cut"},
	{name: "two bytes missing", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x00", plain: strings.Repeat("a", 400), bad: "pair is cut"},
	{name: "four bytes missing", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x00\x00\x01\x00\x00", plain: strings.Repeat("a", 400), bad: "pair is cut"},
	{name: "length too small for its form", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x15\x00", plain: strings.Repeat("a", 25), bad: "pair is cut"},
	{name: "before the start", src: "\x00\x00\x00\x40a\x08\x00", plain: "aaaa", bad: "before the start"},
	{name: "pair first", src: "\x00\x00\x00\x80\x00\x00", plain: "aaa", bad: "before the start"},
	{name: "more than room", src: "\x00\x00\x00\x40a\x06\x00", plain: "aaaa", bad: "more than there is room"},
	{name: "far more than room", src: "\x00\x00\x00\x40a\x07\x00\x0f\xff\x00\x00\xff\xff\xff\xff", plain: "aaaa", bad: "more than there is room"},
}

func TestLZ77Cases(t *testing.T) {
	for _, c := range lz77Cases {
		dst := bytes.Repeat([]byte{0xAA}, len(c.plain))
		err := LZ77(dst, []byte(c.src))
		checkError(t, err)
		switch {
		case c.bad == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%s: error %v, want one of %q", c.name, err, c.bad)
		case c.bad == "" && string(dst) != c.plain:
			t.Errorf("%s: %q", c.name, dst)
		}
	}
}

func TestLZ77RoundTrip(t *testing.T) {
	for name, data := range plainFiles(t) {
		dst := make([]byte, len(data))
		if err := LZ77(dst, testvol.CompressLZ77(data)); err != nil || !bytes.Equal(dst, data) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func BenchmarkLZ77(b *testing.B) {
	files := plainFiles(b)
	for _, name := range []string{"text", "exe", "noise"} {
		b.Run(name, func(b *testing.B) {
			var stored [][]byte
			for data := files[name]; len(data) >= 65536; data = data[65536:] {
				stored = append(stored, testvol.CompressLZ77(data[:65536]))
			}
			dst := make([]byte, 65536)
			b.SetBytes(int64(len(stored) * len(dst)))
			b.ReportAllocs()
			b.ResetTimer()
			reportCPU(b, len(stored)*len(dst)*b.N, func() {
				for range b.N {
					for _, s := range stored {
						must(b, LZ77(dst, s))
					}
				}
			})
		})
	}
}

func FuzzLZ77(f *testing.F) {
	for _, c := range lz77Cases {
		f.Add([]byte(c.src), uint32(len(c.plain)))
	}
	f.Add(testvol.CompressLZ77([]byte(strings.Repeat("some text, some more text; ", 300))), uint32(8100))
	f.Fuzz(func(t *testing.T, src []byte, room uint32) {
		dst := make([]byte, room%(1<<20))
		err := LZ77(dst, src)
		checkError(t, err)
		if err == nil && !bytes.Equal(dst, lz77Slowly(src, len(dst))) {
			t.Fatal("differs from the slow decoder")
		}
	})
}
