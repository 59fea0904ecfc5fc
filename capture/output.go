package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"vitrine/index"
	"vitrine/internal/filelock"
)

// storage is the part of the operating system that writing needs.
type storage interface {
	create(path string) (outFile, error) // fails when path exists
	rename(from, to string) error        // fails when to exists
	remove(path string) error
	syncDir(dir string) error
}

type outFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
	Stat() (fs.FileInfo, error)
	// clean begins to write [0, upto) back, and lets go of what is on the disk
	// already; errors show at Sync.
	clean(upto int64)
}

// cleanEvery is how many bytes may wait for the disk, about: writing them back
// all the time keeps a sync short and the page cache of others alone.
const cleanEvery = 8 << 20

// firstSettled is the length at which a file is first told to be settled.
const firstSettled = 16 << 20

// output writes the files of one member. It implements index.Output.
type output struct {
	st    storage
	dir   string
	base  string
	files []string      // names as they are, unfinished
	ids   []fs.FileInfo // of files, when they were made
	f     outFile
	size  int64          // of f
	total int64          // of all parts
	mark  int64          // size at the last clean
	lock  *filelock.Lock // of the first part, until the last one ends

	settled func(path string, size int64) // see Options.Settled; nil: nobody wants to know

	strict  bool       // Sync waits
	pending chan error // the sync in the background; nil: none
	flusher chan int64
	flushed chan struct{}
}

// create begins part 0 under base.
func createOutput(st storage, dir, base string) (*output, error) {
	o := &output{st: st, dir: dir, base: base, strict: true}
	return o, o.begin(0)
}

func (o *output) begin(part int) error {
	final := filepath.Join(o.dir, partName(o.base, part, index.Suffix))
	if _, err := os.Lstat(final); err == nil {
		return &fs.PathError{Op: "create", Path: final, Err: fs.ErrExist}
	}
	name := filepath.Join(o.dir, partName(o.base, part, index.UnfinishedSuffix))
	f, err := o.st.create(name)
	if err != nil {
		return err
	}
	o.f, o.size, o.mark = f, 0, 0
	id, _ := f.Stat()
	o.files, o.ids = append(o.files, name), append(o.ids, id)
	if part == 0 {
		o.lock = filelock.Hold(name)
	}
	o.flusher, o.flushed = make(chan int64, 2), make(chan struct{})
	go o.flush(f, name, o.flusher, o.flushed)
	return o.st.syncDir(o.dir)
}

// flush writes back in the background. When a file is twice as long as the last
// time it waits until all is there, and tells so.
func (o *output) flush(f outFile, name string, upto <-chan int64, done chan<- struct{}) {
	defer close(done)
	next := int64(firstSettled)
	for n := range upto {
		f.clean(n)
		if settles && o.settled != nil && n >= next {
			f.clean(n)
			o.settled(name, n)
			next = 2 * n
		}
	}
}

// Write appends to the current part.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	o.size, o.total = o.size+int64(n), o.total+int64(n)
	if o.size-o.mark >= cleanEvery {
		o.mark = o.size
		o.flusher <- o.size
	}
	return n, err
}

// Sync makes what was written durable. While data flows it does so in the
// background, and gives the outcome of the sync before.
func (o *output) Sync() error {
	if err := o.there(len(o.files) - 1); err != nil {
		return err
	}
	if err := o.settle(); err != nil || o.strict || o.f == nil {
		return errors.Join(err, o.syncNow())
	}
	o.pending = make(chan error, 1)
	go func(f outFile, c chan<- error) { c <- f.Sync() }(o.f, o.pending)
	return nil
}

func (o *output) syncNow() error {
	if o.f == nil {
		return nil
	}
	return o.f.Sync()
}

// settle waits for the sync in the background.
func (o *output) settle() error {
	if o.pending == nil {
		return nil
	}
	err := <-o.pending
	o.pending = nil
	return err
}

// NextPart syncs and ends the current part and begins the next.
func (o *output) NextPart(n int) error {
	if err := o.close(true); err != nil {
		return err
	}
	return o.begin(n)
}

// there tells whether part i still is where it was made. Somebody may have
// deleted it, or taken the disk away under it: writing goes on without an
// error then, to no avail.
func (o *output) there(i int) error {
	now, err := os.Lstat(o.files[i])
	switch {
	case err != nil:
		return &VanishedError{o.files[i]}
	case o.ids[i] == nil || os.SameFile(now, o.ids[i]) || o.f != nil && now.Size() == o.size:
		return nil // the size: some network file systems give new numbers
	}
	return &VanishedError{o.files[i]}
}

// vanished gives the first part that is not there any more.
func (o *output) vanished() error {
	for i := range o.files {
		if err := o.there(i); err != nil {
			return err
		}
	}
	return nil
}

// close ends the current part.
func (o *output) close(sync bool) error {
	if o.f == nil {
		return nil
	}
	close(o.flusher)
	<-o.flushed
	err := o.settle()
	if sync && err == nil {
		err = o.f.Sync()
	}
	for range 2 { // a proof reads the medium, to the end
		o.f.clean(o.size)
	}
	err = errors.Join(err, o.f.Close())
	o.f = nil
	return err
}

// end closes the member: nobody writes it any more.
func (o *output) end(sync bool) error {
	defer o.lock.Release()
	return o.close(sync)
}

// commit closes the member, whose last byte is synced, and gives its files
// their names, the first part last.
func (o *output) commit() (paths []string, err error) {
	if err := o.end(false); err != nil {
		return nil, err
	}
	paths = make([]string, len(o.files))
	for i := len(o.files) - 1; i >= 0; i-- {
		paths[i] = filepath.Join(o.dir, partName(o.base, i, index.Suffix))
		if err := o.st.rename(o.files[i], paths[i]); err != nil {
			return nil, fmt.Errorf("the image is complete, but could not be given its name: %w", err)
		}
		o.files[i] = paths[i]
	}
	return paths, o.st.syncDir(o.dir)
}

// discard removes what was written.
func (o *output) discard() {
	o.end(false)
	for _, name := range o.files {
		o.st.remove(name)
	}
	o.st.syncDir(o.dir)
}

// osStorage is the real thing.
type osStorage struct{}

func (osStorage) create(path string) (outFile, error) {
	// An image holds everything that is on the disk: its owner's alone.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (osStorage) rename(from, to string) error { return renameNew(from, to) }
func (osStorage) remove(path string) error     { return os.Remove(path) }
func (osStorage) syncDir(dir string) error     { return syncDir(dir) }

// osFile is a file that is written front to back.
type osFile struct {
	*os.File
	begun, clear int64 // written back begun to here; let go of to here
}

// renamePlain renames where the system cannot refuse to replace.
func renamePlain(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
