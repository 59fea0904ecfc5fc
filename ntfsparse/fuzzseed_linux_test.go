package ntfsparse

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"vitrine/internal/testvol"
)

// TestMakeFuzzVolume makes testdata/fuzz.img.gz, large.img.gz or dedup.img.gz anew when
// VITRINE_MAKE_SEEDS names it.
func TestMakeFuzzVolume(t *testing.T) {
	name := os.Getenv("VITRINE_MAKE_SEEDS")
	fill := map[string]func(*testing.T, string){"fuzz": fuzzContents, "large": largeContents, "dedup": dedupSeed}[name]
	if fill == nil {
		t.Skip("makes a test file; set VITRINE_MAKE_SEEDS to fuzz, large or dedup to do it")
	}
	o := testvol.Options{Size: 2 << 20, Label: "Fuzz", Args: []string{"-z", "1024"}}
	if name == "large" {
		o = testvol.Options{Size: 8 << 20, Label: "Large", Sector: 4096, Cluster: 64 << 10, Args: []string{"-z", "1024"}}
	}
	img := testvol.Make(t, o)
	testvol.With(t, img, func(dir string) { fill(t, dir) })
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	z.Write(b)
	z.Close()
	if err := os.WriteFile("testdata/"+name+".img.gz", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// dedupSeed makes a small chunk store and a deduplicated file in each form.
func dedupSeed(t *testing.T, dir string) {
	d := &testvol.Dedup{GUID: [16]byte{1, 2, 3}}
	data, maps := d.Container(false, 1, 1), d.Container(true, 1, 1)
	text := bytes.Repeat([]byte("text that compresses. "), 4000)
	a, b, c := data.AddData(text[:60000], true), data.AddData(text[10:3000], false), data.AddData(text[3:40000], true)
	data.Moved(c.Number, c.Offset)
	c.Offset = 0x5000
	whole := maps.AddMap(0, a, b, c, a)
	first := maps.AddMap(0, a, c)
	second := maps.AddMap(first.End, b, a)
	for name, point := range map[string][]byte{"form12": d.Point12(whole), "form21": d.Point21(whole), "form31": d.Point31(nil, whole),
		"parts": d.Point31(nil, first, second)} {
		testvol.WriteDedup(t, filepath.Join(dir, name), whole.End, point)
	}
	d.Write(t, dir)
}

func fuzzContents(t *testing.T, dir string) {
	os.Mkdir(filepath.Join(dir, "d"), 0o755)
	testvol.Compressed(t, filepath.Join(dir, "d"))
	largeContents(t, dir)
}

// largeContents are what any volume can have, however large its clusters.
func largeContents(t *testing.T, dir string) {
	p := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) {
		if err := os.WriteFile(p(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := bytes.Repeat([]byte("text that compresses. "), 4000)
	os.Mkdir(p("d"), 0o755)
	write("d/compressed", text[:70000])
	write("resident", []byte("small"))
	write("resident:stream", []byte("named"))
	testvol.WriteWOF(t, p("xpress"), text[:20000], testvol.XPRESS4K)
	testvol.WriteWOF(t, p("lzx"), text[:50000], testvol.LZX)
	testvol.Striped(t, p("striped"), 12)
	os.Truncate(p("striped"), 1<<30)
	for _, name := range []string{"l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8"} {
		os.Link(p("resident"), p(name+" "+string(bytes.Repeat([]byte("x"), 60))))
	}
	write("link", nil)
	testvol.Reparse(t, p("link"), 0xA000000C, testvol.LinkData(`..\a`, `..\a`, true, 1))
	write("ea", nil)
	testvol.EAs(t, p("ea"), []string{"$LXMOD"}, map[string][]byte{"$LXMOD": {0xA4, 0x81, 0, 0}})
	testvol.ObjectID(t, p("ea"), "00112233445566778899aabbccddeeff")
	os.Mkdir(p("many"), 0o755)
	for i := range 60 {
		write("many/a name of some length "+string(rune('A'+i)), nil)
	}
	write("gone", text[:9000])
	os.Remove(p("gone"))
}
