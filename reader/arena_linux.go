package reader

import "golang.org/x/sys/unix"

// arena makes buffers outside the garbage collector's heap, so that a full
// cache does not make the collector let the heap grow to twice as much.
type arena struct {
	slabs [][]byte
	rest  []byte
}

func (a *arena) buffer() []byte {
	if len(a.rest) == 0 && !a.grow() {
		return make([]byte, bufferSize)
	}
	b := a.rest[:bufferSize:bufferSize]
	a.rest = a.rest[bufferSize:]
	return b
}

func (a *arena) grow() bool {
	slab, err := unix.Mmap(-1, 0, 16*bufferSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	a.slabs, a.rest = append(a.slabs, slab), slab
	return true
}

// free gives all buffers back; none may be in use.
func (a *arena) free() {
	for _, s := range a.slabs {
		unix.Munmap(s)
	}
	*a = arena{}
}
