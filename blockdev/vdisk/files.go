package vdisk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"vitrine/blockdev"
)

// MaxVHD is the largest disk that the VHD format holds, in bytes: 2040 GiB.
const MaxVHD = 2040 << 30

// VHD returns the disk as the contents of a fixed VHD file: the disk, then a
// footer. Source: Virtual Hard Disk Image Format Specification 1.0.
func VHD(disk blockdev.Device, seed []byte) (*Disk, error) {
	size := padded(disk.Size(), 512)
	if size == 0 || size > MaxVHD {
		return nil, fmt.Errorf("a VHD of %d bytes: %w", size, blockdev.ErrRange)
	}
	footer := vhdFooter(size, guid(seed, "vhd"))
	return newDisk(512, part{size, disk}, part{512, blockdev.Bytes{B: footer}}), nil
}

// vhdFooter:
//
//	off len field, big-endian
//	  0   8 "conectix"
//	  8   4 features: 2
//	 12   4 version 1.0
//	 16   8 offset of further data: none
//	 24   4 seconds since 2000: 0, so that the same disk gives the same file
//	 28   4 creator
//	 32   4 its version
//	 36   4 its system
//	 40   8 original size
//	 48   8 current size
//	 56   4 cylinders (2), heads, sectors
//	 60   4 type: 2, fixed
//	 64   4 checksum: complement of the sum of all other bytes
//	 68  16 unique id
//
// The creator is Windows' because qemu believes the size field of few creators
// and computes the size of all others from the geometry, which cannot express
// most sizes.
func vhdFooter(size int64, id [16]byte) []byte {
	be := binary.BigEndian
	b := make([]byte, 512)
	copy(b, "conectix")
	be.PutUint32(b[8:], 2)
	be.PutUint32(b[12:], 0x00010000)
	be.PutUint64(b[16:], math.MaxUint64)
	copy(b[28:], "win \x00\x06\x00\x01Wi2k")
	be.PutUint64(b[40:], uint64(size))
	be.PutUint64(b[48:], uint64(size))
	c, h, s := vhdGeometry(size / 512)
	be.PutUint16(b[56:], c)
	b[58], b[59] = h, s
	be.PutUint32(b[60:], 2)
	copy(b[68:], id[:])
	var sum uint32
	for _, v := range b {
		sum += uint32(v)
	}
	be.PutUint32(b[64:], ^sum)
	return b
}

// vhdGeometry is the calculation of the specification's appendix.
func vhdGeometry(sectors int64) (cylinders uint16, heads, perTrack byte) {
	n := min(sectors, 65535*16*255)
	if n >= 65535*16*63 {
		return uint16(n / 255 / 16), 16, 255
	}
	spt := int64(17)
	ch := n / spt
	h := max(4, (ch+1023)/1024)
	if ch >= h*1024 || h > 16 {
		spt, h = 31, 16
		ch = n / spt
	}
	if ch >= h*1024 {
		spt, h = 63, 16
		ch = n / spt
	}
	return uint16(ch / h), byte(h), byte(spt)
}

// Flat returns the disk as a flat VMDK extent: whole sectors.
func Flat(disk blockdev.Device) *Disk {
	return newDisk(disk.SectorSize(), part{padded(disk.Size(), 512), disk})
}

// VMDK returns the descriptor of a VMDK whose one flat extent, a file beside
// it, holds the disk as [Flat] gives it. Source: VMware Virtual Disk Format 5.0.
func VMDK(disk blockdev.Device, extent string, seed []byte) ([]byte, error) {
	if strings.ContainsAny(extent, "\"\n\r\x00") || extent == "" {
		return nil, fmt.Errorf("%q cannot be the name of an extent", extent)
	}
	sectors := padded(disk.Size(), 512) / 512
	id := guid(seed, "vmdk")
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\n",
		binary.BigEndian.Uint32(id[:])&0xfffffffe) // ffffffff means: none
	fmt.Fprintf(&b, "# Extent description\nRW %d FLAT \"%s\" 0\n\n", sectors, extent)
	fmt.Fprintf(&b, "# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\nddb.adapterType = \"lsilogic\"\n")
	fmt.Fprintf(&b, "ddb.geometry.cylinders = \"%d\"\nddb.geometry.heads = \"255\"\nddb.geometry.sectors = \"63\"\n", min(sectors/255/63, 65535))
	fmt.Fprintf(&b, "ddb.uuid = \"% x-% x\"\n", id[:8], id[8:])
	return b.Bytes(), nil
}
