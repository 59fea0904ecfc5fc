package check

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
)

// TestMakeSmallVolume makes testdata/small.img.gz again when asked to.
func TestMakeSmallVolume(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	img := testvol.Make(t, testvol.Options{Size: 2 << 20, Cluster: 512, Args: []string{"-z", "1"}})
	testvol.With(t, img, func(dir string) { furnishSmall(t, dir) })
	b, err := os.ReadFile(img)
	must(t, err)
	keepVolume(t, "testdata/small.img.gz", b)
}

// keepVolume writes a test file.
func keepVolume(t *testing.T, path string, b []byte) {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, 9)
	must(t, err)
	_, err = z.Write(b)
	must(t, err)
	must(t, z.Close())
	must(t, os.WriteFile(path, out.Bytes(), 0o644))
	t.Logf("%d bytes", out.Len())
}

func furnishSmall(t testing.TB, dir string) {
	write := func(name string, data []byte) { must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644)) }
	for _, d := range []string{"many", "comp", "sub"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	for i := range 60 {
		write(fmt.Sprintf("many/%s %02d", strings.Repeat("name ", 9), i), nil)
	}
	testvol.Compressed(t, filepath.Join(dir, "comp"))
	write("comp/text", bytes.Repeat([]byte("compressible text\n"), 2000))
	write("plain", bytes.Repeat([]byte("plain "), 900))
	write("streams", []byte("main"))
	write("streams:aaa", []byte("first"))
	write("sub/linked", nil)
	for i := range 12 {
		must(t, os.Link(filepath.Join(dir, "sub/linked"), filepath.Join(dir, fmt.Sprintf("sub/%s%02d", strings.Repeat("l", 60), i))))
	}
	testvol.Striped(t, filepath.Join(dir, "striped"), 6)
	for _, n := range []string{"ea", "objid", "symlink"} {
		write(n, nil)
	}
	testvol.EAs(t, filepath.Join(dir, "ea"), []string{"USER.A"}, map[string][]byte{"USER.A": []byte("one")})
	testvol.ObjectID(t, filepath.Join(dir, "objid"), "00112233445566778899aabbccddeeff")
	testvol.Reparse(t, filepath.Join(dir, "symlink"), 0xA000000C, testvol.LinkData("plain", "plain", true, 1))
	testvol.WriteWOF(t, filepath.Join(dir, "wof"), bytes.Repeat([]byte("The quick brown fox. "), 500), testvol.XPRESS4K)
}
