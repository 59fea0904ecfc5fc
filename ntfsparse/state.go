package ntfsparse

import (
	"bytes"
	"cmp"
)

// LogState is what the restart pages of $LogFile say.
//
//	0x00 4 "RSTR"; 0x04.. update sequence; 0x10 4 system page size; 0x14 4 log
//	page size; 0x18 2 offset of the restart area; 0x1A 2 minor, 0x1C 2 major
//	version; restart area: 0x08 8 current LSN, 0x0C 2 clients in use, 0x0E 2
//	flags (2: clean)
type LogState struct {
	Empty        bool // filled with 0xFF: never used, or reset
	Major, Minor uint16
	Clean        bool // was shut down in order
	LSN          uint64
}

// ParseLog decodes the first bytes of $LogFile, at least two pages. Of the two
// restart pages the newer one that is whole counts.
func ParseLog(b []byte) (LogState, error) {
	if len(b) >= 4096 && bytes.Count(b[:4096], []byte{0xFF}) == 4096 {
		return LogState{Empty: true, Clean: true}, nil
	}
	first, err := parseRestart(b)
	if err != nil {
		first.LSN = 0
	}
	page := 4096
	if len(b) >= 0x14 && err == nil {
		page = int(le.Uint32(b[0x10:]))
	}
	if page >= 512 && page < len(b) {
		if second, err2 := parseRestart(b[page:]); err2 == nil && (err != nil || second.LSN > first.LSN) {
			return second, nil
		}
	}
	return first, err
}

func parseRestart(b []byte) (LogState, error) {
	var s LogState
	if len(b) < 512 || string(b[:4]) != "RSTR" && string(b[:4]) != "CHKD" {
		return s, corrupt("log file has no restart page", 0)
	}
	size := le.Uint32(b[0x10:])
	if size < 512 || size > 64<<10 || size%512 != 0 || int(size) > len(b) {
		return s, corrupt("log page size is impossible", 0x10)
	}
	page := bytes.Clone(b[:size])
	if err := Fixup(page); err != nil {
		return s, err
	}
	off := int(le.Uint16(page[0x18:]))
	if off > len(page)-0x30 {
		return s, corrupt("restart area lies outside its page", 0x18)
	}
	area := page[off:]
	s = LogState{Minor: le.Uint16(page[0x1A:]), Major: le.Uint16(page[0x1C:]), LSN: le.Uint64(area)}
	s.Clean = le.Uint16(area[0x0E:])&2 != 0 || le.Uint16(area[0x0C:]) == 0xFFFF
	return s, nil
}

// Log reads the state of $LogFile.
func (v *Volume) Log() (LogState, error) {
	f, err := v.File(RecordLogFile)
	if err != nil {
		return LogState{}, err
	}
	s, err := f.Stream("")
	if err != nil {
		return LogState{}, err
	}
	b := make([]byte, min(s.Size(), 128<<10))
	if err := readFull(s, b, 0); err != nil {
		return LogState{}, err
	}
	return ParseLog(b)
}

// Hibernated tells whether Windows left its memory on the volume and has not come
// back from it: the volume is then frozen in the middle of its work.
func (v *Volume) Hibernated() bool {
	switch v.hiberfil() {
	case "hibr", "HIBR", "wake", "rstr", "RSTR":
		return true
	}
	return false
}

// hiberfil is how the file with the memory begins: "hibr"; "wake" or "rstr" once
// Windows began to read it; zeros when it came back. From Windows 8 on it is in
// capitals, and "WAKE" may be left when it came back.
func (v *Volume) hiberfil() string {
	f, err := v.findHiberfil()
	if err != nil {
		return ""
	}
	s, err := f.Open()
	if err != nil {
		return ""
	}
	var b [4]byte
	if readFull(s, b[:], 0) != nil {
		return ""
	}
	return string(b[:])
}

// findHiberfil finds the file in the root's index. Where that has lost it, it is not looked
// for in the whole MFT.
func (v *Volume) findHiberfil() (*File, error) {
	const name = "hiberfil.sys"
	root, err := v.Root()
	if err != nil {
		return nil, err
	}
	d, err := root.Dir()
	if err != nil || d.broken != nil {
		return nil, cmp.Or(err, d.broken)
	}
	units := EncodeName(name)
	e, ok, err := d.findEntry(units, v.upcase.CompareFold)
	if err != nil || !ok && d.disordered(units) { // it may be elsewhere
		d.x.Scan(-1, func(_ int64, x IndexEntry, err error) bool {
			if err != nil {
				return true
			}
			if n, err := ParseFileName(x.Key()); err == nil && v.upcase.CompareFold(units, n.Units) == 0 {
				e, ok = x, true
			}
			return !ok
		})
	}
	if !ok {
		return nil, notFound(name)
	}
	return v.FileRef(e.Ref())
}

func (v *Volume) noteState() {
	switch log, err := v.Log(); {
	case err != nil:
		v.note("The log file's state cannot be read: %v.", err)
	case !log.Clean:
		v.note("The log file is not clean: changes may not have reached their places. The volume is read as it is.")
	}
	switch v.hiberfil() {
	case "WAKE":
		v.note("Windows began to wake from hibernation on this volume; whether it came back is not noted.")
	case "wake", "rstr", "RSTR":
		v.note("Windows began to wake from hibernation on this volume and has not noted that it did: either it just runs, or the volume is frozen in the middle of its work.")
	case "hibr", "HIBR":
		v.note("Windows is hibernated on this volume (or shut down with fast start-up): it is frozen in the middle of its work.")
	}
}
