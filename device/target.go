package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitrine/internal/direct"
)

// TargetOptions guard a target.
type TargetOptions struct {
	// Size is what will be needed, in bytes; a disk that has less is refused.
	Size int64
	// Protect names files that are needed while the target is written (the
	// image's files): the target may not be one of them, nor a disk that holds
	// one of them.
	Protect []string
	// Overwrite allows a plain file that exists.
	Overwrite bool
}

// Target is a disk or plain file opened for being overwritten. Nobody else can
// mount it or a part of it while it is open.
type Target struct {
	info    Info
	f       *os.File // writes; nil for a plain file that does not exist yet
	direct  *os.File // direct I/O, where f does not do it and it can be had
	raw     *rawFile
	created bool
	hold    holder // block devices: what keeps others away; nil: f itself
}

// holder keeps others away from a target.
type holder interface {
	begin() error // before the first change
	end() error   // after the last
}

// OpenTarget opens a disk, partition or plain file as a target and refuses,
// with a [RefusedError], what must not be overwritten. It changes nothing: a
// plain file that does not exist is made by [Target.SetSize].
func OpenTarget(path string, o TargetOptions) (*Target, error) {
	if namesDisk(path) {
		return openLargeEnough(path, o)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newFileTarget(path)
	case err != nil:
		return nil, err
	case st.Mode().IsRegular():
		return openFileTarget(path, st, o)
	case st.IsDir():
		return nil, refuse(path, ErrNotDisk, "is a folder; name a disk or a file")
	}
	return openLargeEnough(path, o)
}

// openLargeEnough opens a disk and refuses one that has less than is needed.
func openLargeEnough(path string, o TargetOptions) (*Target, error) {
	t, err := openDiskTarget(path, o)
	if err != nil {
		return nil, err
	}
	if t.info.Size < o.Size {
		t.Close()
		return nil, tooSmall(path, t.info.Size, o.Size)
	}
	return t, nil
}

func tooSmall(path string, have, need int64) error {
	return refuse(path, ErrTooSmall, "has %d bytes, %d are needed", have, need)
}

// newFileTarget stands for a plain file that is to be made.
func newFileTarget(path string) (*Target, error) {
	st, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, refuse(path, ErrNotDisk, "%s is not a folder", filepath.Dir(path))
	}
	if belowDev(path) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &Target{info: Info{Path: path, Start: -1}}, nil
}

// belowDev reports whether path lies where the system keeps its devices: a name
// that does not exist there is a disk that is not there, not a file to make.
func belowDev(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		dir = filepath.Dir(path)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false
	}
	return (dir == "/dev" || strings.HasPrefix(dir, "/dev/")) && !strings.HasPrefix(dir, "/dev/shm")
}

// openFileTarget opens a plain file that exists.
func openFileTarget(path string, st fs.FileInfo, o TargetOptions) (*Target, error) {
	for _, p := range o.Protect {
		if ps, err := os.Stat(p); err == nil && os.SameFile(st, ps) {
			return nil, refuse(path, ErrProtected, "is one of the image's own files")
		}
	}
	if !o.Overwrite {
		return nil, refuse(path, ErrExists, "exists already")
	}
	if why, _ := inUse(path); why != "" {
		return nil, refuse(path, ErrBusy, "%s", why)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, refuse(path, ErrReadOnly, "cannot be written: %v", err)
	}
	if err != nil {
		return nil, err
	}
	t := &Target{info: Info{Path: path, Size: st.Size(), Start: -1}, f: f}
	t.goDirectFile()
	return t, nil
}

// goDirectFile adds direct I/O to a plain file, where the system says that pages
// suit it.
func (t *Target) goDirectFile() {
	if !direct.Suits(t.f, alignment) {
		return
	}
	if d, err := direct.Open(t.f, os.O_RDWR); err == nil {
		t.direct, t.raw = d, newRawFile(d, Info{Size: t.info.Size, SectorSize: alignment})
	}
}

// Info describes the target as it was opened, with its present size.
func (t *Target) Info() Info { return t.info }

// Path is the name under which the target was opened.
func (t *Target) Path() string { return t.info.Path }

// Size is the target's size in bytes; 0 for a file that does not exist yet.
func (t *Target) Size() int64 { return t.info.Size }

// SectorSize is the logical sector size in bytes; 0 for a plain file.
func (t *Target) SectorSize() int { return t.info.SectorSize }

// Model is the maker's name for the disk, "" when not known.
func (t *Target) Model() string { return t.info.Model }

// Serial is the disk's serial number, "" when not known.
func (t *Target) Serial() string { return t.info.Serial }

// Start is where a partition begins on its disk, in bytes; -1 for whatever is
// not a partition.
func (t *Target) Start() int64 { return t.info.Start }

// Fixed reports whether the size is given; that of a plain file can be set.
func (t *Target) Fixed() bool { return t.info.Block }

// Exists reports whether there is something to overwrite.
func (t *Target) Exists() bool { return t.f != nil }

// Free is the space left for a plain file in bytes; -1 when not known.
func (t *Target) Free() int64 {
	if t.info.Block {
		return -1
	}
	return freeSpace(filepath.Dir(t.info.Path))
}

// SetSize makes a plain file, which it creates if need be, n bytes long. With
// empty, what it held before is given up first. For a disk it does nothing.
func (t *Target) SetSize(n int64, empty bool) error {
	if t.info.Block {
		return nil
	}
	if err := t.create(); err != nil {
		return err
	}
	if empty {
		if err := t.f.Truncate(0); err != nil {
			return err
		}
	}
	if err := t.f.Truncate(n); err != nil {
		return err
	}
	t.info.Size = n
	if t.raw != nil {
		t.raw.size = n
	}
	return nil
}

// create makes the file, when there is none.
func (t *Target) create() error {
	if t.f != nil {
		return nil
	}
	f, err := os.OpenFile(t.info.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	makeSparse(f)
	t.f, t.created = f, true
	t.goDirectFile()
	return nil
}

// ReadAt reads what is on the medium, not what the system cached of it (as far
// as it can be told to).
func (t *Target) ReadAt(p []byte, off int64) (int, error) {
	if t.f == nil {
		return 0, io.EOF
	}
	if t.raw != nil {
		t.raw.forget()
		return t.raw.ReadAt(p, off)
	}
	dropCache(t.f, off, int64(len(p)))
	return t.f.ReadAt(p, off)
}

// WriteAt writes inside the target's size; it never makes a file longer.
func (t *Target) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > t.info.Size || int64(len(p)) > t.info.Size-off {
		return 0, fmt.Errorf("%s: write of %d bytes at %d: beyond the end", t.info.Path, len(p), off)
	}
	if t.f == nil {
		return 0, fmt.Errorf("%s: %w", t.info.Path, fs.ErrNotExist)
	}
	if t.hold != nil {
		if err := t.hold.begin(); err != nil {
			return 0, err
		}
	}
	if t.raw == nil || !t.info.Block && !t.raw.suits(p, off) { // parts of sectors could make a file longer
		return t.f.WriteAt(p, off)
	}
	return t.raw.WriteAt(p, off)
}

// Sync returns when everything written is on the medium.
func (t *Target) Sync() error {
	if t.f == nil {
		return nil
	}
	return t.f.Sync()
}

// Reserve allocates the space of a range of a plain file, where the file system
// can, so that writes into it can go on at the same time. It fails when there
// is not enough.
func (t *Target) Reserve(off, n int64) error {
	if t.f == nil || t.info.Block || n <= 0 || off < 0 || n > t.info.Size-off {
		return nil
	}
	return reserve(t.f, off, n)
}

// WriteBehind starts writing a range of a plain file out and lets the system
// forget what it cached of it, so that memory does not fill up with it.
func (t *Target) WriteBehind(off, n int64) {
	if t.f != nil && t.raw == nil && !t.info.Block {
		writeBehind(t.f, off, n)
	}
}

// Discard gives the space of a range back. What is read there afterwards is
// not known. It wraps [ErrNoDiscard] where that cannot be done.
func (t *Target) Discard(off, n int64) error { return t.space(discard, "discard", off, n) }

// Zero makes a range read as zeros, by the cheapest way there is.
func (t *Target) Zero(off, n int64) error {
	err := t.space(zeroOut, "zero", off, n)
	if errors.Is(err, ErrNoDiscard) {
		return t.writeZeros(off, n)
	}
	return err
}

func (t *Target) space(do func(f *os.File, block bool, off, n int64) error, what string, off, n int64) error {
	if off < 0 || n < 0 || off > t.info.Size || n > t.info.Size-off {
		return fmt.Errorf("%s: %s %d bytes at %d: beyond the end", t.info.Path, what, n, off)
	}
	if n == 0 || t.f == nil {
		return nil
	}
	if err := do(t.f, t.info.Block, off, n); err != nil {
		return fmt.Errorf("%s: %s %d bytes at %d: %w", t.info.Path, what, n, off, err)
	}
	return nil
}

func (t *Target) writeZeros(off, n int64) error {
	zeros := AlignedBuffer(int(min(n, bounceSize)))
	for n > 0 {
		w, err := t.WriteAt(zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(w), n-int64(w)
	}
	return nil
}

// RereadTable has the system read the partition table anew. It does nothing
// for a partition or plain file.
func (t *Target) RereadTable() error {
	if !t.info.Block || t.f == nil {
		return nil
	}
	return t.rereadTable()
}

// Created reports whether SetSize made the file, so that Abandon removes it.
func (t *Target) Created() bool { return t.created }

// Abandon closes the target and removes a file that SetSize made.
func (t *Target) Abandon() error {
	err := t.Close()
	if t.created {
		err = errors.Join(err, os.Remove(t.info.Path))
	}
	return err
}

// Close closes the target; it does not sync.
func (t *Target) Close() (err error) {
	if t.hold != nil {
		err = t.hold.end()
	}
	if t.direct != nil {
		err = errors.Join(err, t.direct.Close())
	}
	if t.f != nil {
		err = errors.Join(err, t.f.Close())
	}
	return err
}
