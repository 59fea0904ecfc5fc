//go:build !linux

package reader

// arena makes buffers; elsewhere than on Linux on the heap.
type arena struct{}

func (a *arena) buffer() []byte { return make([]byte, bufferSize) }

func (a *arena) free() {}
