package mount

import (
	"strings"
	"testing"
	"time"

	"vitrine/volume"
)

func TestWinFspOptions(t *testing.T) {
	got := winfspOptions(&Options{VolumeName: `Ann's, "disk" \ x`}, volume.StatFS{BlockSize: 4096, Serial: 0xAABBCCDD_11223344, Label: "unused"},
		time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC))
	want := `-o uid=-1 -o gid=-1 -o umask=0 -o FileInfoTimeout=-1 -o KeepFileCache=1 -o volname=Ann's\, "disk" \\ x -o ExactFileSystemName=Vitrine ` +
		`-o VolumeSerialNumber=11223344 -o VolumeCreationTime=134117966450000006 -o SectorSize=512 -o SectorsPerAllocationUnit=8`
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	got = winfspOptions(&Options{FSName: "ntfs"}, volume.StatFS{BlockSize: 2 << 20, Label: strings.Repeat("🎞", 20)}, time.Time{})
	if s := strings.Join(got, " "); !strings.Contains(s, "volname="+strings.Repeat("🎞", 16)+" ") || strings.Contains(s, "Sector") || !strings.Contains(s, "Name=ntfs") {
		t.Error(s)
	}
}

func TestDriveLetters(t *testing.T) {
	for dir, want := range map[string]byte{"x:": 'X', `X:\`: 'X', `x:\.`: 'X', "Q": 'Q', "X:/": 'X', `C:\mnt`: 0, "": 0, "1:": 0, "mnt": 0, "*": 0} {
		if got, ok := driveLetter(dir); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %c %v", dir, got, ok)
		}
	}
	for used, want := range map[uint32]byte{0: 'Z', 1 << 25: 'Y', 1<<26 - 1: 0, 1<<26 - 1 - 1<<3: 'D', 1<<26 - 1 - 1<<2: 0} {
		if got, ok := freeLetter(used); ok != (want != 0) || got != want {
			t.Errorf("%b: %c", used, got)
		}
	}
}

func TestSurrogates(t *testing.T) {
	for name, shown := range map[string]string{
		"plain": "plain", "\xed\xa0\x80x": "%uD800x", "a\xed\xbf\xbf": "a%uDFFF", "日本": "日本", "\xff": "\uFFFD",
	} {
		if got := escapeSurrogates(name); got != shown {
			t.Errorf("%q shows as %q, want %q", name, got, shown)
		}
		if back, ok := recallSurrogates(shown); ok != strings.HasPrefix(strings.TrimLeft(shown, "a"), "%u") || ok && back != name {
			t.Errorf("%q is recalled as %q %v", shown, back, ok)
		}
	}
	for _, s := range []string{"%u", "%uD8", "%uZZZZ", "%u0041", "100%"} {
		if back, ok := recallSurrogates(s); ok || back != s {
			t.Errorf("%q is recalled as %q", s, back)
		}
	}
}
