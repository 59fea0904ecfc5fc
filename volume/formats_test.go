package volume

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// format is the least of a volume that is recognised.
type format struct {
	name   string
	want   FSInfo
	size   int64
	pieces []Piece
}

// bytes are the volume's up to its last piece.
func (f *format) bytes() (b []byte) {
	for _, p := range f.pieces {
		if n := int(p.Off) + len(p.Data); n > len(b) {
			b = append(b, make([]byte, n-len(b))...)
		}
		copy(b[p.Off:], p.Data)
	}
	return b
}

func putText(off int64, s string) Piece { return Piece{off, []byte(s)} }
func put16(off int64, n uint16) Piece   { return Piece{off, binary.LittleEndian.AppendUint16(nil, n)} }
func put32(off int64, n uint32) Piece   { return Piece{off, binary.LittleEndian.AppendUint32(nil, n)} }
func put64(off int64, n uint64) Piece   { return Piece{off, binary.LittleEndian.AppendUint64(nil, n)} }
func putUTF16(off int64, s string) (p Piece) {
	p.Off = off
	for _, u := range utf16.Encode([]rune(s)) {
		p.Data = binary.LittleEndian.AppendUint16(p.Data, u)
	}
	return p
}

const (
	testUUID   = "0123456789abcdef"
	testUUIDIs = "30313233-3435-3637-3839-616263646566"
)

// putBoot is a boot sector with sectors of 512 bytes.
func putBoot(name string, perCluster byte, more ...Piece) []Piece {
	return append([]Piece{putText(0, "\xeb\x52\x90"+name), put16(11, 512), {13, []byte{perCluster}}, put16(510, 0xaa55)}, more...)
}

// formats are one volume, or more, of each kind that Detect tells.
func formats() []format {
	all := append(microsoftFormats(), linuxFormats()...)
	return append(all, otherFormats()...)
}

func microsoftFormats() []format {
	const guid = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"
	fat := func(reserved uint16, roots uint16, sectors uint32, perFAT uint16) []Piece {
		return putBoot("MSDOS5.0", 1, put16(14, reserved), Piece{16, []byte{2}}, put16(17, roots), put32(32, sectors), Piece{21, []byte{0xf8}}, put16(22, perFAT))
	}
	label := func(off int64) Piece { return putText(off, "VOLUME     \x08") }
	return []format{
		{"ntfs", FSInfo{"ntfs", "Völ", "1122334455667788", 4096, 512}, 64 << 10, putBoot("NTFS    ", 8,
			put64(48, 4), Piece{64, []byte{0xf6}}, put64(72, 0x1122334455667788),
			putText(19456, "FILE"), put16(19456+4, 48), put16(19456+6, 3), put16(19456+20, 56),
			put32(19512, 0x60), put32(19512+4, 32), put32(19512+16, 6), put16(19512+20, 24), putUTF16(19512+24, "Völ"))},
		{"bitlocker", FSInfo{Kind: "bitlocker", sector: 512}, 4096, putBoot("-FVE-FS-", 8)},
		{"bitlocker to go", FSInfo{Kind: "bitlocker", sector: 512}, 4096, putBoot("MSWIN4.1", 8, putText(424, guid))},
		{"refs", FSInfo{"refs", "", "1122334455667788", 64 << 10, 512}, 4096,
			[]Piece{putText(3, "ReFS\x00\x00\x00\x00"), put32(32, 512), put32(36, 128), put64(56, 0x1122334455667788)}},
		{"exfat", FSInfo{"exfat", "Vol", "1122-3344", 4096, 512}, 64 << 10,
			[]Piece{putText(3, "EXFAT   "), put32(88, 16), put32(96, 4), put32(100, 0x11223344), {108, []byte{9, 3}},
				{16 << 10, []byte{0x83, 3}}, putUTF16(16<<10+2, "Vol")}},
		{"fat12", FSInfo{"fat12", "VOLUME", "1122-3344", 512, 512}, 64 << 10,
			append(fat(1, 16, 128, 1), Piece{38, []byte{0x29}}, put32(39, 0x11223344), putText(43, "VOLUME     "), label(1536))},
		{"fat16", FSInfo{"fat16", "VOLUME", "1122-3344", 512, 512}, 64 << 10,
			append(fat(1, 16, 5000, 20), Piece{38, []byte{0x29}}, put32(39, 0x11223344), putText(43, "VOLUME     "), label(41*512))},
		{"fat32", FSInfo{"fat32", "VOLUME", "1122-3344", 512, 512}, 64 << 10,
			append(fat(32, 0, 70000, 0), put32(36, 32), put32(44, 2), Piece{66, []byte{0x29}}, put32(67, 0x11223344), putText(71, "VOLUME     "), label(96*512))},
		{"ldm", FSInfo{Kind: "ldm"}, 8192, []Piece{putText(512*6, "PRIVHEAD")}},
	}
}

func linuxFormats() []format {
	ext := func(kind string, compat, incompat uint32) format {
		return format{kind, FSInfo{kind, "label", testUUIDIs, 4096, 0}, 8192, []Piece{put16(1024+56, 0xef53), put32(1024+24, 2), put32(1024+92, compat),
			put32(1024+96, incompat), putText(1024+104, testUUID), putText(1024+120, "label")}}
	}
	swap := func(page int64, mark string) []Piece {
		return []Piece{putText(page-10, mark), putText(1036, testUUID), putText(1052, "label")}
	}
	raid := func(off int64) []Piece {
		return []Piece{put32(off, 0xa92b4efc), put32(off+4, 1), putText(off+16, testUUID), putText(off+32, "label"), put64(off+144, uint64(off/512))}
	}
	raidIs := FSInfo{Kind: "mdraid", Label: "label", ID: testUUIDIs}
	nilfs := format{"nilfs2", FSInfo{Kind: "nilfs2"}, 8192, []Piece{put16(1024+6, 0x3434), put16(1024+8, 280)}}
	b := append(nilfs.bytes(), make([]byte, 280)...)[1024:][:280]
	nilfs.pieces = append(nilfs.pieces, put32(1024+16, ^crc32.Update(^uint32(0), crc32.IEEETable, b)))
	return []format{
		ext("ext2", 0, 2), ext("ext3", 4, 2), ext("ext4", 4, 0x42), ext("jbd", 0, 8),
		{"xfs", FSInfo{"xfs", "label", testUUIDIs, 4096, 4096}, 8192,
			[]Piece{putText(0, "XFSB\x00\x00\x10\x00"), putText(32, testUUID), putText(102, "\x10\x00"), putText(108, "label")}},
		{"btrfs", FSInfo{"btrfs", "label", testUUIDIs, 4096, 0}, 72 << 10,
			[]Piece{putText(64<<10+32, testUUID), putText(64<<10+64, "_BHRfS_M"), put32(64<<10+144, 4096), putText(64<<10+299, "label")}},
		{"f2fs", FSInfo{"f2fs", "label", testUUIDIs, 4096, 0}, 8192,
			[]Piece{put32(1024, 0xf2f52010), put32(1024+16, 12), putText(1024+108, testUUID), putUTF16(1024+124, "label")}},
		{"swap", FSInfo{"swap", "label", testUUIDIs, 4096, 0}, 8192, swap(4096, "SWAPSPACE2")},
		{"swap of large pages", FSInfo{"swap", "label", testUUIDIs, 64 << 10, 0}, 72 << 10, swap(64<<10, "SWAPSPACE2")},
		{"suspended", FSInfo{Kind: "swap", Cluster: 4096}, 8192, []Piece{putText(4086, "S1SUSPEND\x00")}},
		{"luks1", FSInfo{Kind: "luks", ID: "a name"}, 4096, []Piece{putText(0, "LUKS\xba\xbe\x00\x01"), putText(168, "a name")}},
		{"luks2", FSInfo{Kind: "luks", Label: "label", ID: "a name"}, 4096, []Piece{putText(0, "LUKS\xba\xbe\x00\x02"), putText(24, "label"), putText(168, "a name")}},
		{"lvm", FSInfo{Kind: "lvm", ID: "012345-6789-abcd-efgh-ijkl-mnop-qrstuv"}, 4096,
			[]Piece{putText(512, "LABELONE"), putText(512+24, "LVM2 001"), putText(512+32, "0123456789abcdefghijklmnopqrstuv")}},
		{"mdraid 0.90", FSInfo{Kind: "mdraid"}, 128 << 10, []Piece{put32(64<<10, 0xa92b4efc)}},
		{"mdraid 1.0", raidIs, 64 << 10, raid(56 << 10)},
		{"mdraid 1.1", raidIs, 8192, raid(0)},
		{"mdraid 1.2", raidIs, 16 << 10, raid(4096)},
		{"squashfs", FSInfo{Kind: "squashfs", Cluster: 128 << 10}, 4096, []Piece{putText(0, "hsqs"), put32(12, 128<<10)}},
		{"erofs", FSInfo{Kind: "erofs"}, 4096, []Piece{put32(1024, 0xe0f5e1e2)}},
		{"cramfs", FSInfo{Kind: "cramfs"}, 4096, []Piece{put32(0, 0x28cd3d45)}},
		{"reiserfs", FSInfo{Kind: "reiserfs"}, 72 << 10, []Piece{putText(64<<10+52, "ReIsEr2Fs")}},
		{"bcachefs", FSInfo{Kind: "bcachefs"}, 8192, []Piece{putText(4096+24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef")}},
		nilfs,
	}
}

func otherFormats() []format {
	var zfs []Piece
	for off := int64(128 << 10); off < 132<<10; off += 1024 {
		zfs = append(zfs, put64(off, 0x00bab10c))
	}
	return []format{
		{"jfs", FSInfo{Kind: "jfs"}, 64 << 10, []Piece{putText(32<<10, "JFS1")}},
		{"zfs", FSInfo{Kind: "zfs"}, 256 << 10, zfs},
		{"vmfs", FSInfo{Kind: "vmfs"}, 1<<20 + 4096, []Piece{put32(1<<20, 0xc001d00d)}},
		{"ufs", FSInfo{Kind: "ufs"}, 16 << 10, []Piece{put32(8192+1372, 0x00011954)}},
		{"minix 1", FSInfo{Kind: "minix"}, 4096, []Piece{put16(1024, 9), put16(1024+4, 1), put16(1024+16, 0x137f)}},
		{"minix 3", FSInfo{Kind: "minix"}, 4096, []Piece{put16(1024, 9), put16(1024+4, 1), put16(1024+24, 0x4d5a)}},
		{"apfs", FSInfo{Kind: "apfs", ID: testUUIDIs, Cluster: 4096}, 4096, []Piece{putText(32, "NXSB"), put32(36, 4096), putText(72, testUUID)}},
		{"hfs+", FSInfo{Kind: "hfs+", Cluster: 4096}, 4096, []Piece{putText(1024, "H+\x00\x04"), putText(1024+40, "\x00\x00\x10\x00")}},
		{"hfs", FSInfo{Kind: "hfs", Label: "label", Cluster: 512}, 4096, []Piece{putText(1024, "BD"), putText(1024+20, "\x00\x00\x02\x00"), putText(1024+36, "\x05label")}},
		{"hfs+ in hfs", FSInfo{Kind: "hfs+"}, 4096, []Piece{putText(1024, "BD"), putText(1024+20, "\x00\x00\x02\x00"), putText(1024+124, "H+")}},
		{"udf", FSInfo{Kind: "udf", Cluster: 2048}, 64 << 10, []Piece{putText(32<<10+1, "BEA01"), putText(34<<10+1, "NSR02")}},
		{"iso9660", FSInfo{"iso9660", "DISC 1", "2026-01-02-03-04-05-06", 2048, 0}, 64 << 10, []Piece{{32 << 10, []byte{1}}, putText(32<<10+1, "CD001"),
			putText(32<<10+40, "DISC 1"+strings.Repeat(" ", 26)), putText(32<<10+813, "2026010203040506"), {34 << 10, []byte{255}}, putText(34<<10+1, "CD001")}},
	}
}

// rotten is a device that holds b and then zeros. One sector of it cannot be read.
type rotten struct {
	b    []byte
	size int64
	bad  int64 // the sector; negative: none

	reads, failed int
	bytes         int64 // asked for
}

var errRotten = errors.New("input/output error")

func (r *rotten) ReadAt(p []byte, off int64) (n int, err error) {
	r.reads++
	r.bytes += int64(len(p))
	if off >= r.size {
		return 0, io.EOF
	}
	if int64(len(p)) > r.size-off {
		p, err = p[:r.size-off], io.EOF
	}
	if at := r.bad * 512; r.bad >= 0 && off < at+512 && at < off+int64(len(p)) {
		r.failed++
		return 0, errRotten
	}
	if clear(p); off < int64(len(r.b)) {
		copy(p, r.b[off:])
	}
	return len(p), err
}
