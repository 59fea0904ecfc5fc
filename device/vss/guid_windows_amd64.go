package vss

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// byValue passes a GUID by value: on x64, what is larger than a register goes
// by its address. The GUID must be on the heap and stay as it is.
func byValue(g *windows.GUID) []uintptr { return []uintptr{uintptr(unsafe.Pointer(g))} }
