package ntfsparse_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/ntfsparse"
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

// TestRealQuotas reads the quota table of a volume made by Windows.
func TestRealQuotas(t *testing.T) {
	v := open(t, unpack(t, filepath.Join(samples(t), "good", "velociraptor-test.ntfs.dd.E01")))
	var got []ntfsparse.Quota
	err := v.Quotas(func(q ntfsparse.Quota, err error) bool {
		if err != nil {
			t.Error(err)
		}
		got = append(got, q)
		return true
	})
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := got[0]; d.ID != ntfsparse.QuotaDefaults || d.Flags != ntfsparse.QuotaUseDefaults || d.Limit != -1 || d.SID != "" {
		t.Errorf("%+v", d)
	}
	if a := got[1]; a.ID != 0x100 || a.SID != "S-1-5-32-544" || a.Used != 0 || a.Threshold != -1 || a.Exceeded != 0 {
		t.Errorf("%+v", a)
	}
}

// TestRealSecurity writes the descriptors of a volume made by Windows in SDDL.
// That of the root is the one that Windows' documentation gives as the default.
func TestRealSecurity(t *testing.T) {
	v := open(t, unpack(t, filepath.Join(samples(t), "good", "velociraptor-test.ntfs.dd.E01")))
	for path, want := range map[string]string{
		"":        "O:SYG:SYD:(A;;FA;;;BA)(A;OICIIO;GA;;;BA)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)",
		"$MFT":    "O:SYG:BAD:(A;;FR;;;SY)(A;;FR;;;BA)",
		"$UpCase": "O:SYG:BAD:(A;;FR;;;SY)(A;;FR;;;BA)",
	} {
		f, err := v.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.Security()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ntfsparse.SDDL(b); got != want || err != nil {
			t.Errorf("%q: %s, %v; %x", path, got, err, b)
		}
	}
}
