package device

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"vitrine/device/vss"
)

// fakeHost is a Windows with one disk of 4 MiB:
//
//	at      volume  on the disk  read through  its copy
//	0       –       d
//	1 MiB   EFI     e            e             none: refused
//	2 MiB   C:      BitLocker    c             s, but for its last sector
//	3 MiB   –       d
type fakeHost struct {
	t       *testing.T
	roots   []string
	err     error // of the service
	locked  bool  // C: cannot be decrypted
	open_   int   // volumes that are open
	closed  bool  // the set
	readers map[string][]byte
}

const mb = 1 << 20

func volumeOfBytes(b byte, mark string) []byte {
	v := bytes.Repeat([]byte{b}, mb)
	copy(v[3:], mark)
	return v
}

func newFakeHost(t *testing.T) (*fakeHost, *Device) {
	disk := bytes.Repeat([]byte{'d'}, 4*mb)
	copy(disk[mb:], volumeOfBytes('e', "FAT"))
	copy(disk[2*mb:], volumeOfBytes('x', bitLocker))
	h := &fakeHost{t: t, readers: map[string][]byte{
		`\\?\Volume{efi}`: volumeOfBytes('e', "FAT"),
		`\\?\Volume{c}`:   volumeOfBytes('c', "NTFS    "),
		`\\?\shadow`:      volumeOfBytes('s', "NTFS    ")[:mb-512],
	}}
	s := &strict{t: t, data: disk, sector: 512, bad: -1}
	info := Info{Path: `\\.\PhysicalDrive0`, Block: true, Size: 4 * mb, SectorSize: 512}
	return h, &Device{info: info, raw: newRawFile(s, info)}
}

func (h *fakeHost) volumes() []winVol {
	return []winVol{
		vol(`\\?\Volume{c}\`, `C:\`, diskExtent{0, 2 * mb, mb}),
		vol(`\\?\Volume{other}\`, `D:\`, diskExtent{1, 0, 4 * mb}),
		vol(`\\?\Volume{efi}\`, "", diskExtent{0, mb, mb}),
	}
}

func (h *fakeHost) volumeAt(open string) winVol { return h.volumes()[0] }
func (h *fakeHost) writable(v *winVol) bool     { return len(v.paths) > 0 }
func (h *fakeHost) starts(v *winVol) bool       { return v.name == `\\?\Volume{efi}\` }

type fakeVolume struct {
	io.ReaderAt
	size int64
	h    *fakeHost
}

func (v *fakeVolume) readable() int64 { return v.size }
func (v *fakeVolume) Close() error    { v.h.open_--; return nil }

func (h *fakeHost) open(name string) (opened, error) {
	b, ok := h.readers[strings.TrimSuffix(name, `\`)]
	if !ok || h.locked && name == `\\?\Volume{c}` {
		return nil, errors.New("locked")
	}
	h.open_++
	return &fakeVolume{bytes.NewReader(b), int64(len(b)), h}, nil
}

func (h *fakeHost) shadows(_ context.Context, roots []string) (shadows, error) {
	h.roots = roots
	if h.err != nil {
		return nil, h.err
	}
	return h, nil
}

func (h *fakeHost) Device(volume string) string {
	if volume == `\\?\Volume{c}\` {
		return `\\?\shadow`
	}
	return ""
}

func (h *fakeHost) Skipped(string) error    { return errors.New("not supported") }
func (h *fakeHost) FailedWriters() []string { return []string{"Some Writer"} }

func (h *fakeHost) Close() error {
	if h.open_ > 0 {
		h.t.Error("the set is closed while copies are open")
	}
	h.closed = true
	return nil
}

// letters gives the byte in the middle of each MiB, and the disk's third MiB's
// last.
func letters(t *testing.T, d *Device) string {
	var s []byte
	for _, off := range []int64{mb / 2, mb + mb/2, 2*mb + mb/2, 3*mb - 1, 3*mb + mb/2} {
		var b [1]byte
		if _, err := d.ReadAt(b[:], off); err != nil {
			t.Fatal(err)
		}
		s = append(s, b[0])
	}
	return string(s)
}

// A disk is put together: one set for all its volumes, what the copy lacks from
// the volume, the rest from the disk; and the image is told.
func TestFreezeDisk(t *testing.T) {
	h, d := newFakeHost(t)
	if err := d.freezeOn(context.Background(), h, SourceOptions{Snapshot: SnapshotAuto}); err != nil {
		t.Fatal(err)
	}
	if want := []string{`\\?\Volume{c}\`, `\\?\Volume{efi}\`}; !reflect.DeepEqual(h.roots, want) {
		t.Errorf("one set of %q, want %q", h.roots, want)
	}
	if got := letters(t, d); got != "descd" {
		t.Errorf("read %q", got)
	}
	if !d.Frozen() {
		t.Error("what changes is held still, but it does not say so")
	}
	for _, want := range []string{"Some Writer did not", `Volume{efi} was read without a snapshot: not supported`, "C: was encrypted with BitLocker"} {
		if !strings.Contains(strings.Join(d.Remarks(), "\n"), want) {
			t.Errorf("no remark %q in %q", want, d.Remarks())
		}
	}
	whole := make([]byte, 4*mb)
	if n, err := d.ReadAt(whole, 0); n != len(whole) || err != nil {
		t.Error(n, err)
	}
	if err := errors.Join(d.parts.close(), d.after()); err != nil || h.open_ != 0 || !h.closed {
		t.Errorf("%v, %d open, set closed: %v", err, h.open_, h.closed)
	}
}

// Without a set, volumes are read as they are; locked ones as the disk has them.
func TestFreezeWithoutSet(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		locked  bool
		letters string
		remark  string
	}{
		{"refused", &vss.StepError{Step: "DoSnapshotSet", Err: vss.HResult(0x8004231F)}, false, "deccd", "no room for the shadow copy"},
		{"none", vss.ErrNone, false, "deccd", "BitLocker"},
		{"locked", vss.ErrNone, true, "dexxd", "could not be opened and is read as the disk has it"},
	} {
		h, d := newFakeHost(t)
		h.err, h.locked = c.err, c.locked
		if err := d.freezeOn(context.Background(), h, SourceOptions{Snapshot: SnapshotAuto}); err != nil {
			t.Fatal(c.name, err)
		}
		if got := letters(t, d); got != c.letters || d.Frozen() {
			t.Errorf("%s: read %q, frozen %v", c.name, got, d.Frozen())
		}
		if !strings.Contains(strings.Join(d.Remarks(), "\n"), c.remark) {
			t.Errorf("%s: %q", c.name, d.Remarks())
		}
		h, d = newFakeHost(t)
		h.err = c.err
		if err := d.freezeOn(context.Background(), h, SourceOptions{Snapshot: SnapshotVSS}); !errors.Is(err, c.err) {
			t.Errorf("%s: a copy was demanded: %v", c.name, err)
		}
	}
}

// A copy that cannot be opened fails, and the set goes.
func TestFreezeUndone(t *testing.T) {
	h, d := newFakeHost(t)
	delete(h.readers, `\\?\shadow`)
	if err := d.freezeOn(context.Background(), h, SourceOptions{Snapshot: SnapshotAuto}); err == nil {
		t.Fatal("no error")
	}
	if d.parts.close(); !h.closed || h.open_ != 0 {
		t.Errorf("set closed: %v, %d open", h.closed, h.open_)
	}
}
