package reader

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
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
	reads  atomic.Int32
	plain  atomic.Bool // it cannot be read directly
	opened sync.Once
	direct int // descriptor, once opened
}

func newOSFile(f *os.File) *osFile { return &osFile{File: f, direct: -1} }

// Close closes both descriptors.
func (f *osFile) Close() error {
	if f.direct >= 0 {
		unix.Close(f.direct)
	}
	return f.File.Close()
}

// readDirect reads n bytes from off past the system's cache, which for what is
// read once costs more than the disk, to somewhere in buf. It reports false,
// and has done nothing, where the system cannot tell what is in its cache, has
// it there, or does not read directly.
func (f *osFile) readDirect(buf []byte, off int64, n int) ([]byte, bool) {
	if f.plain.Load() || f.reads.Add(1) <= directAfter || n == 0 {
		return nil, false
	}
	f.opened.Do(f.openDirect)
	r := unix.CachestatRange{Off: uint64(off), Len: uint64(n)}
	var st unix.Cachestat_t
	if f.direct < 0 || unix.Cachestat(uint(f.Fd()), &r, &st, 0) != nil {
		f.plain.Store(true)
		return nil, false
	}
	pages := uint64(off+int64(n)-1)/uint64(os.Getpagesize()) - uint64(off)/uint64(os.Getpagesize()) + 1
	if st.Cache >= pages || st.Dirty+st.Writeback > 0 {
		return nil, false
	}
	return f.pread(buf, off, n)
}

// pread reads the whole pages around n bytes at off.
func (f *osFile) pread(buf []byte, off int64, n int) ([]byte, bool) {
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(buf))) & (directAlign - 1))
	in := int(off & (directAlign - 1))
	end := (in + n + directAlign - 1) &^ (directAlign - 1)
	got, err := unix.Pread(f.direct, buf[skip:][:end], off-int64(in))
	switch {
	case err == unix.EINVAL:
		f.plain.Store(true)
		return nil, false
	case err != nil || got < in+n:
		return nil, false // the common way finds out what that means
	}
	return buf[skip+in:][:n], true
}

// openDirect opens the file once more. From then on the system shall not read
// ahead: what it brought into its cache would be read from there, and make it
// read on.
func (f *osFile) openDirect() {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err == nil {
		f.direct = fd
		unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
	}
}
