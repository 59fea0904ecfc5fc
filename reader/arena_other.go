//go:build !linux

package reader

import "vitrine/index"

// arena makes buffers; elsewhere than on Linux on the heap.
type arena struct{}

func (a *arena) buffer() []byte { return make([]byte, index.BlockSize) }

func (a *arena) free() {}
