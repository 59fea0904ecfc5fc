package ntfsparse

import (
	"fmt"
	"io/fs"
	"strings"
)

// Reparse tags that this package knows; values of [MS-FSCC 2.1.2.1].
const (
	TagMountPoint  = 0xA0000003 // junctions, too
	TagSymlink     = 0xA000000C
	TagHSM         = 0xC0000004
	TagHSM2        = 0x80000006
	TagSIS         = 0x80000007
	TagWIM         = 0x80000008
	TagDFS         = 0x8000000A
	TagDedup       = 0x80000013
	TagNFS         = 0x80000014
	TagWOF         = 0x80000017
	TagPlaceholder = 0x80000015 // of Windows 8
	TagWCI         = 0x80000018
	TagWCI1        = 0x90001018
	TagProjFS      = 0x9000001C
	TagStorageSync = 0x8000001E
	TagOneDrive    = 0x80000021
	TagAppExec     = 0x8000001B
	TagLXSymlink   = 0xA000001D
	TagAFUnix      = 0x80000023
	TagLXFifo      = 0x80000024
	TagLXChar      = 0x80000025
	TagLXBlock     = 0x80000026
	TagCloud       = 0x9000001A // 0x9000x01A, x from 0 to F
)

// IsCloud tells whether a tag is one of the sixteen of cloud placeholders.
func IsCloud(tag uint32) bool { return tag&^0xF000 == TagCloud }

// tagNames are for people.
var tagNames = map[uint32]string{
	TagMountPoint: "junction or mount point", TagSymlink: "symbolic link", TagLXSymlink: "WSL symbolic link", TagNFS: "NFS special file",
	TagAFUnix: "WSL socket", TagLXFifo: "WSL pipe", TagLXChar: "WSL character device", TagLXBlock: "WSL block device",
	TagAppExec: "app execution alias", TagDFS: "distributed file system",
	TagHSM: "hierarchical storage", TagHSM2: "hierarchical storage", TagSIS: "single-instance store", TagWIM: "WIM image",
	TagDedup: "deduplication", TagWOF: "CompactOS", TagStorageSync: "Azure File Sync", TagOneDrive: "OneDrive", TagPlaceholder: "OneDrive",
	TagProjFS: "projected file system", TagWCI: "container layer", TagWCI1: "container layer",
}

// TagWord says what a reparse tag stands for; "" for tags that are not known.
func TagWord(tag uint32) string {
	if IsCloud(tag) {
		return "cloud files"
	}
	return tagNames[tag]
}

// TagName is [TagWord] with the tag's number.
func TagName(tag uint32) string {
	if name := TagWord(tag); name != "" {
		return fmt.Sprintf("%s, reparse tag %#x", name, tag)
	}
	return fmt.Sprintf("reparse tag %#x", tag)
}

// ReparsePoint is the value of $REPARSE_POINT.
type ReparsePoint struct {
	Tag  uint32
	GUID [16]byte // of tags that are not Microsoft's (bit 31 clear)
	Data []byte
	Raw  []byte // the whole value
}

// ParseReparse decodes a value of $REPARSE_POINT: tag (4), length of data
// (2), reserved (2), GUID (16, not in Microsoft's tags), data.
func ParseReparse(b []byte) (ReparsePoint, error) {
	if len(b) < 8 {
		return ReparsePoint{}, corrupt("reparse point is too short", len(b))
	}
	p := ReparsePoint{Tag: le.Uint32(b), Raw: b}
	data := b[8:]
	if p.Tag&0x80000000 == 0 {
		if len(data) < 16 {
			return ReparsePoint{}, corrupt("reparse point is too short", len(b))
		}
		copy(p.GUID[:], data)
		data = data[16:]
	}
	n := int(le.Uint16(b[4:]))
	if n > len(data) {
		return ReparsePoint{}, corrupt("reparse data is cut short", 4)
	}
	p.Data = data[:n]
	return p, nil
}

// Link is the target of a symlink, junction or mount point as Windows keeps
// it: with backslashes, and "\??\" before absolute targets.
type Link struct {
	Substitute, Print string
	Relative          bool
}

// Link decodes the target of a Windows link; it fails with ErrUnsupported for
// other tags.
//
//	0  2  offset, 2 2 length of the substitute name; 4 2, 6 2 of the print name
//	8  4  flags: 1 relative (symlinks only)
//	      names, in bytes of UTF-16LE
func (p *ReparsePoint) Link() (Link, error) {
	var l Link
	b := p.Data
	head := map[uint32]int{TagMountPoint: 8, TagSymlink: 12}[p.Tag]
	if head == 0 {
		return l, classf(ErrUnsupported, NoRecord, "reparse tag %#x is no link", p.Tag)
	}
	if len(b) < head {
		return l, corrupt("link is cut short", len(b))
	}
	l.Relative = p.Tag == TagSymlink && le.Uint32(b[8:])&1 != 0
	var ok1, ok2 bool
	l.Substitute, ok1 = namePart(b[head:], b)
	l.Print, ok2 = namePart(b[head:], b[4:])
	if !ok1 || !ok2 {
		return l, corrupt("link names lie outside the reparse point", -1)
	}
	return l, nil
}

// nfs is the kind of the file that a reparse point of an NFS server, or of Linux' SMB client,
// stands for [MS-FSCC 2.1.2.6], and what follows: 0 for kinds that are not known.
//
//	0  8  "LNK\x01", "CHR", "BLK", "FIFO" or "SOCK", zeros
//	8     target in UTF-16LE; or 4 major, 4 minor device number
func (p *ReparsePoint) nfs() (kind fs.FileMode, more []byte) {
	if p.Tag != TagNFS || len(p.Data) < 8 {
		return 0, nil
	}
	more = p.Data[8:]
	switch kind := strings.TrimRight(string(p.Data[:8]), "\x00"); {
	case kind == "LNK\x01":
		return fs.ModeSymlink, more
	case kind == "CHR" && len(more) >= 8:
		return fs.ModeDevice | fs.ModeCharDevice, more
	case kind == "BLK" && len(more) >= 8:
		return fs.ModeDevice, more
	case kind == "FIFO":
		return fs.ModeNamedPipe, nil
	case kind == "SOCK":
		return fs.ModeSocket, nil
	}
	return 0, nil
}

// namePart cuts the name that place (offset, length) says out of names.
func namePart(names, place []byte) (string, bool) {
	off, n := int(le.Uint16(place)), int(le.Uint16(place[2:]))
	if off > len(names) || n > len(names)-off {
		return "", false
	}
	return decodePath(names[off : off+n]), true
}

// decodePath is like DecodeName, but "." and ".." and slashes mean what they
// mean in a path.
func decodePath(u []byte) string { return string(appendUTF8(nil, u, 0)) }

// LinkTarget is where a link of any kind points: '/' separated, relative to
// the link's folder, or, with a leading '/', to the volume's root (links of WSL:
// and of NFS: to that of the system they were made on); servers, drive letters and other volumes as they stand
// ("//server/share", "C:/Users", "Volume{…}/").
// It fails with ErrUnsupported when the reparse point is no link.
func (p *ReparsePoint) LinkTarget() (string, error) {
	if p.Tag == TagLXSymlink {
		if len(p.Data) < 4 {
			return "", corrupt("WSL link is cut short", len(p.Data))
		}
		return string(p.Data[4:]), nil
	}
	if kind, target := p.nfs(); kind == fs.ModeSymlink {
		return decodePath(target), nil
	}
	l, err := p.Link()
	if err != nil {
		return "", err
	}
	target := l.Substitute
	if target == "" {
		target = l.Print
	}
	for _, prefix := range []string{`\??\UNC\`, `\\?\UNC\`} {
		if rest, ok := strings.CutPrefix(target, prefix); ok {
			return "//" + strings.ReplaceAll(rest, `\`, "/"), nil
		}
	}
	for _, prefix := range []string{`\??\`, `\\?\`} {
		target = strings.TrimPrefix(target, prefix)
	}
	return strings.ReplaceAll(target, `\`, "/"), nil
}

// WOF is what the reparse point of a CompactOS file says.
//
//	0  4  version 1; 4 4 provider: 1 WIM, 2 file
//	8  4  version 1; 12 4 algorithm
type WOF struct {
	Provider  uint32 // 1: the contents are in a WIM file; 2: in WofCompressedData
	Algorithm uint32 // 0 XPRESS 4K, 1 LZX, 2 XPRESS 8K, 3 XPRESS 16K
}

// WOF decodes a reparse point with TagWOF.
func (p *ReparsePoint) WOF() (WOF, error) {
	b := p.Data
	if p.Tag != TagWOF || len(b) < 8 {
		return WOF{}, corrupt("WOF reparse point is cut short", len(b))
	}
	w := WOF{Provider: le.Uint32(b[4:])}
	if w.Provider == 2 {
		if len(b) < 16 {
			return WOF{}, corrupt("WOF reparse point is cut short", len(b))
		}
		w.Algorithm = le.Uint32(b[12:])
	}
	return w, nil
}

// Reparse is the file's reparse point; fs.ErrNotExist when it has none.
func (f *File) Reparse() (ReparsePoint, error) {
	b, err := f.value(TypeReparse, maxReparse+64)
	if err != nil {
		return ReparsePoint{}, err
	}
	p, err := ParseReparse(b)
	return p, inRecord(err, f.rec.N)
}
