package direct

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Suits reports whether the file system says (since Linux 6.1, and not all of
// them do) that direct I/O takes addresses, offsets and lengths that are
// multiples of n. Where it says nothing, an attempt tells: EINVAL.
func Suits(f *os.File, n int) bool {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st)
	runtime.KeepAlive(f)
	return err == nil && st.Mask&unix.STATX_DIOALIGN != 0 && st.Dio_offset_align > 0 &&
		uint32(n)%max(st.Dio_offset_align, st.Dio_mem_align) == 0
}

// Open opens the file that f is, whatever its name has become, once more for
// direct I/O: os.O_RDONLY, os.O_WRONLY or os.O_RDWR.
func Open(f *os.File, flag int) (*os.File, error) {
	d, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), flag|unix.O_DIRECT, 0)
	runtime.KeepAlive(f)
	return d, err
}
