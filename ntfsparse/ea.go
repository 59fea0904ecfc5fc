package ntfsparse

// EA is one extended attribute.
type EA struct {
	Name  string
	Flags uint8 // 0x80: the file must not be opened without knowing it
	Value []byte
}

// ParseEAs decodes the value of $EA.
//
//	0x00  4  distance to the next entry (of the last: to the end, or 0)
//	0x04  1  flags; 0x05 1 name length; 0x06 2 value length
//	0x08     name, NUL, value
func ParseEAs(b []byte) ([]EA, error) {
	var list []EA
	for off := 0; len(b)-off >= 8; {
		e := b[off:]
		next, name, value := le.Uint32(e), int(e[5]), int(le.Uint16(e[6:]))
		if len(e) < 9+name+value {
			return list, corrupt("EA is longer than its list", off)
		}
		list = append(list, EA{string(e[8 : 8+name]), e[4], e[9+name : 9+name+value]})
		if next == 0 {
			break
		}
		if next < uint32(9+name+value) || next > uint32(len(e)) {
			return list, corrupt("EA has a wrong length", off)
		}
		off += int(next)
	}
	return list, nil
}

// EAs are the file's extended attributes; nil when it has none.
func (f *File) EAs() ([]EA, error) {
	if _, ok := f.first(TypeEA); !ok {
		return nil, f.bad
	}
	b, err := f.value(TypeEA, maxEAs)
	if err != nil {
		return nil, err
	}
	list, err := ParseEAs(b)
	return list, inRecord(err, f.rec.N)
}

// RawEAs is the value of $EA as it is stored.
func (f *File) RawEAs() ([]byte, error) { return f.value(TypeEA, maxEAs) }

// ObjectID is the file's object id: 16 bytes, or 64 with the ids of its birth.
func (f *File) ObjectID() ([]byte, error) { return f.value(TypeObjectID, 256) }

// parseLXAttr decodes the EA LXATTRB, in which the first WSL stored a file's
// owner, mode and kind: 0x04 4 mode; 0x08 4 uid; 0x0C 4 gid; 0x10 4 device, its
// major number from bit 20 on; then times.
func parseLXAttr(b []byte) (POSIX, bool) {
	if len(b) < 56 {
		return POSIX{}, false
	}
	return POSIX{le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[4:]), true, true, true, le.Uint32(b[16:])}, true
}

// parseLXXattr decodes the EA LXXATTR, in which the first WSL stored Linux'
// extended attributes: a head of 4 bytes, then entries of distance to the next
// (4, 0: the last), value length (2), name length (1), name, value.
func parseLXXattr(b []byte) []EA {
	var list []EA
	for off := 4; off >= 0 && len(b)-off >= 7; {
		e := b[off:]
		next, value, name := le.Uint32(e), int(le.Uint16(e[4:])), int(e[6])
		if len(e) < 7+name+value {
			break
		}
		list = append(list, EA{Name: string(e[7 : 7+name]), Value: e[7+name : 7+name+value]})
		if next < 7 || next > uint32(len(e)) {
			break
		}
		off += int(next)
	}
	return list
}
