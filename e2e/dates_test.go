package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDates: times that nanoseconds since 1970 in 64 bits cannot express are listed,
// searched by, mounted and copied as they are.
func TestDates(t *testing.T) {
	files := []struct {
		name  string
		steps uint64 // of 100 ns since 1601
		json  string
		line  string // of ls -l
	}{
		{"first", 1, "1601-01-01T00:00:00.0000001Z", "1601-01-01 00:00 "},
		{"old", 15_768_000_000_000_000 + 1_234_567, "1650-12-20T00:00:00.1234567Z", "1650-12-20 00:00 "},
		{"now", 133_000_000_000_000_000, "2022-06-18T04:26:40Z", "2022-06-18 04:26 "},
		{"late", 283_824_000_000_000_000, "2500-05-28T00:00:00Z", "2500-05-28 00:00 "},
		{"last", 1<<63 - 1, "+030828-09-14T02:48:05.4775807Z", "30828-09-14 02:48 "},
	}
	img := makeVolume(t, 16<<20)
	ntfs3g(t, img, "rw", func(dir string) {
		for _, f := range files {
			name := filepath.Join(dir, f.name)
			write(t, name, []byte(f.name))
			var times []byte
			for range 4 {
				times = binary.LittleEndian.AppendUint64(times, f.steps)
			}
			if err := syscall.Setxattr(name, "system.ntfs_times", times, 0); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Setenv("TZ", "UTC")
	set := t.TempDir()
	vitrine(t, "capture", img, "-o", set)
	list := vitrine(t, "ls", "-l", set+":/")
	for _, f := range files {
		if !strings.Contains(list, " "+f.line) {
			t.Errorf("no %q in\n%s", f.line, list)
		}
		told := vitrine(t, "stat", "--json", set+":/"+f.name)
		for _, field := range []string{"created", "modified", "accessed"} {
			if want := fmt.Sprintf("%q:%q", field, f.json); !strings.Contains(told, want) {
				t.Errorf("no %s in %s", want, told)
			}
		}
	}
	for _, c := range []struct{ flag, when, want string }{
		{"--newer", "2300-01-01", "/last /late"}, {"--older", "1660-01-01", "/first /old"},
		{"--newer", "0001-01-01", "/first /last /late /now /old"}, {"--older", "9999-12-31", "/first /late /now /old"},
	} {
		found := strings.Fields(vitrine(t, "find", set+":/", "--type", "f", c.flag, c.when))
		slices.Sort(found)
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("find %s %s: %s", c.flag, c.when, got)
		}
	}
	same := func(what, dir string) {
		t.Helper()
		for _, f := range files {
			at := time.Unix(int64(f.steps/1e7)-11644473600, int64(f.steps%1e7)*100)
			if info, err := os.Lstat(filepath.Join(dir, f.name)); err != nil || !info.ModTime().Equal(at) {
				t.Errorf("%s: %s is of %v, not of %v (%v)", what, f.name, info.ModTime().UTC(), at.UTC(), err)
			}
		}
	}
	mounted(t, set, nil, func(dir string) { same("mount", dir) })
	out, err := os.MkdirTemp("/dev/shm", "vitrine-e2e") // most file systems on disks have no such dates
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(out)
	vitrine(t, "cp", set+":/", filepath.Join(out, "copy"))
	same("cp", filepath.Join(out, "copy"))
}
