package volume

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf8"
)

// FSInfo is what [Detect] recognised.
type FSInfo struct {
	// Kind is "" when nothing was recognised, else one of: ntfs, bitlocker,
	// refs, exfat, fat12, fat16, fat32, ext2, ext3, ext4, jbd, xfs, btrfs, zfs,
	// bcachefs, jfs, reiserfs, nilfs2, f2fs, ufs, minix, hfs, hfs+, apfs,
	// iso9660, udf, squashfs, erofs, cramfs, swap, luks, lvm, mdraid, vmfs, drbd,
	// ldm.
	Kind    string
	Label   string // UTF-8; "" when there is none or it is not read
	ID      string // as blkid writes it: UUID, or serial number of NTFS and FAT
	Cluster int64  // bytes of the allocation unit; 0: not known
	sector  int    // bytes of a sector, where the file system says
}

// bootSectorKinds carry the mark of an MBR in their first sector without
// being one.
var bootSectorKinds = map[string]bool{
	"ntfs": true, "bitlocker": true, "refs": true, "exfat": true,
	"fat12": true, "fat16": true, "fat32": true,
}

// Detect names the file system, or other use, of a volume of size bytes. What
// cannot be read is not recognised. It reads a few structures, never more than
// 256 KiB.
func Detect(r io.ReaderAt, size int64) FSInfo {
	p := &probe{r: r, size: size}
	p.head = p.read(0, min(headBytes, size))
	for _, f := range detectors {
		if info, ok := f(p); ok {
			info.Label = cleanLabel(info.Label)
			return info
		}
	}
	return FSInfo{}
}

// detectors in the order in which they count: what wraps file systems first.
var detectors = []func(*probe) (FSInfo, bool){
	(*probe).luks, (*probe).mdraid, (*probe).lvm,
	(*probe).bitlocker, (*probe).ntfs, (*probe).refs, (*probe).exfat, (*probe).fat,
	(*probe).xfs, (*probe).ext, (*probe).btrfs, (*probe).f2fs, (*probe).swap,
	(*probe).apfs, (*probe).hfs, (*probe).squashfs, (*probe).udf, (*probe).iso,
	(*probe).byMagic, (*probe).zfs,
}

// headBytes are read at once: most marks lie there.
const headBytes = 72 << 10

type probe struct {
	r    io.ReaderAt
	size int64
	head []byte // the first headBytes, or nil when they cannot be read
}

// read gives n bytes at off, nil when the volume has not got them.
func (p *probe) read(off, n int64) []byte {
	if off < 0 || n < 0 || off > p.size || n > p.size-off {
		return nil
	}
	b := make([]byte, n)
	if readFull(p.r, b, off) != nil {
		return nil
	}
	return b
}

// at is read for small pieces, out of the head where that covers them: it may give
// nil at any place, also beside one that it gave.
func (p *probe) at(off, n int64) []byte {
	if off >= 0 && n >= 0 && off <= int64(len(p.head)) && n <= int64(len(p.head))-off {
		return p.head[off : off+n]
	}
	return p.read(off, n)
}

// is reports whether the bytes at off are magic.
func (p *probe) is(off int64, magic string) bool {
	return string(p.at(off, int64(len(magic)))) == magic
}

// uuid spells 16 bytes the way blkid does.
func uuid(b []byte) string {
	if len(b) < 16 || bytes.Equal(b[:16], make([]byte, 16)) {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// text is the bytes up to the first zero.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// cleanLabel drops padding and what is not text.
func cleanLabel(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.TrimRight(s, " \x00")
}

func powerOf2(n int64) bool { return n > 0 && n&(n-1) == 0 }

// bpb is the geometry in a boot sector, which NTFS and FAT share.
type bpb struct {
	sector  int64 // bytes
	cluster int64 // bytes
	ok      bool
}

// bootSector decodes bytes 11 to 13: bytes a sector and sectors a cluster
// (NTFS: above 0x80 a negative power of two).
func bootSector(b []byte) bpb {
	if len(b) < 512 || b[510] != 0x55 || b[511] != 0xaa {
		return bpb{}
	}
	s, c := int64(binary.LittleEndian.Uint16(b[11:])), int64(b[13])
	if c > 0x80 {
		c = 1 << min(256-c, 30)
	}
	return bpb{s, s * c, saneSector(s) && powerOf2(c) && s*c <= 2<<20}
}

// ntfs: "NTFS    " at 3, serial number at 72. The label is in the $Volume
// record (3) of the MFT.
func (p *probe) ntfs() (FSInfo, bool) {
	b := p.at(0, 512)
	g := bootSector(b)
	if !g.ok || string(b[3:11]) != "NTFS    " {
		return FSInfo{}, false
	}
	id := fmt.Sprintf("%016X", binary.LittleEndian.Uint64(b[72:]))
	return FSInfo{"ntfs", p.ntfsLabel(b, g), id, g.cluster, int(g.sector)}, true
}

// ntfsLabel finds the $VOLUME_NAME attribute (0x60, resident) of MFT record 3.
// A record is clusters at 64, or a negative power of two.
func (p *probe) ntfsLabel(b []byte, g bpb) string {
	rec := int64(int8(b[64])) * g.cluster
	if c := int8(b[64]); c < 0 {
		rec = 1 << min(-int(c), 30)
	}
	lcn := binary.LittleEndian.Uint64(b[48:])
	if rec < 256 || rec > 64<<10 || lcn > uint64(p.size/g.cluster) {
		return ""
	}
	r := p.read(int64(lcn)*g.cluster+3*rec, rec)
	if len(r) == 0 || string(r[:4]) != "FILE" || !unfix(r) {
		return ""
	}
	return utf16String(residentAttr(r, 0x60))
}

// unfix undoes the update sequence of a record: the last two bytes of each 512
// are kept in an array at 4.
func unfix(r []byte) bool {
	le := binary.LittleEndian
	at, n := int(le.Uint16(r[4:])), int(le.Uint16(r[6:]))
	if n < 1 || (n-1)*512 != len(r) || at > len(r)-2*n {
		return false
	}
	for i := 1; i < n; i++ {
		copy(r[i*512-2:i*512], r[at+2*i:at+2*i+2])
	}
	return true
}

// residentAttr is the contents of the first resident attribute of a type.
func residentAttr(r []byte, typ uint32) []byte {
	le := binary.LittleEndian
	for at := int(le.Uint16(r[20:])); at >= 0 && at <= len(r)-24; {
		n := int64(le.Uint32(r[at+4:]))
		if n < 24 || n > int64(len(r)-at) || le.Uint32(r[at:]) == 0xffffffff {
			return nil
		}
		a := r[at : at+int(n)]
		if le.Uint32(a) == typ && a[8] == 0 {
			return attrValue(a)
		}
		at += int(n)
	}
	return nil
}

func attrValue(a []byte) []byte {
	n, off := int64(binary.LittleEndian.Uint32(a[16:])), int64(binary.LittleEndian.Uint16(a[20:]))
	if off > int64(len(a)) || n > int64(len(a))-off {
		return nil
	}
	return a[off : off+n]
}

// bitlocker: "-FVE-FS-" in place of the OEM name; BitLocker To Go looks like
// FAT32 ("MSWIN4.1") and has the volume's GUID at 424, Vista and later at 160.
func (p *probe) bitlocker() (FSInfo, bool) {
	const guid = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"
	b := p.at(0, 512)
	if len(b) == 0 {
		return FSInfo{}, false
	}
	own := string(b[3:11]) == "-FVE-FS-"
	toGo := string(b[3:11]) == "MSWIN4.1" && string(b[424:440]) == guid
	if !own && !toGo {
		return FSInfo{}, false
	}
	sector := int(binary.LittleEndian.Uint16(b[11:]))
	if !saneSector(int64(sector)) {
		sector = 0
	}
	return FSInfo{Kind: "bitlocker", sector: sector}, true
}

// refs: "ReFS" at 3, "FSRS" at 16; serial number at 56, bytes a sector at 32,
// sectors a cluster at 36.
func (p *probe) refs() (FSInfo, bool) {
	b := p.at(0, 512)
	if len(b) == 0 || string(b[3:11]) != "ReFS\x00\x00\x00\x00" {
		return FSInfo{}, false
	}
	le := binary.LittleEndian
	s, c := int64(le.Uint32(b[32:])), int64(le.Uint32(b[36:]))
	info := FSInfo{Kind: "refs", ID: fmt.Sprintf("%016X", le.Uint64(b[56:]))}
	if saneSector(s) && powerOf2(c) && c <= 4096 {
		info.Cluster, info.sector = s*c, int(s)
	}
	return info, true
}

// exfat: "EXFAT   " at 3; serial number at 100, shifts of the sector size and
// sectors a cluster at 108 and 109, root's cluster at 96, heap's sector at 88.
func (p *probe) exfat() (FSInfo, bool) {
	b := p.at(0, 512)
	if len(b) == 0 || string(b[3:11]) != "EXFAT   " || b[108] < 9 || b[108] > 12 || b[109] > 25-b[108] {
		return FSInfo{}, false
	}
	le := binary.LittleEndian
	sn := le.Uint32(b[100:])
	sector := int64(1) << b[108]
	info := FSInfo{"exfat", "", fmt.Sprintf("%04X-%04X", sn>>16, sn&0xffff), sector << b[109], int(sector)}
	if root := int64(le.Uint32(b[96:])); root >= 2 {
		info.Label = p.exfatLabel(int64(le.Uint32(b[88:]))*sector + (root-2)*info.Cluster)
	}
	return info, true
}

// exfatLabel looks for the label entry (0x83: length, UTF-16) at the front of
// the root folder.
func (p *probe) exfatLabel(root int64) string {
	b := p.at(root, 512)
	for ; len(b) >= 32 && b[0] != 0; b = b[32:] {
		if b[0] == 0x83 && b[1] <= 11 {
			return utf16String(b[2 : 2+2*int(b[1])])
		}
	}
	return ""
}

// fat follows Microsoft's rule: the number of clusters alone tells the width.
func (p *probe) fat() (FSInfo, bool) {
	b := p.at(0, 512)
	g := bootSector(b)
	if !g.ok || b[0] != 0xeb && b[0] != 0xe9 || b[16] == 0 || b[16] > 4 || b[21] < 0xf0 {
		return FSInfo{}, false
	}
	f := parseFAT(b, g)
	if f.data < 0 || f.kind == "" {
		return FSInfo{}, false
	}
	ext := b[36:] // extended boot record: FAT32 has 28 bytes more before it
	if f.kind == "fat32" {
		ext = b[64:]
	}
	info := FSInfo{Kind: f.kind, Cluster: g.cluster, sector: int(g.sector)}
	if ext[2] == 0x28 || ext[2] == 0x29 {
		sn := binary.LittleEndian.Uint32(ext[3:])
		info.ID = fmt.Sprintf("%04X-%04X", sn>>16, sn&0xffff)
		info.Label = strings.TrimRight(string(ext[7:18]), " \x00")
	}
	if l := p.fatLabel(f); l != "" || info.Label == "NO NAME" {
		info.Label = l
	}
	return info, true
}

// fatGeometry is where things are on a FAT volume, in bytes.
type fatGeometry struct {
	kind       string
	root, rlen int64 // the root folder, or its first cluster
	data       int64 // sectors of the heap; negative: nonsense
}

// parseFAT: reserved sectors at 14, FATs at 16, root entries at 17, sectors at
// 19 or 32, sectors a FAT at 22 or (FAT32) 36, root's cluster at 44.
func parseFAT(b []byte, g bpb) fatGeometry {
	le := binary.LittleEndian
	total, perFAT := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	wide := perFAT == 0
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	if wide {
		perFAT = int64(le.Uint32(b[36:]))
	}
	rlen := int64(le.Uint16(b[17:])) * 32
	rootAt := int64(le.Uint16(b[14:])) + int64(b[16])*perFAT
	heap := rootAt + (rlen+g.sector-1)/g.sector
	f := fatGeometry{root: rootAt * g.sector, rlen: rlen, data: total - heap}
	if le.Uint16(b[14:]) == 0 || perFAT == 0 {
		f.data = -1
	}
	clusters := f.data * g.sector / g.cluster
	switch {
	case wide && rlen == 0:
		f.kind = "fat32"
		f.root = heap*g.sector + (int64(le.Uint32(b[44:]))-2)*g.cluster
		f.rlen = g.cluster
	case wide || rlen == 0:
	case clusters < 4085:
		f.kind = "fat12"
	default:
		f.kind = "fat16"
	}
	return f
}

// fatLabel looks for the label (attribute 0x08 alone) in the root's first 16 KiB.
func (p *probe) fatLabel(f fatGeometry) string {
	b := p.at(f.root, min(f.rlen, 16<<10))
	for ; len(b) >= 32 && b[0] != 0; b = b[32:] {
		if b[0] != 0xe5 && b[11]&0x18 == 0x08 && b[11] != 0x0f {
			return strings.TrimRight(string(b[:11]), " ")
		}
	}
	return ""
}

// ext: the superblock at 1024, magic at 56 (ext4 documentation, "The Super
// Block").
func (p *probe) ext() (FSInfo, bool) {
	b := p.at(1024, 1024)
	le := binary.LittleEndian
	if len(b) == 0 || le.Uint16(b[56:]) != 0xef53 || le.Uint32(b[24:]) > 6 {
		return FSInfo{}, false
	}
	const (
		hasJournal   = 0x4  // compatible
		journalDev   = 0x8  // incompatible
		ext3Incompat = 0x16 // filetype, recover, meta_bg
		ext3ROCompat = 0x7  // sparse_super, large_file, btree_dir
	)
	compat, incompat, ro := le.Uint32(b[92:]), le.Uint32(b[96:]), le.Uint32(b[100:])
	kind := "ext2"
	switch {
	case incompat&journalDev != 0:
		kind = "jbd"
	case incompat&^ext3Incompat != 0 || ro&^ext3ROCompat != 0:
		kind = "ext4"
	case compat&hasJournal != 0:
		kind = "ext3"
	}
	return FSInfo{Kind: kind, Label: text(b[120:136]), ID: uuid(b[104:]), Cluster: 1024 << le.Uint32(b[24:])}, true
}

// xfs: "XFSB" at 0, big-endian block size at 4, UUID at 32, label at 108.
func (p *probe) xfs() (FSInfo, bool) {
	b := p.at(0, 512)
	if len(b) == 0 || string(b[:4]) != "XFSB" {
		return FSInfo{}, false
	}
	bs, sector := int64(binary.BigEndian.Uint32(b[4:])), int64(binary.BigEndian.Uint16(b[102:]))
	if !powerOf2(bs) || bs > 64<<10 {
		return FSInfo{}, false
	}
	info := FSInfo{Kind: "xfs", Label: text(b[108:120]), ID: uuid(b[32:]), Cluster: bs}
	if saneSector(sector) && sector == 4096 {
		info.sector = 4096
	}
	return info, true
}

// btrfs: the superblock at 64 KiB, magic at 64, UUID at 32, label at 299.
func (p *probe) btrfs() (FSInfo, bool) {
	b := p.at(64<<10, 4096)
	if len(b) == 0 || string(b[64:72]) != "_BHRfS_M" {
		return FSInfo{}, false
	}
	bs := int64(binary.LittleEndian.Uint32(b[144:]))
	if !powerOf2(bs) || bs > 64<<10 {
		bs = 0
	}
	return FSInfo{Kind: "btrfs", Label: text(b[299:555]), ID: uuid(b[32:]), Cluster: bs}, true
}

// f2fs: magic at 1024, block size as a shift at 16, UUID at 108, UTF-16 label
// at 124.
func (p *probe) f2fs() (FSInfo, bool) {
	b := p.at(1024, 1148)
	le := binary.LittleEndian
	if len(b) == 0 || le.Uint32(b) != 0xf2f52010 || le.Uint32(b[16:]) > 16 {
		return FSInfo{}, false
	}
	return FSInfo{Kind: "f2fs", Label: utf16String(b[124:1148]), ID: uuid(b[108:]), Cluster: 1 << le.Uint32(b[16:])}, true
}

// swap: the mark is in the last ten bytes of the first page; version 1 has a
// UUID at 1036 and a label at 1052.
func (p *probe) swap() (FSInfo, bool) {
	for _, page := range []int64{4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10} {
		switch string(p.at(page-10, 10)) {
		case "SWAPSPACE2", "SWAP-SPACE":
			info := FSInfo{Kind: "swap", Cluster: page}
			if b := p.at(1024, 128); b != nil {
				info.Label, info.ID = text(b[28:44]), uuid(b[12:])
			}
			return info, true
		case "S1SUSPEND\x00", "S2SUSPEND\x00", "ULSUSPEND\x00", "LINHIB0001":
			return FSInfo{Kind: "swap", Cluster: page}, true
		}
	}
	return FSInfo{}, false
}

// luks: "LUKS" BA BE at 0, version at 6; UUID text at 168; version 2 has its
// label at 24.
func (p *probe) luks() (FSInfo, bool) {
	b := p.at(0, 512)
	if len(b) == 0 || string(b[:6]) != "LUKS\xba\xbe" {
		return FSInfo{}, false
	}
	info := FSInfo{Kind: "luks", ID: text(b[168:208])}
	if binary.BigEndian.Uint16(b[6:]) == 2 {
		info.Label = text(b[24:72])
	}
	return info, true
}

// lvm: "LABELONE" in one of the first four sectors, type at 24, the volume's
// name after the header.
func (p *probe) lvm() (FSInfo, bool) {
	for s := int64(0); s < 4; s++ {
		b := p.at(s*512, 512)
		if len(b) == 0 || string(b[:8]) != "LABELONE" || string(b[24:32]) != "LVM2 001" {
			continue
		}
		return FSInfo{Kind: "lvm", ID: lvmUUID(b[32:64])}, true
	}
	return FSInfo{}, false
}

// lvmUUID groups the 32 characters of a physical volume's name 6-4-4-4-4-4-6.
func lvmUUID(b []byte) string {
	s := string(b)
	return strings.Join([]string{s[:6], s[6:10], s[10:14], s[14:18], s[18:22], s[22:26], s[26:32]}, "-")
}

// mdraid: version 1 at the front (1.1), at 4 KiB (1.2) or 8 KiB before the end
// (1.0); version 0.90 at the last 64 KiB boundary but one.
func (p *probe) mdraid() (FSInfo, bool) {
	end := p.size &^ 511
	for _, off := range []int64{0, 4096, (end - 8192) &^ 4095} {
		b := p.at(off, 256)
		le := binary.LittleEndian
		if len(b) > 0 && le.Uint32(b) == 0xa92b4efc && le.Uint32(b[4:]) == 1 && le.Uint64(b[144:]) == uint64(off/512) {
			return FSInfo{Kind: "mdraid", Label: text(b[32:64]), ID: uuid(b[16:])}, true
		}
	}
	b := p.at(p.size&^(64<<10-1)-64<<10, 64)
	if len(b) == 0 || binary.LittleEndian.Uint32(b) != 0xa92b4efc || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return FSInfo{}, false
	}
	return FSInfo{Kind: "mdraid"}, true
}

// apfs: a container superblock: "NXSB" at 32, block size at 36, UUID at 72.
func (p *probe) apfs() (FSInfo, bool) {
	b := p.at(0, 512)
	if len(b) == 0 || string(b[32:36]) != "NXSB" {
		return FSInfo{}, false
	}
	bs := int64(binary.LittleEndian.Uint32(b[36:]))
	if !powerOf2(bs) || bs > 64<<10 {
		return FSInfo{}, false
	}
	return FSInfo{Kind: "apfs", ID: uuid(b[72:]), Cluster: bs}, true
}

// hfs: big-endian volume header at 1024: "BD" HFS, "H+" and "HX" HFS+; block
// size at 40 (HFS+) or 20.
func (p *probe) hfs() (FSInfo, bool) {
	b := p.at(1024, 512)
	if len(b) == 0 {
		return FSInfo{}, false
	}
	info := FSInfo{Kind: "hfs+"}
	bs := int64(binary.BigEndian.Uint32(b[40:]))
	switch string(b[:2]) {
	case "H+", "HX":
		if v := binary.BigEndian.Uint16(b[2:]); v != 4 && v != 5 {
			return FSInfo{}, false
		}
	case "BD":
		info.Kind, bs = "hfs", int64(binary.BigEndian.Uint32(b[20:]))
		if string(b[124:126]) == "H+" {
			info.Kind = "hfs+" // wrapped in an HFS volume
			bs = 0
		} else if n := int(b[36]); n <= 27 {
			info.Label = string(b[37 : 37+n])
		}
	default:
		return FSInfo{}, false
	}
	if bs%512 != 0 || bs > 1<<30 {
		return FSInfo{}, false
	}
	info.Cluster = bs
	return info, true
}

// squashfs: magic at 0, block size at 12, version at 28.
func (p *probe) squashfs() (FSInfo, bool) {
	b := p.at(0, 96)
	if len(b) == 0 || string(b[:4]) != "hsqs" && string(b[:4]) != "sqsh" {
		return FSInfo{}, false
	}
	bs := int64(binary.LittleEndian.Uint32(b[12:]))
	if string(b[:4]) == "sqsh" || !powerOf2(bs) || bs > 1<<20 {
		bs = 0
	}
	return FSInfo{Kind: "squashfs", Cluster: bs}, true
}

// iso: descriptors from 32 KiB, each 2 KiB, "CD001" at 1: the primary one (1)
// and perhaps Joliet (2, label in UTF-16).
func (p *probe) iso() (FSInfo, bool) {
	if !p.is(32<<10+1, "CD001") {
		return FSInfo{}, false
	}
	info := FSInfo{Kind: "iso9660", Cluster: 2048}
	for off := int64(32 << 10); off < 64<<10; off += 2048 {
		b := p.at(off, 2048)
		if len(b) == 0 || string(b[1:6]) != "CD001" || b[0] == 255 {
			break
		}
		if b[0] == 1 {
			info.Label, info.ID = string(b[40:72]), isoTime(b[813:829], b[830:846])
		}
	}
	return info, true
}

// isoTime is what blkid gives as an ISO's UUID: the time of change, or of
// creation, in 16 digits.
func isoTime(created, modified []byte) string {
	t := string(modified)
	if strings.Trim(t, "0\x00") == "" {
		t = string(created)
	}
	if len(strings.Trim(t, "0123456789")) != 0 || strings.Trim(t, "0") == "" {
		return ""
	}
	return fmt.Sprintf("%s-%s-%s-%s-%s-%s-%s", t[:4], t[4:6], t[6:8], t[8:10], t[10:12], t[12:14], t[14:16])
}

// udf: among the descriptors from 32 KiB one says NSR02 or NSR03.
func (p *probe) udf() (FSInfo, bool) {
	for off := int64(32 << 10); off < 64<<10; off += 2048 {
		switch string(p.at(off+1, 5)) {
		case "NSR02", "NSR03":
			return FSInfo{Kind: "udf", Cluster: 2048}, true
		case "BEA01", "BOOT2", "CD001", "CDW02", "TEA01":
		default:
			return FSInfo{}, false
		}
	}
	return FSInfo{}, false
}

// byMagic holds those that a mark at one place tells well enough.
func (p *probe) byMagic() (FSInfo, bool) {
	for _, m := range []struct {
		kind  string
		off   int64
		magic string
	}{
		{"jfs", 32768, "JFS1"},
		{"reiserfs", 65536 + 52, "ReIsErFs"},
		{"reiserfs", 65536 + 52, "ReIsEr2Fs"},
		{"reiserfs", 65536 + 52, "ReIsEr3Fs"},
		{"erofs", 1024, "\xe2\xe1\xf5\xe0"},
		{"cramfs", 0, "\x45\x3d\xcd\x28"},
		{"bcachefs", 4096 + 24, "\xf6\x73\x85\xc6\x4e\x1a\xca\x45\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
		{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
		{"vmfs", 1 << 20, "\x0d\xd0\x01\xc0"},
		{"ufs", 8192 + 1372, "\x54\x19\x01\x00"},
		{"ufs", 65536 + 1372, "\x19\x01\x54\x19"},
		{"nilfs2", 1024 + 6, "\x34\x34"},
		{"minix", 1024 + 16, "\x7f\x13"},
		{"minix", 1024 + 16, "\x8f\x13"},
		{"minix", 1024 + 16, "\x68\x24"},
		{"minix", 1024 + 16, "\x78\x24"},
		{"minix", 1024 + 24, "\x5a\x4d"},
		{"ldm", 512 * 6, "PRIVHEAD"},
	} {
		if p.is(m.off, m.magic) && p.confirm(m.kind) {
			return FSInfo{Kind: m.kind}, true
		}
	}
	return FSInfo{}, false
}

// confirm guards the marks of two bytes.
func (p *probe) confirm(kind string) bool {
	switch kind {
	case "nilfs2":
		return p.confirmNILFS()
	case "minix": // inodes at 0, blocks of the inode map at 4
		b := p.at(1024, 6)
		return b != nil && binary.LittleEndian.Uint16(b) != 0 && binary.LittleEndian.Uint16(b[4:]) != 0
	}
	return true
}

// confirmNILFS proves a superblock: its size is at 8, the checksum of it at 16 with
// a seed at 12.
func (p *probe) confirmNILFS() bool {
	b := p.at(1024, 20)
	if b == nil {
		return false
	}
	n := int64(binary.LittleEndian.Uint16(b[8:]))
	if n < 20 || n > 1024 {
		return false
	}
	if b = p.at(1024, n); b == nil {
		return false
	}
	c := ^crc32.Update(^binary.LittleEndian.Uint32(b[12:]), crc32.IEEETable, b[:16])
	c = ^crc32.Update(^c, crc32.IEEETable, make([]byte, 4))
	c = ^crc32.Update(^c, crc32.IEEETable, b[20:])
	return c == binary.LittleEndian.Uint32(b[16:])
}

// zfs: an array of uberblocks from 128 KiB on; the mark is in either order.
func (p *probe) zfs() (FSInfo, bool) {
	b := p.read(128<<10, 128<<10)
	found := 0
	for ; len(b) >= 1024; b = b[1024:] {
		if m := binary.LittleEndian.Uint64(b); m == 0x00bab10c || m == 0x0cb1ba0000000000 {
			found++
		}
	}
	return FSInfo{Kind: "zfs"}, found >= 2
}
