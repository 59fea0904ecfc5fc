package ntfsparse

import (
	"bytes"
	"time"
)

// Time is a moment as NTFS has it: 100 ns steps since 1601-01-01 UTC.
type Time uint64

// epoch1970 is 1970-01-01 in steps of 100 ns.
const epoch1970 = 116444736000000000

// Time is the moment as Go has it, in UTC: the years 1601 to 30828. Times beyond
// 2^63 steps are negative ones to Windows, and are the earliest.
func (t Time) Time() time.Time {
	steps := int64(t) - epoch1970
	if int64(t) < 0 {
		steps = -epoch1970
	}
	return time.Unix(steps/1e7, steps%1e7*100).UTC()
}

// Windows' file attributes that this package gives meaning to.
const (
	WinReadOnly   = 0x1
	WinHidden     = 0x2
	WinSystem     = 0x4
	WinDirectory  = 0x10
	WinSparse     = 0x200
	WinReparse    = 0x400
	WinCompressed = 0x800
	WinOffline    = 0x1000
	WinEncrypted  = 0x4000
	WinRecallOpen = 0x40000  // also: the file has EAs
	WinRecallData = 0x400000 // recall on data access
)

// Times are the four times of a file.
type Times struct {
	Created, Modified, Changed, Accessed Time
}

func parseTimes(b []byte) Times {
	return Times{Time(le.Uint64(b)), Time(le.Uint64(b[8:])), Time(le.Uint64(b[16:])), Time(le.Uint64(b[24:]))}
}

// StandardInfo is the value of $STANDARD_INFORMATION: 48 bytes, or 72 since
// NTFS 3.0.
//
//	0x00 32  created, modified, record changed, accessed
//	0x20  4  file attributes
//	0x24  4  maximum versions; 0x28 4 version; 0x2C 4 class
//	0x30  4  owner (quotas); 0x34 4 security id
//	0x38  8  quota charged; 0x40 8 USN
type StandardInfo struct {
	Times
	Attributes           uint32
	MaxVersions, Version uint32
	OwnerID, SecurityID  uint32 // 0 before NTFS 3.0
	USN                  uint64
}

// ParseStandardInfo decodes the value of $STANDARD_INFORMATION.
func ParseStandardInfo(b []byte) (StandardInfo, error) {
	if len(b) < 48 {
		return StandardInfo{}, corrupt("$STANDARD_INFORMATION is too short", len(b))
	}
	s := StandardInfo{Times: parseTimes(b), Attributes: le.Uint32(b[0x20:]),
		MaxVersions: le.Uint32(b[0x24:]), Version: le.Uint32(b[0x28:])}
	if len(b) >= 72 {
		s.OwnerID, s.SecurityID, s.USN = le.Uint32(b[0x30:]), le.Uint32(b[0x34:]), le.Uint64(b[0x40:])
	}
	return s, nil
}

// CaseSensitive tells whether a folder with this information distinguishes
// names that differ in case alone.
func (s *StandardInfo) CaseSensitive() bool { return s.MaxVersions == 0 && s.Version == 1 }

// Name spaces of file names.
const (
	NamePOSIX  = 0
	NameWin32  = 1
	NameDOS    = 2
	NameWinDOS = 3 // a Win32 name that is a DOS name, too
)

// FileName is the value of $FILE_NAME, which is also the key of a folder's
// index. Times, sizes and attributes in it are copies that go stale.
//
//	0x00  8  parent folder
//	0x08 32  times, as in StandardInfo
//	0x28  8  allocated size; 0x30 8 size
//	0x38  4  file attributes, 0x10000000 for folders
//	0x3C  4  reparse tag, or size of EAs
//	0x40  1  name length in units; 0x41 1 name space; 0x42 name
type FileName struct {
	Parent Ref
	Times
	Alloc, Size int64
	Attributes  uint32
	Tag         uint32
	Space       uint8
	Units       []byte // UTF-16LE, part of the value decoded
}

const nameIsDir = 0x10000000

// ParseFileName decodes the value of $FILE_NAME.
func ParseFileName(b []byte) (FileName, error) {
	if len(b) < 0x42 || len(b)-0x42 < 2*int(b[0x40]) {
		return FileName{}, corrupt("$FILE_NAME is too short", len(b))
	}
	return FileName{
		Parent: Ref(le.Uint64(b)), Times: parseTimes(b[8:]),
		Alloc: int64(le.Uint64(b[0x28:])), Size: int64(le.Uint64(b[0x30:])),
		Attributes: le.Uint32(b[0x38:]), Tag: le.Uint32(b[0x3C:]), Space: b[0x41],
		Units: b[0x42 : 0x42+2*int(b[0x40])],
	}, nil
}

// Name is the name in UTF-8, see [DecodeName].
func (n *FileName) Name() string { return DecodeName(n.Units) }

// IsDir tells whether the copy says that the file is a folder.
func (n *FileName) IsDir() bool { return n.Attributes&nameIsDir != 0 }

// ListEntry is one entry of an attribute list: where an attribute, or an
// extent of it, is.
//
//	0x00  4  type; 0x04 2 length; 0x06 1 name length; 0x07 1 name offset
//	0x08  8  lowest VCN; 0x10 8 file record; 0x18 2 attribute id
type ListEntry struct {
	Type   AttrType
	LowVCN int64
	Ref    Ref
	ID     uint16
	Units  []byte // name in UTF-16LE, part of the list decoded
}

// ParseAttributeList decodes the value of $ATTRIBUTE_LIST.
func ParseAttributeList(b []byte) ([]ListEntry, error) {
	list, rest := make([]ListEntry, 0, len(b)/32), b
	for off := 0; len(b)-off >= 26; {
		e := b[off:]
		n := int(le.Uint16(e[4:]))
		if n < 26 || n > len(e) || int(e[7])+2*int(e[6]) > n && e[6] > 0 {
			return list, corrupt("attribute list entry has a wrong length", off)
		}
		entry := ListEntry{Type: AttrType(le.Uint32(e)), LowVCN: int64(le.Uint64(e[8:])),
			Ref: Ref(le.Uint64(e[16:])), ID: le.Uint16(e[24:])}
		if e[6] > 0 {
			entry.Units = e[e[7] : int(e[7])+2*int(e[6])]
		}
		list = append(list, entry)
		off += n
		rest = b[off:]
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return list, corrupt("attribute list breaks off", len(b)-len(rest))
	}
	return list, nil
}
