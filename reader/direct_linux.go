package reader

import (
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"vitrine/internal/direct"
)

// directAlign is what addresses, offsets and lengths of direct reads are
// multiples of: what Linux asks for on any disk that is in use.
const directAlign = 4096

// directRoom is how many bytes a buffer has beyond what readDirect puts there.
const directRoom = 3 * directAlign

// directAfter is the number of reads of a file before it is opened once more
// for direct ones.
const directAfter = 4

// osFile is a file of the system.
type osFile struct {
	*os.File
	plain  atomic.Bool // it is not read directly
	reads  atomic.Int32
	opened sync.Once
	direct *os.File // the same one, once opened
}

// newOSFile looks whether a file can be read directly. Then the system shall
// not read ahead: what it brought into its cache would be read from there, and
// make it read on.
func newOSFile(f *os.File) *osFile {
	o := &osFile{File: f}
	if _, err := o.cached(0, 1); err != nil || !direct.Suits(f, directAlign) {
		o.plain.Store(true)
		return o
	}
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
	return o
}

// Close closes both files.
func (f *osFile) Close() error {
	if f.direct != nil {
		f.direct.Close()
	}
	return f.File.Close()
}

// readDirect reads n bytes from off past the system's cache, which for what is
// read once costs more than the disk, to somewhere in buf. It reports false,
// and has done nothing, where the system has them in its cache or does not read
// directly. Awake, it does not sleep until the disk has them.
func (f *osFile) readDirect(buf []byte, off int64, n int, awake bool) ([]byte, bool) {
	if f.plain.Load() || n == 0 || f.early() {
		return nil, false
	}
	f.opened.Do(f.openDirect)
	if cached, err := f.cached(off, n); cached || err != nil || f.direct == nil {
		return nil, false
	}
	return f.pread(buf, off, n, awake)
}

// early reports whether a read is one of the first of the file. Later ones are
// not counted: the number would run over.
func (f *osFile) early() bool {
	return f.reads.Load() <= directAfter && f.reads.Add(1) <= directAfter
}

// cached reports whether the system has n bytes at off in its cache, or some
// that are not on the disk yet.
func (f *osFile) cached(off int64, n int) (bool, error) {
	r := unix.CachestatRange{Off: uint64(off), Len: uint64(n)}
	var st unix.Cachestat_t
	err := unix.Cachestat(uint(f.Fd()), &r, &st, 0)
	size := int64(os.Getpagesize())
	pages := (off+int64(n)-1)/size - off/size + 1
	return st.Cache >= uint64(pages) || st.Dirty+st.Writeback > 0, err
}

// pread reads the whole pages around n bytes at off.
func (f *osFile) pread(buf []byte, off int64, n int, awake bool) ([]byte, bool) {
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(buf))) & (directAlign - 1))
	in := int(off & (directAlign - 1))
	end := (in + n + directAlign - 1) &^ (directAlign - 1)
	got, err := direct.Read(f.direct, buf[skip:][:end], off-int64(in), awake)
	switch {
	case err == unix.EINVAL:
		f.plain.Store(true)
		return nil, false
	case err != nil || got < in+n:
		return nil, false // the common way finds out what that means
	}
	return buf[skip+in:][:n], true
}

func (f *osFile) openDirect() {
	if d, err := direct.Open(f.File, os.O_RDONLY); err == nil {
		f.direct = d
	}
}
