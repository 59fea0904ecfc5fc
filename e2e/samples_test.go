package e2e

import (
	"archive/zip"
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// samplesDir is where volumes that other people made lie; they are not part of
// the project.
func samplesDir(t *testing.T) string {
	for _, d := range []string{os.Getenv("VITRINE_SAMPLES"), "../../shared/samples"} {
		if _, err := os.Stat(filepath.Join(d, "good")); d != "" && err == nil {
			return filepath.Join(d, "good")
		}
	}
	t.Skip("no foreign samples on this machine: set VITRINE_SAMPLES")
	return ""
}

// unpack gives the raw volume inside a sample.
func unpack(t *testing.T, p string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sample.raw")
	base := filepath.Base(p)
	switch {
	case strings.HasSuffix(base, ".E01"):
		sh(t, "ewfexport", "-u", "-q", "-f", "raw", "-t", strings.TrimSuffix(out, ".raw"), p)
	case strings.HasSuffix(base, ".zip"):
		unzip(t, p, out)
	case strings.HasSuffix(base, ".tar.xz"):
		sh(t, "sh", "-c", "tar -xOJf '"+p+"' > '"+out+"'")
	case strings.HasSuffix(base, ".xz"):
		sh(t, "sh", "-c", "xz -dc '"+p+"' > '"+out+"'")
	case strings.HasSuffix(base, ".bz2"):
		sh(t, "sh", "-c", "bzip2 -dc '"+p+"' > '"+out+"'")
	case strings.HasSuffix(base, ".gz"):
		sh(t, "sh", "-c", "gzip -dc '"+p+"' > '"+out+"'")
	default:
		return ""
	}
	return out
}

// unzip takes the largest member.
func unzip(t *testing.T, p, out string) {
	z, err := zip.OpenReader(p)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	sort.Slice(z.File, func(i, j int) bool { return z.File[i].UncompressedSize64 > z.File[j].UncompressedSize64 })
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		t.Fatal(err)
	}
}

// TestSamples captures and mounts every sound foreign sample and compares the
// tree with ntfs-3g's and with what fls lists.
func TestSamples(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(samplesDir(t), "*"))
	for _, p := range files {
		t.Run(filepath.Base(p), func(t *testing.T) {
			raw := unpack(t, p)
			if raw == "" {
				t.Skip("not a volume")
			}
			images := t.TempDir()
			vitrine(t, "capture", raw, "-o", images)
			var want tree
			ntfs3g(t, raw, "ro,noatime,streams_interface=windows", func(dir string) { want = treeOf(t, dir) })
			mounted(t, images, nil, func(dir string) {
				got := treeOf(t, dir)
				same(t, "ntfs-3g", got, want, nil)
				compareFLS(t, raw, got)
			})
			vitrine(t, "verify", images)
		})
	}
}

// compareFLS wants every live path that The Sleuth Kit lists, and no other.
func compareFLS(t *testing.T, raw string, got tree) {
	t.Helper()
	out, err := exec.Command("fls", "-r", "-p", "-u", "-f", "ntfs", raw).Output()
	if err != nil {
		t.Fatalf("fls: %v", err)
	}
	listed := map[string]bool{}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		kind, name, ok := strings.Cut(s.Text(), "\t")
		if strings.HasPrefix(kind, "-/") {
			continue // no entry of its folder's index: left over in a free part of it
		}
		name = strings.TrimSuffix(name, "/")
		first, _, _ := strings.Cut(name, "/")
		if !ok || (strings.HasPrefix(first, "$") && first != "$RECYCLE.BIN") || strings.Contains(name, ":") {
			continue // metafiles, orphans, streams
		}
		listed[name] = true
	}
	for p := range got {
		if !listed[p] {
			t.Errorf("fls does not list %q", p)
		}
	}
	for p := range listed {
		if _, ok := got[p]; !ok {
			t.Errorf("fls lists %q, the mount does not", p)
		}
	}
}
