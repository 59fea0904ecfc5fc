package zblock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var levels = map[string]Level{"fast": Fast, "double": Double}

// cases are blocks that bring out each shape of a frame.
func cases() map[string][]byte {
	list := map[string][]byte{
		"zeros":   make([]byte, Size),
		"ones":    bytes.Repeat([]byte{1}, Size),
		"noise":   noise(256, 1),
		"counter": make([]byte, Size),
	}
	for i := range Size / 4 {
		binary.LittleEndian.PutUint32(list["counter"][4*i:], uint32(i)*7)
	}
	for _, symbols := range []int{2, 3, 5, 16, 100, 128, 129, 130, 192, 200, 255} {
		list[fmt.Sprint("symbols ", symbols)] = noise(symbols, 2)
		list[fmt.Sprint("skewed ", symbols)] = skewed(symbols)
	}
	for _, period := range []int{2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 255, 4096, 32768, Size - 5} {
		list[fmt.Sprint("period ", period)] = bytes.Repeat(noise(256, 3)[:period], Size/period+1)[:Size]
	}
	// As many literals as there are sizes of headers, and their neighbours.
	for _, n := range []int{5, 16, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097, 16383, 16384, 16385, Size - 40, Size - 20, Size - 8} {
		list[fmt.Sprint("noise and zeros ", n)] = append(noise(256, 4)[:n:n], make([]byte, Size-n)...)
		list[fmt.Sprint("letters and zeros ", n)] = append(noise(20, 4)[:n:n], make([]byte, Size-n)...)
		list[fmt.Sprint("zeros and letters ", n)] = append(make([]byte, Size-n), noise(20, 5)[:n]...)
		list[fmt.Sprint("one value, then copies ", n)] = append(bytes.Repeat([]byte{7}, n), bytes.Repeat([]byte("abcde"), Size)[:Size-n]...)
	}
	for seed := range uint64(40) {
		list[fmt.Sprint("mix ", seed)] = mix(rand.New(rand.NewPCG(seed, 6)))
	}
	return list
}

func noise(symbols int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(symbols)))
	b := make([]byte, Size)
	for i := range b {
		b[i] = byte(r.IntN(symbols))
	}
	return b
}

// skewed has symbols whose frequencies fall by half, so that codes get long.
func skewed(symbols int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(symbols)))
	b := make([]byte, Size)
	for i := range b {
		b[i] = byte(min(int(r.ExpFloat64()*1.2), symbols-1))
		if r.IntN(100) == 0 {
			b[i] = byte(r.IntN(symbols))
		}
	}
	return b
}

// mix is runs of noise, of few letters, of one value and copies of what was before.
func mix(r *rand.Rand) []byte {
	b := make([]byte, 0, Size)
	for len(b) < Size {
		n := min(1+int(r.ExpFloat64()*float64(int(1)<<r.IntN(12))), Size-len(b))
		kind, v := r.IntN(4), byte(r.Uint32())
		for range n {
			switch {
			case kind == 0:
				b = append(b, byte(r.Uint32()))
			case kind == 1:
				b = append(b, v+byte(r.IntN(9)))
			case kind == 2 || len(b) == 0:
				b = append(b, v)
			default:
				b = append(b, b[max(0, len(b)-1-int(v)*199)])
			}
		}
	}
	return b
}

// files are blocks of real files: those that Go brings, or that
// ZBLOCK_SAMPLE names.
func files(tb testing.TB, most int) [][]byte {
	tb.Helper()
	var list [][]byte
	add := func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		for ; len(data) >= Size && len(list) < most; data = data[Size:] {
			list = append(list, data[:Size])
		}
	}
	if name := os.Getenv("ZBLOCK_SAMPLE"); name != "" {
		add(name)
		return list
	}
	//lint:ignore SA1019 any tree of real files will do
	filepath.WalkDir(runtime.GOROOT(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		add(path)
		if len(list) == most {
			return fs.SkipAll
		}
		return nil
	})
	return list
}

func decoder(tb testing.TB) *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(Size))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Close)
	return d
}

// check encodes a block and decodes it again.
func check(t *testing.T, e *Encoder, d *zstd.Decoder, plain []byte) []byte {
	t.Helper()
	frame, ok := e.Encode(nil, plain, Size)
	if !ok {
		return nil
	}
	if len(frame) > Size {
		t.Fatalf("a frame of %d bytes", len(frame))
	}
	got, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("decoded to %d bytes, as they were: %v; %v", len(got), bytes.Equal(got, plain), err)
	}
	return frame
}

func TestRoundTrip(t *testing.T) {
	d := decoder(t)
	for name, l := range levels {
		e := New(l)
		for what, b := range cases() {
			t.Run(name+"/"+what, func(t *testing.T) { check(t, e, d, b) })
		}
		for _, b := range files(t, 500) {
			check(t, e, d, b)
		}
	}
}

// TestIndependent: neither the blocks before nor the slack show in a frame.
func TestIndependent(t *testing.T) {
	for name, l := range levels {
		used := New(l)
		for what, b := range cases() {
			fresh, ok := New(l).Encode(nil, b[:Size:Size], Size)
			slack := append(append(make([]byte, 0, 2*Size), b...), b[:Slack]...)
			again, ok2 := used.Encode([]byte("before"), slack[:Size], Size)
			if ok != ok2 || ok && string(again) != "before"+string(fresh) {
				t.Errorf("%s/%s: another frame", name, what)
			}
		}
	}
}

// TestMost: a frame that fits exactly is given, one that does not is not.
func TestMost(t *testing.T) {
	for name, l := range levels {
		e := New(l)
		for what, b := range cases() {
			frame, ok := e.Encode(nil, b, Size)
			if !ok {
				continue
			}
			if _, ok := e.Encode(nil, b, len(frame)); !ok {
				t.Errorf("%s/%s: refused with just enough room", name, what)
			}
			dst := []byte{1, 2, 3}
			if out, ok := e.Encode(dst, b, len(frame)-1); ok || string(out) != string(dst) {
				t.Errorf("%s/%s: %v, %d bytes with too little room", name, what, ok, len(out))
			}
		}
	}
}

// TestSize: frames are about as small as those of the package that decodes them.
func TestSize(t *testing.T) {
	for name, theirs := range map[string]zstd.EncoderLevel{"fast": zstd.SpeedFastest, "double": zstd.SpeedDefault} {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(theirs), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
		if err != nil {
			t.Fatal(err)
		}
		e := New(levels[name])
		us, them := 0, 0
		for _, b := range files(t, 500) {
			n := Size
			if f, ok := e.Encode(nil, b, Size); ok {
				n = len(f)
			}
			us, them = us+n, them+len(z.EncodeAll(b, nil))
		}
		t.Logf("%s: %d bytes, %.3f of theirs", name, us, float64(us)/float64(them))
		if us > them+them/100 {
			t.Errorf("%s: %d bytes, theirs %d", name, us, them)
		}
	}
}

// FuzzEncode builds a block from the data, as instructions: literals, or a copy
// of what was before.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("\x05hello\x85\x01\x00\xff\x02\x00"))
	f.Add(bytes.Repeat([]byte{0x83, 1, 0, 1, 'x'}, 50))
	d := decoder(f)
	encoders := map[string]*Encoder{"fast": New(Fast), "double": New(Double)}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := build(data)
		for _, e := range encoders {
			check(t, e, d, b)
		}
	})
}

// build follows instructions, again and again until the block is full.
func build(data []byte) []byte {
	b := make([]byte, 0, Size)
	for at := 0; len(data) > 0 && len(b) < Size; {
		next := func() int {
			v := data[at%len(data)]
			at++
			return int(v) + at/len(data)*31&0xFF
		}
		if op := next() & 0xFF; op < 128 || len(b) == 0 {
			for range op&127 + 1 {
				b = append(b, byte(next()))
			}
		} else {
			off := next() | next()<<8
			for range (op&127)*(op&127)/16 + 3 {
				b = append(b, b[max(0, len(b)-1-off)])
			}
		}
	}
	return append(b, make([]byte, Size)...)[:Size]
}

func BenchmarkEncode(b *testing.B) {
	blocks := files(b, 1000)
	for name, l := range levels {
		b.Run(name, func(b *testing.B) {
			e := New(l)
			out := make([]byte, 0, 4*Size)
			b.SetBytes(Size)
			for i := 0; b.Loop(); i++ {
				e.Encode(out, blocks[i%len(blocks)], Size-Size/16)
			}
		})
	}
}

// TestNoisy: only what Huffman codes cannot shorten is taken for noise.
func TestNoisy(t *testing.T) {
	for symbols, want := range map[int]bool{256: true, 250: true, 181: false, 128: false, 20: false} {
		if got := noisy(noise(symbols, 8)); got != want {
			t.Errorf("%d even symbols: %v", symbols, got)
		}
	}
	if noisy(skewed(255)) {
		t.Error("uneven symbols")
	}
}
