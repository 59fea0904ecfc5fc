package check

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpack returns the image in a sample, whatever packs it.
func unpack(t testing.TB, path string) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "image")
	for _, u := range []struct{ suffix, command string }{
		{".tar.xz", `tar -xJOf "$1" > "$2"`}, {".xz", `xz -dc "$1" > "$2"`}, {".gz", `gzip -dc "$1" > "$2"`},
		{".bz2", `bzip2 -dc "$1" > "$2"`}, {".zip", `unzip -p "$1" '*.dd' > "$2"`},
		{".E01", `ewfexport -u -q -f raw -S 0 -t "$2" "$1" && mv "$2.raw" "$2"`},
	} {
		if strings.HasSuffix(path, u.suffix) {
			msg, err := exec.Command("sh", "-c", u.command, "sh", path, out).CombinedOutput()
			if err != nil {
				t.Fatalf("%s (packages xz-utils, bzip2, unzip, ewf-tools): %v\n%s", u.command, err, msg)
			}
			return out
		}
	}
	t.Fatalf("no way to unpack %s", path)
	return ""
}

func TestGoodSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples(t), "good", "*"))
	must(t, err)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { sound(t, judgedFile(t, unpack(t, f))) })
	}
}

func TestDamagedSamples(t *testing.T) {
	dir := filepath.Join(samples(t), "corrupted")
	for name, want := range damagedSamples {
		t.Run(name, func(t *testing.T) {
			rep := judgedFile(t, unpack(t, filepath.Join(dir, name+".img.tar.xz")))
			got := codes(rep, Error)
			for _, code := range strings.Fields(want) {
				if !slices.Contains(got, code) {
					t.Errorf("%s is missing from %v", code, got)
				}
			}
		})
	}
}
