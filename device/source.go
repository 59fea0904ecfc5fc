package device

import (
	"context"
	"errors"
	"io"
)

// Ways to hold a source still while it is read.
const (
	SnapshotAuto = "auto" // a snapshot where there is one to be had
	SnapshotNone = "none" // read the source as it is
	SnapshotVSS  = "vss"  // Windows' shadow copies, or fail
	SnapshotLVM  = "lvm"  // a snapshot of a logical volume, or fail
)

// Snapshots lists the ways.
var Snapshots = []string{SnapshotAuto, SnapshotNone, SnapshotVSS, SnapshotLVM}

// SourceOptions of [OpenSource]. The zero value reads the source as it is.
type SourceOptions struct {
	Snapshot string // one of [Snapshots]; "": none
	Polite   bool   // let other programs' reading and writing go first
}

// OpenSource opens what is to be captured: as [Open] does, then holds it still
// as o says. A disk's volumes are all held at one moment.
func OpenSource(ctx context.Context, path string, o SourceOptions) (*Device, error) {
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	if o.Polite {
		bePolite(d.f)
	}
	if o.Snapshot == SnapshotNone || o.Snapshot == "" {
		return d, nil
	}
	if err := d.freeze(ctx, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Frozen reports whether the source is read from a snapshot, as far as it was
// in use.
func (d *Device) Frozen() bool { return d.frozen }

// Remarks are sentences about how the source is read, for the image.
func (d *Device) Remarks() []string { return d.remarks }

// base is the device without its parts.
func (d *Device) base() io.ReaderAt {
	if d.raw != nil {
		return d.raw
	}
	return d.f
}

// bitLocker is the mark of an encrypted volume, at byte 3 of its first sector.
const bitLocker = "-FVE-FS-"

// encrypted reports whether a volume begins as BitLocker's do.
func encrypted(r io.ReaderAt, off int64) bool {
	var b [512]byte
	n, _ := r.ReadAt(b[:], off)
	return n == len(b) && string(b[3:3+len(bitLocker)]) == bitLocker
}

// ntfsEnd is where the file system of an NTFS volume ends, before the copy of
// its boot sector; 0 when it is not NTFS.
func ntfsEnd(r io.ReaderAt) int64 {
	var b [512]byte
	if n, _ := r.ReadAt(b[:], 0); n < len(b) || string(b[3:11]) != "NTFS    " {
		return 0
	}
	a := answer{b: b[:]}
	sector := int64(a.u32(11) & 0xFFFF)
	sectors := a.i64(40)
	if sector < 256 || sectors < 0 || sectors > 1<<62/sector {
		return 0
	}
	return sector * sectors
}

// readable is how much of a volume can be read: some shadow copies end with
// their file system, before the copy of the boot sector.
func (d *Device) readable() int64 {
	sector := int64(max(d.info.SectorSize, 512))
	if n, _ := d.ReadAt(make([]byte, sector), d.info.Size-sector); int64(n) == sector {
		return d.info.Size
	}
	if end := ntfsEnd(d); end > 0 && end < d.info.Size {
		return end / sector * sector
	}
	return d.info.Size
}
