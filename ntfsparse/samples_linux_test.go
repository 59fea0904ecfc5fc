package ntfsparse_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// samples is the folder of foreign samples, or skips the test.
func samples(t testing.TB) string {
	t.Helper()
	dirs := []string{os.Getenv("VITRINE_SAMPLES"), "../../shared/samples"}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "good")); dir != "" && err == nil {
			return dir
		}
	}
	t.Skip("the foreign samples are not here: set VITRINE_SAMPLES")
	return ""
}

// unpackers turn a sample into an image at $2.
var unpackers = map[string]string{
	".xz":     `xz -dc "$1" > "$2"`,
	".gz":     `gzip -dc "$1" > "$2"`,
	".bz2":    `bzip2 -dc "$1" > "$2"`,
	".zip":    `unzip -p "$1" '*.dd' > "$2"`,
	".tar.xz": `tar -xJOf "$1" > "$2"`,
	".E01":    `ewfexport -u -q -f raw -t "$2" "$1" > /dev/null && mv "$2.raw" "$2"`,
}

func unpack(t testing.TB, sample string) string {
	t.Helper()
	ext := filepath.Ext(sample)
	if strings.HasSuffix(sample, ".tar.xz") {
		ext = ".tar.xz"
	}
	img := filepath.Join(t.TempDir(), "image")
	out, err := exec.Command("sh", "-c", unpackers[ext], "sh", sample, img).CombinedOutput()
	if err != nil {
		t.Fatalf("unpack %s: %v\n%s", sample, err, out)
	}
	return img
}

func TestForeignVolumes(t *testing.T) {
	dir := filepath.Join(samples(t), "good")
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		t.Run(e.Name(), func(t *testing.T) {
			img := unpack(t, filepath.Join(dir, e.Name()))
			got := compare(t, img)
			t.Logf("%d names; %q", len(got), open(t, img).Notes())
			if len(got) < 1 {
				t.Error("no names")
			}
		})
	}
}
