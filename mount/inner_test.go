package mount

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"vitrine/volume"
)

func TestPackedNumbers(t *testing.T) {
	for _, tt := range []struct {
		part   int
		id     volume.ID
		packed bool
	}{
		{1, 5, true},
		{1, 0, true},
		{maxParts, 1<<recordBits - 1, true},
		{1, 63<<volume.IDRecordBits | 7, true},
		{1, 64<<volume.IDRecordBits | 7, false},
		{1, 1 << recordBits, false},
		{1, 1<<(volume.IDRecordBits+volume.IDStreamBits) - 1, false},
	} {
		id, ok := packID(tt.part, tt.id)
		if ok != tt.packed {
			t.Errorf("%d/%#x: fits %v", tt.part, tt.id, ok)
		}
		if ok && (unpackID(id) != tt.id || partOf(id) != tt.part || pointOf(id) != 0) {
			t.Errorf("%d/%#x: packed %#x, back %d/%#x", tt.part, tt.id, id, partOf(id), unpackID(id))
		}
	}
}

func TestOddNumbers(t *testing.T) {
	var o oddIDs
	for i := range volume.ID(maxOdd) {
		id, err := o.number(3, 1<<39+i)
		if err != nil || partOf(id) != oddPart {
			t.Fatal(id, err)
		}
		if row, ok := o.row(id); !ok || row != (oddRow{3, 1<<39 + i}) {
			t.Fatal(row, ok)
		}
	}
	if id, err := o.number(3, 1<<39+77); err != nil || id != volume.ID(oddPart)<<partShift|77 {
		t.Error("met again:", id, err)
	}
	if _, err := o.number(3, 1<<38); err == nil {
		t.Error("the table has no bound")
	}
	if _, ok := o.row(volume.ID(oddPart)<<partShift | maxOdd); ok {
		t.Error("a row that is not there")
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ name, shown string }{
		{"plain", "plain"}, {"a/b", "a∕b"}, {"/", "∕"}, {".", "․"}, {"..", "‥"}, {"a\x00", "a␀"}, {"...", "..."}, {"", "␢"},
	} {
		if got := showName(tt.name); got != tt.shown {
			t.Errorf("%q shows as %q, want %q", tt.name, got, tt.shown)
		}
		back, ok := recallName(tt.shown)
		if ok != (tt.name != tt.shown) || back != tt.name {
			t.Errorf("%q is recalled as %q %v", tt.shown, back, ok)
		}
	}
	for _, tt := range []struct {
		disk, number int
		label, want  string
	}{
		{0, 1, "", "partition-1"}, {0, 2, "Windows", "partition-2-Windows"}, {2, 3, "a/b:c", "disk-2-partition-3-a_b_c"},
		{0, 1, "  .. ", "partition-1"}, {0, 1, "ä\x01", "partition-1-ä_"},
	} {
		if got := PartitionName(tt.disk, tt.number, tt.label); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	for want, got := range map[string]string{
		"disk.img": RawName(0, 0), "disk-2.img": RawName(2, 0), "partition-3.img": RawName(0, 3), "disk-1-partition-2.img": RawName(1, 2),
	} {
		if got != want {
			t.Errorf("raw name %q, want %q", got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	var o Options
	rest, err := o.Set(`ro,uid=12,gid=34,umask=027,fmask=0177,streams=colon,allow_other,noauto,_netdev,x-systemd.automount,` +
		`noexec,raw,user=me,volname=My\, Disk,relatime,cache-size=64M,all_xattrs`)
	want := Options{SetUID: true, SetGID: true, UID: 12, GID: 34, SetFileMask: true, SetDirMask: true, FileMask: 0o177, DirMask: 0o27,
		Streams: StreamsColon, AllowOther: true, NoExec: true, VolumeName: "My, Disk", AllXattrs: true}
	if err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("%+v, %v", o, err)
	}
	if !slices.Equal(rest, []string{"raw", "cache-size=64M"}) {
		t.Errorf("left over: %q", rest)
	}
	for _, bad := range []string{"rw", "uid=me", "uid", "umask=8", "umask=7777", "streams=all", "fmask=", "gid=-1"} {
		var oe *OptionError
		if _, err := new(Options).Set(bad); !errors.As(err, &oe) || oe.Option != bad {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestClasses(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("file x: %w", err) }
	for err, want := range map[error]class{
		wrap(volume.ErrNotDir): classNotDir, wrap(volume.ErrEncrypted): classEncrypted, wrap(volume.ErrCorrupt): classIO,
		errors.New("other"): classIO, wrap(context.Canceled): classCanceled, wrap(volume.ErrNotCaptured): classNotCaptured,
	} {
		if got := classOf(err); got != want {
			t.Errorf("%v: class %d, want %d", err, got, want)
		}
	}
}

// TestPoints opens more points than may stay open, at random and in parallel.
func TestPoints(t *testing.T) {
	s := newPointSet(2)
	opened, closed := make(chan int, 1000), make(chan int, 1000)
	for i := range 5 {
		p := s.add(time.Time{}, func(context.Context) (*Tree, error) {
			opened <- i
			tree := NewTree()
			tree.OnClose(func() error { closed <- i; return nil })
			return tree, nil
		})
		p.branch = &branch{point: p}
	}
	hold := func(n int) *Tree {
		tree, err := s.acquire(t.Context(), s.get(n))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	first := hold(1)
	if hold(1) != first {
		t.Error("opened twice")
	}
	s.release(s.get(1))
	for n := 2; n <= 5; n++ {
		hold(n)
		s.release(s.get(n))
	}
	if len(opened) != 5 || len(closed) != 2 || <-closed != 1 || <-closed != 2 {
		t.Errorf("%d opened, %d closed", len(opened), len(closed))
	}
	if hold(1) != first {
		t.Error("closed while in use")
	}
	s.release(s.get(1))
	s.release(s.get(1)) // now idle: pushes out point 4
	if n := <-closed; n != 3 {
		t.Errorf("closed point %d", n+1)
	}
	if err := s.closeAll(); err != nil || len(closed) != 2 {
		t.Errorf("%d closed at the end, %v", len(closed), err)
	}
}
