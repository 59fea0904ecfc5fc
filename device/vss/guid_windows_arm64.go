package vss

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// byValue passes a GUID by value: on ARM64, up to 16 bytes go in two registers.
func byValue(g *windows.GUID) []uintptr {
	w := (*[2]uintptr)(unsafe.Pointer(g))
	return w[:]
}
