package ntfsparse

import (
	"encoding/binary"
	"math/bits"
)

var le = binary.LittleEndian

// Boot is the geometry in an NTFS boot sector.
//
//	0x03  8  "NTFS    "
//	0x0B  2  bytes per sector
//	0x0D  1  sectors per cluster; above 0x80: 2^(256-b)
//	0x1C  4  sectors before the partition
//	0x28  8  sectors of the volume, without the backup boot sector behind it
//	0x30  8  LCN of $MFT
//	0x38  8  LCN of $MFTMirr
//	0x40  1  size of a file record: clusters, or, negative, 2^-n bytes
//	0x44  1  size of an index block, likewise
//	0x48  8  serial number
//	0x1FE 2  55 AA
//
// Source: the Linux-NTFS project's documentation of $Boot.
type Boot struct {
	SectorSize    int    // bytes, 256 to 4096
	ClusterSize   int64  // bytes, up to 2 MiB
	HiddenSectors uint32 // sectors before the partition, as formatted
	TotalSectors  uint64 // without the backup boot sector
	MFT, Mirror   int64  // LCNs
	RecordSize    int    // bytes
	IndexSize     int    // bytes of an index block
	Serial        uint64
	Signed        bool // ends in 55 AA
}

// ParseBoot decodes a boot sector of at least 512 bytes. It names other
// formats that look alike with ErrUnsupported.
func ParseBoot(b []byte) (Boot, error) {
	if len(b) < 512 {
		return Boot{}, corrupt("boot sector is cut short", 0)
	}
	if err := lookAlike(b); err != nil {
		return Boot{}, err
	}
	bt := Boot{
		SectorSize:    int(le.Uint16(b[0x0B:])),
		HiddenSectors: le.Uint32(b[0x1C:]),
		TotalSectors:  le.Uint64(b[0x28:]),
		MFT:           int64(le.Uint64(b[0x30:])),
		Mirror:        int64(le.Uint64(b[0x38:])),
		Serial:        le.Uint64(b[0x48:]),
		Signed:        b[0x1FE] == 0x55 && b[0x1FF] == 0xAA,
	}
	return bt, bt.sizes(b[0x0D], b[0x40], b[0x44])
}

// bitLockerToGo is the GUID by which BitLocker To Go, which looks like FAT32, is
// known.
const bitLockerToGo = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"

// lookAlike tells NTFS from what is found in its place.
func lookAlike(b []byte) error {
	name := string(b[3:11])
	if name == "MSWIN4.1" && string(b[0x1A8:0x1B8]) == bitLockerToGo {
		name = "-FVE-FS-"
	}
	switch name {
	case "NTFS    ":
		return nil
	case "-FVE-FS-":
		return classf(ErrUnsupported, NoRecord, "the volume is encrypted with BitLocker")
	case "ReFS\x00\x00\x00\x00":
		return classf(ErrUnsupported, NoRecord, "the volume is ReFS")
	case "EXFAT   ":
		return classf(ErrUnsupported, NoRecord, "the volume is exFAT")
	}
	return corrupt("boot sector does not say NTFS", 3)
}

func (bt *Boot) sizes(cluster, record, index byte) error {
	if s := bt.SectorSize; s < 256 || s > 4096 || bits.OnesCount(uint(s)) != 1 {
		return corrupt("sector size is impossible", 0x0B)
	}
	bt.ClusterSize = clusterSize(bt.SectorSize, cluster)
	if bt.ClusterSize == 0 {
		return corrupt("cluster size is impossible", 0x0D)
	}
	bt.RecordSize = clustersOrPower(record, bt.ClusterSize, maxRecordSize)
	if bt.RecordSize == 0 {
		return corrupt("file record size is impossible", 0x40)
	}
	bt.IndexSize = clustersOrPower(index, bt.ClusterSize, maxIndexBlock)
	if bt.IndexSize == 0 {
		return corrupt("index block size is impossible", 0x44)
	}
	return bt.places()
}

func (bt *Boot) places() error {
	limit := int64(1<<62) / bt.ClusterSize
	if bt.MFT <= 0 || bt.MFT > limit {
		return corrupt("place of $MFT is impossible", 0x30)
	}
	if bt.TotalSectors == 0 || bt.TotalSectors > 1<<62/uint64(bt.SectorSize) {
		return corrupt("sector count is impossible", 0x28)
	}
	return nil
}

// clusterSize is in bytes, 0 when the byte b is illegal.
func clusterSize(sector int, b byte) int64 {
	n := int64(b)
	if b > 0x80 {
		if b < 0xE0 {
			return 0
		}
		n = 1 << (256 - int(b))
	}
	if bits.OnesCount64(uint64(n)) != 1 || n*int64(sector) > maxClusterSize {
		return 0
	}
	return n * int64(sector)
}

// clustersOrPower decodes the record size bytes; 0 when illegal.
func clustersOrPower(b byte, cluster, limit int64) int {
	var n int64
	switch s := int8(b); {
	case s > 0:
		n = int64(s) * cluster
	case s < 0 && s >= -24:
		n = 1 << -s
	}
	if n < 512 || n > limit || bits.OnesCount64(uint64(n)) != 1 {
		return 0
	}
	return int(n)
}

// Clusters is the number of whole clusters.
func (bt *Boot) Clusters() int64 {
	return int64(bt.TotalSectors * uint64(bt.SectorSize) / uint64(bt.ClusterSize))
}
