package ntfsparse_test

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
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

// TestUndelete recovers what B. Carrier's test image documents.
func TestUndelete(t *testing.T) {
	v := open(t, unpack(t, filepath.Join(samples(t), "good", "dftt-7-undel-ntfs.zip")))
	want := map[string]string{
		"/res1.dat": "9036637712b491904cd0bfbdbe648453", "/sing1.dat": "59b20779f69ff9f0ac5fcd2c38835a79",
		"/mult1.dat": "ffd27bd782bdce67750b6b9ee069d2ef", "/mult1.dat:ADS": "ba1b9eedb1c091ddca253d35dde8f616",
		"/frag1.dat": "7a3bc5b763bef201202108f4ba128149", "/frag2.dat": "0e80ab84ef0087e60dfc67b88a1cf13e",
		"/dir1/mult2.dat": "59cf0e9cd107bc1e75afb7374f6e05bb", "/dir1/dir2/frag3.dat": "21121699487f3fbbdb9a4b3391b6d3e0",
		"/$Orphan-37/sing2.dat": "c229626f6a71b167ad7e50c4f2fccdb1",
	}
	got := map[string]string{}
	sum := func(path string, s *ntfsparse.Stream, err error) {
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		h := md5.New()
		io.Copy(h, io.NewSectionReader(s, 0, s.Size()))
		got[path] = fmt.Sprintf("%x", h.Sum(nil))
	}
	err := v.Deleted(context.Background(), func(d *ntfsparse.DeletedFile) error {
		if d.Info.IsDir {
			return nil
		}
		s, err := v.OpenDeleted(d.Ref)
		sum(d.Path, s, err)
		list, _ := v.DeletedStreams(d.Ref)
		for _, i := range list {
			if i.Name != "" {
				s, err := v.OpenDeletedStream(d.Ref, i.Name)
				sum(d.Path+":"+i.Name, s, err)
			}
		}
		return nil
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
