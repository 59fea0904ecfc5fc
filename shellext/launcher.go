package shellext

import (
	"encoding/binary"
	"errors"
)

// windowless gives a copy of a Windows program that has no console: Explorer's
// menus then open no window that is gone at once. Only the subsystem in the
// headers differs [PE Format, "Optional Header Windows-Specific Fields"].
func windowless(exe []byte) ([]byte, error) {
	const (
		peOffset  = 0x3C // in the DOS header
		optional  = 24   // from the PE signature
		subsystem = optional + 68
		gui       = 2
	)
	if len(exe) < peOffset+4 || string(exe[:2]) != "MZ" {
		return nil, errNoProgram
	}
	pe := int64(binary.LittleEndian.Uint32(exe[peOffset:]))
	if pe > int64(len(exe))-subsystem-2 || string(exe[pe:pe+4]) != "PE\x00\x00" {
		return nil, errNoProgram
	}
	out := append([]byte(nil), exe...)
	binary.LittleEndian.PutUint16(out[pe+subsystem:], gui)
	return out, nil
}

var errNoProgram = errors.New("not a Windows program")
