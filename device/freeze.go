package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vitrine/device/vss"
)

// piece is a volume of a source, and where it lies there.
type piece struct {
	vol      winVol
	off, len int64
}

// root names the volume as the service wants it.
func (p *piece) root() string {
	if p.vol.name != "" {
		return p.vol.name
	}
	if len(p.vol.paths) > 0 {
		return p.vol.paths[0]
	}
	return ""
}

// freezer puts a source together from shadow copies and volumes.
type freezer struct {
	d      *Device
	o      SourceOptions
	whole  bool // the source is a disk
	pieces []piece
	host   winHost
	set    shadows // nil: none was made
}

// shadows are copies of volumes that were made at one moment; *vss.Set is one.
type shadows interface {
	Device(volume string) string
	Skipped(volume string) error
	FailedWriters() []string
	Close() error
}

// winHost is what putting a source together needs of Windows.
type winHost interface {
	volumes() []winVol
	volumeAt(open string) winVol
	writable(v *winVol) bool
	starts(v *winVol) bool // it is what the machine starts from
	open(name string) (opened, error)
	shadows(ctx context.Context, roots []string) (shadows, error)
}

// opened is a volume, or a copy of one; *Device is one.
type opened interface {
	io.ReaderAt
	readable() int64
	Close() error
}

// freeze makes one set of shadow copies for all volumes of the source. What
// cannot have one is read as it is, and the image says so.
func (d *Device) freezeOn(ctx context.Context, host winHost, o SourceOptions) error {
	if o.Snapshot == SnapshotLVM {
		return refuse(d.info.Path, ErrUnsupported, "there is no LVM on Windows")
	}
	n := parseWinName(d.info.Path)
	if n.kind != winDisk && n.kind != winVolume || strings.Contains(strings.ToLower(n.open), "shadowcopy") {
		if o.Snapshot == SnapshotVSS {
			return refuse(d.info.Path, ErrUnsupported, "only disks and volumes can have a shadow copy")
		}
		return nil
	}
	z := &freezer{d: d, o: o, whole: n.kind == winDisk, host: host}
	z.find(n)
	if err := z.snapshot(ctx); err != nil {
		return err
	}
	if err := z.assemble(); err != nil {
		err = errors.Join(err, d.parts.close(), z.end())
		d.parts = nil
		return err
	}
	return nil
}

// find lists the volumes of the source.
func (z *freezer) find(n winName) {
	if !z.whole {
		z.pieces = []piece{{z.host.volumeAt(n.open), 0, z.d.info.Size}}
		return
	}
	for _, v := range z.host.volumes() {
		if !v.on(n.disk) {
			continue
		}
		if len(v.extents) > 1 {
			z.remark("the volume %s has several pieces and is read as the disk has it, without a snapshot", v.label())
			continue
		}
		z.pieces = append(z.pieces, piece{v, v.extents[0].Off, v.extents[0].Len})
	}
}

func (z *freezer) remark(format string, a ...any) {
	z.d.remarks = append(z.d.remarks, fmt.Sprintf(format, a...))
}

// snapshot makes the set, unless nothing is in use.
func (z *freezer) snapshot(ctx context.Context) error {
	must := z.o.Snapshot == SnapshotVSS
	if !must && !slices.ContainsFunc(z.pieces, func(p piece) bool { return z.host.writable(&p.vol) }) {
		return nil
	}
	var roots []string
	for _, p := range z.pieces {
		if r := p.root(); r != "" {
			roots = append(roots, r)
		}
	}
	set, err := z.host.shadows(ctx, roots)
	switch {
	case err == nil:
		z.set = set
		for _, w := range z.set.FailedWriters() {
			z.remark("%s did not bring its files into order for the snapshot; they are as after a power cut", w)
		}
		return nil
	case must || ctx.Err() != nil:
		return err
	case !errors.Is(err, vss.ErrNone):
		z.remark("no snapshot could be made: %v", err)
	}
	return nil
}

func (z *freezer) end() error {
	if z.set == nil {
		return nil
	}
	return z.set.Close()
}

// assemble makes the parts of the source.
func (z *freezer) assemble() error {
	frozen := z.set != nil
	for _, p := range z.pieces {
		from := ""
		if z.set != nil {
			from = z.set.Device(p.root())
		}
		if err := z.part(p, from); err != nil {
			return err
		}
		if from == "" && z.host.writable(&p.vol) && !z.host.starts(&p.vol) {
			frozen = false
		}
	}
	z.d.frozen = frozen
	if z.set != nil {
		z.d.after = z.set.Close
	}
	return nil
}

// part reads a volume from its shadow copy, or, of a disk, through the volume
// itself: it decrypts what the disk has encrypted.
func (z *freezer) part(p piece, from string) error {
	if from == "" && z.set != nil {
		z.remark("the volume %s was read without a snapshot: %v", p.vol.label(), nonNil(z.set.Skipped(p.root())))
	}
	locked := z.ciphertext(p)
	if from == "" && !z.whole {
		z.decrypted(p, locked, z.d)
		return nil
	}
	open := from
	if open == "" {
		open = strings.TrimSuffix(p.root(), `\`)
	}
	v, err := z.host.open(open)
	if err != nil && from == "" {
		z.remark("the volume %s could not be opened and is read as the disk has it: %v", p.vol.label(), err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the shadow copy: %w", err)
	}
	z.decrypted(p, locked, v)
	n := min(v.readable(), p.len)
	err = z.d.parts.add(part{p.off, n, v, v.Close})
	if err == nil && n < p.len && z.whole && from != "" {
		err = z.tail(p, n)
	}
	return err
}

// tail reads what a shadow copy does not reach from the volume: for a volume
// that the disk has encrypted, the disk's own bytes would be of no use.
func (z *freezer) tail(p piece, from int64) error {
	v, err := z.host.open(p.root())
	if err != nil {
		return err
	}
	return z.d.parts.add(part{p.off + from, p.len - from, io.NewSectionReader(v, from, p.len-from), v.Close})
}

// decrypted notes when the system decrypts what the disk has encrypted.
func (z *freezer) decrypted(p piece, locked bool, v io.ReaderAt) {
	if locked && !encrypted(v, 0) {
		z.remark("the volume %s was encrypted with BitLocker on the source; the image holds it decrypted", p.vol.label())
	}
}

var errUnknown = errors.New("it cannot have one")

func nonNil(err error) error {
	if err == nil {
		return errUnknown
	}
	return err
}

// ciphertext reports whether the disk itself has the volume encrypted.
func (z *freezer) ciphertext(p piece) bool {
	if z.whole {
		return encrypted(z.d.base(), p.off)
	}
	if len(p.vol.extents) != 1 {
		return false
	}
	e := p.vol.extents[0]
	disk, err := z.host.open(physicalDrive(e.Disk))
	if err != nil {
		return false
	}
	defer disk.Close()
	return encrypted(disk, e.Off)
}
