package decomp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// samples is the folder of volumes and structures that other people made, or "".
func samples() string {
	if p := os.Getenv("VITRINE_SAMPLES"); p != "" {
		return p
	}
	dir, _ := os.Getwd()
	for ; len(dir) > 1; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			p := filepath.Join(dir, "..", "shared", "samples")
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
	}
	return ""
}

func sample(t testing.TB, name string) []byte {
	if samples() == "" {
		t.Skip("no samples: set VITRINE_SAMPLES")
	}
	b, err := os.ReadFile(filepath.Join(samples(), "structures", name))
	must(t, err)
	return b
}

// plainFiles are contents of every kind that the round trips need.
func plainFiles(t testing.TB) map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 150_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var text bytes.Buffer
	for i := 0; text.Len() < 700_000; i++ {
		fmt.Fprintf(&text, "2026-11-%02d %02d:%02d host-%d service[%d]: request %d done in %d ms\r\n",
			1+i/9000, i/60%24, i%60, rng.IntN(9), 100+rng.IntN(50), i, rng.IntN(3000))
	}
	exe := executable(t)
	mixed := append(append(append([]byte{}, text.Bytes()[:100_000]...), noise[:90_000]...), exe[:90_000]...)
	all := map[string][]byte{
		"noise": noise, "text": text.Bytes(), "exe": exe, "mixed": mixed,
		"zeros": make([]byte, 100_000), "pairs": bytes.Repeat([]byte("ab"), 40_000),
		"long":  append(bytes.Repeat([]byte{7}, 32768), bytes.Repeat([]byte("0123456"), 9000)...),
		"calls": calls(rng), "short": text.Bytes()[:1500],
	}
	for _, n := range []int{4095, 4096, 4097, 8192, 16384, 32767, 32768, 32769, 65536} {
		all[fmt.Sprint("text", n)] = text.Bytes()[:n]
	}
	return all
}

// executable is x86 code: the test's own program on amd64, the Go tool else.
func executable(t testing.TB) []byte {
	p, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(len(b), 2<<20)]
}

// calls is dense with E8 bytes and targets around every border of the
// translation.
func calls(rng *rand.Rand) []byte {
	var b []byte
	for len(b) < 120_000 {
		b = append(b, "mov eax"[:rng.IntN(8)]...)
		v := []int32{0, 1, -1, int32(rng.IntN(40000)), -int32(rng.IntN(40000)), e8FileSize - 1, e8FileSize, int32(rng.Uint32()), e8FileSize - int32(rng.IntN(40000))}[rng.IntN(9)]
		b = le.AppendUint32(append(b, 0xe8), uint32(v))
	}
	return b
}
