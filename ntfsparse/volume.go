package ntfsparse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"

	"vitrine/ntfsparse/internal/decomp"
)

// Volume is an open NTFS volume: read-only, and safe for parallel use.
type Volume struct {
	r    io.ReaderAt
	size int64 // of the device
	boot Boot
	geo  geometry
	mftMap
	upcase   *UpCase
	info     VolumeInfo
	meta     *cache               // pages of the device
	units    *cache               // decompressed units
	opened   atomic.Uint64        // streams in units
	heavy    atomic.Pointer[File] // with a long attribute list, the last one read
	secure   lazy[*secure]
	bitmap   lazy[*Stream]
	space    lazy[Space]
	owners   lazy[*Owners]
	claimed  lazy[*claims]
	extended lazy[[]extension]              // records that say to be extensions, sorted
	lost     lazy[map[uint64][]stray]       // names in folders without a record
	strays   lazy[map[uint64]*folderStrays] // names that folders with a damaged index have lost

	mu         sync.Mutex
	notes      []string
	noted      map[string]bool
	stores     map[[16]byte]*lazy[*chunkStore]
	damaged    map[uint64]*damagedFolder      // by record
	unsorted   map[uint64]*lazy[*folderTable] // of folders that are out of order
	paired     [256]Ref                       // folders whose DOS names all have a long one, by record modulo
	searches   int                            // through the MFT, for one of them alone
	tableNames int                            // in tables of the names of damaged and unsorted folders
	strayBytes int                            // that names hold which folders with a damaged index have lost
	lostBytes  int                            // … which are in folders without a record
	ghosts     map[uint64]ghost               // what stands for damaged records of folders
}

// lazy is a value that is made when first asked for; who asks meanwhile waits.
type lazy[T any] struct {
	made        atomic.Bool
	mu          sync.Mutex
	val         T
	err         error
	fails, skip int // tries that failed; how many callers get the last one's error
}

// get tries again after an error, unless it is the volume that makes it: for one
// caller after 1, 2, 4, … of them, as a disk takes seconds to fail.
func (l *lazy[T]) get(f func() (T, error)) (T, error) { return l.make(f, false) }

// search is for what takes long and gives something in spite of an error: it is
// done again only when it was broken off.
func (l *lazy[T]) search(f func() (T, error)) (T, error) { return l.make(f, true) }

func (l *lazy[T]) make(f func() (T, error), search bool) (T, error) {
	if l.made.Load() {
		return l.val, l.err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made.Load() {
		return l.val, l.err
	}
	if l.skip > 0 {
		l.skip--
		return l.val, l.err
	}
	l.val, l.err = f()
	switch {
	case lasting(l.err) || search && errors.As(l.err, new(*Error)):
		l.made.Store(true)
	case !search:
		l.skip = 1<<l.fails - 1
		l.fails = min(l.fails+1, 16)
	}
	return l.val, l.err
}

// lasting tells whether an error lies in what the volume says: neither the disk
// below has failed nor has a context ended.
func lasting(err error) bool {
	if err == nil || errors.Is(err, decomp.ErrCorrupt) {
		return true
	}
	e, ok := err.(*Error)
	return ok && (e.Err == nil || lasting(e.Err))
}

// Flags of a volume.
const (
	VolumeDirty   = 0x1
	VolumeResize  = 0x2
	VolumeUpgrade = 0x4
	VolumeChkdsk  = 0x8000 // changed by chkdsk
)

// VolumeInfo is what $Volume says.
type VolumeInfo struct {
	Label        string
	Major, Minor uint8  // NTFS version: 1.2, 3.0 or 3.1
	Flags        uint16 // Volume bits; 0x80 is usual since Windows 8
}

// Dirty tells whether the volume wants to be checked.
func (i VolumeInfo) Dirty() bool { return i.Flags&VolumeDirty != 0 }

// Open reads the boot sector, the beginning of the MFT and $UpCase of the
// volume in r, which has size bytes. It uses the backup boot sector and the
// MFT mirror where the first copies are bad, and says so in [Volume.Notes].
func Open(r io.ReaderAt, size int64) (*Volume, error) {
	boot, first := readBoot(r, 0, 512)
	if first == nil {
		if v := openLarger(r, size, boot); v != nil {
			return v, nil
		}
		if v, err := open(r, size, boot); err == nil {
			v.noteSize()
			return v, nil
		} else {
			first = err
		}
	}
	if errors.Is(first, ErrUnsupported) {
		return nil, first
	}
	v, err := openBackup(r, size, first)
	if err != nil {
		v = openUnsized(r, size, boot)
	}
	if v != nil {
		return v, nil
	}
	return nil, err
}

// openUnsized opens a volume of whose boot sector nothing but the number of sectors is
// impossible, and which has no backup, as far as the device goes.
func openUnsized(r io.ReaderAt, size int64, boot Boot) *Volume {
	said := boot.TotalSectors
	if boot.IndexSize == 0 || boot.places() == nil {
		return nil
	}
	if boot.TotalSectors = uint64(size / int64(boot.SectorSize)); boot.places() != nil {
		return nil
	}
	v, err := open(r, size, boot)
	if err != nil {
		return nil
	}
	v.note("The boot sector says that the volume has %d sectors, which is impossible: it is read as far as the device goes.", said)
	return v
}

// openBackup looks for the backup boot sector at the end of the volume.
func openBackup(r io.ReaderAt, size int64, first error) (*Volume, error) {
	for sector := int64(512); sector <= 4096; sector *= 2 {
		boot, err := readBoot(r, size-sector, sector)
		if err != nil || int64(boot.SectorSize) != sector {
			continue
		}
		if v, err := open(r, size, boot); err == nil {
			v.note("The boot sector is damaged; its backup at the end of the volume was used.")
			return v, nil
		}
	}
	return nil, first
}

// openLarger opens a volume whose boot sector has too small a number of sectors. A backup
// at the end of the device, equal in all else, has the right one; the boot sector's own
// end has no backup; and $Bitmap is large enough. Of a volume that was made smaller without
// writing a backup, it is not.
func openLarger(r io.ReaderAt, size int64, boot Boot) *Volume {
	sector := int64(boot.SectorSize)
	if boot.TotalSectors+1 >= uint64(size/sector) {
		return nil
	}
	at := func(off int64) (uint64, bool) {
		b, err := readBoot(r, off, sector)
		said := b.TotalSectors
		b.TotalSectors, b.HiddenSectors, b.Signed = boot.TotalSectors, boot.HiddenSectors, boot.Signed
		return said, err == nil && b == boot
	}
	if _, own := at(int64(boot.TotalSectors) * sector); own {
		return nil
	}
	said := boot.TotalSectors
	var ok bool
	if boot.TotalSectors, ok = at(size/sector*sector - sector); !ok || boot.TotalSectors <= said || boot.TotalSectors >= uint64(size/sector) {
		return nil
	}
	v, err := open(r, size, boot)
	if err != nil {
		return nil
	}
	if _, err := v.clusterBitmap(); err != nil {
		return nil
	}
	v.note("The boot sector says that the volume has %d sectors; the %d that its backup at the end says are taken.", said, boot.TotalSectors)
	v.noteSize()
	return v
}

func readBoot(r io.ReaderAt, off, n int64) (Boot, error) {
	if off < 0 {
		return Boot{}, corrupt("volume is smaller than a sector", 0)
	}
	b := make([]byte, n)
	if err := readFull(r, b, off); err != nil {
		return Boot{}, err
	}
	return ParseBoot(b)
}

// readFull reads all of p.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return classf(ErrCorrupt, NoRecord, "volume ends before offset %d", off+int64(len(p)))
	}
	return err
}

func open(r io.ReaderAt, size int64, boot Boot) (*Volume, error) {
	v := &Volume{r: r, size: size, boot: boot, meta: newCache(metaCacheSize), units: newCache(unitCacheSize),
		noted: map[string]bool{}}
	v.geo = geometry{boot.ClusterSize, uint(bits.TrailingZeros64(uint64(boot.ClusterSize))), 0}
	v.geo.clusters = min(boot.Clusters(), size>>v.geo.shift) // nothing can be read beyond
	if err := v.openMFT(); err != nil {
		return nil, err
	}
	v.openUpCase()
	v.openInfo()
	v.noteState()
	return v, nil
}

func (v *Volume) noteSize() {
	if have := uint64(v.size) / uint64(v.boot.SectorSize); v.boot.TotalSectors > have {
		v.note("The volume has %d sectors but only %d of them are here.", v.boot.TotalSectors, have)
	}
	if !v.boot.Signed {
		v.note("The boot sector lacks its signature 55 AA.")
	}
}

func (v *Volume) openUpCase() {
	b, err := v.readMeta(RecordUpCase, 2*len(UpCase{}))
	if err != nil {
		v.note("$UpCase cannot be read (%v); a table of our own is used.", err)
		v.upcase = defaultUpCase()
		return
	}
	v.upcase = parseUpCase(b)
}

// readMeta reads n bytes of a metafile's unnamed stream.
func (v *Volume) readMeta(record uint64, n int) ([]byte, error) {
	f, err := v.File(record)
	if err != nil {
		return nil, err
	}
	s, err := f.Stream("")
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, readFull(s, b, 0)
}

func (v *Volume) openInfo() {
	f, err := v.File(RecordVolume)
	if err != nil {
		v.note("$Volume cannot be read: %v.", err)
		return
	}
	if a, ok := f.first(TypeVolumeName); ok {
		v.info.Label = DecodeName(a.Value())
	}
	if a, ok := f.first(TypeVolumeInfo); ok && len(a.Value()) >= 12 {
		b := a.Value()
		v.info.Major, v.info.Minor, v.info.Flags = b[8], b[9], le.Uint16(b[10:])
	}
	if v.info.Dirty() {
		v.note("The volume is marked dirty: it was not unmounted cleanly, or Windows found an error on it.")
	}
}

// Boot is the volume's geometry.
func (v *Volume) Boot() Boot { return v.boot }

// VolumeInfo is what $Volume says.
func (v *Volume) VolumeInfo() VolumeInfo { return v.info }

// Size is the size of the device in bytes, as given to Open.
func (v *Volume) Size() int64 { return v.size }

// Clusters is the number of whole clusters that are there.
func (v *Volume) Clusters() int64 { return v.geo.clusters }

// Records is the number of file records that the MFT has room for.
func (v *Volume) Records() uint64 { return v.records }

// UpCase is the volume's table of upper-case forms.
func (v *Volume) UpCase() *UpCase { return v.upcase }

// Notes are sentences about what was found wrong or odd so far.
func (v *Volume) Notes() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.notes...)
}

func (v *Volume) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.noted[s] && len(v.notes) < maxNotes {
		v.noted[s] = true
		v.notes = append(v.notes, s)
	}
}

// readPages reads p from the device through the cache of pages.
func (v *Volume) readPages(p []byte, off int64) error {
	for len(p) > 0 {
		in := off % metaPage
		n := min(int64(len(p)), metaPage-in)
		page, err := v.page(off - in)
		if err != nil || in+n > int64(len(page)) {
			return readFull(v.r, p, off) // a bad sector beside ours must not hurt
		}
		copy(p[:n], page[in:])
		p, off = p[n:], off+n
	}
	return nil
}

func (v *Volume) page(off int64) ([]byte, error) {
	key := cacheKey{unit: uint64(off)}
	if b := v.meta.get(key); b != nil {
		return b, nil
	}
	if off >= v.size {
		return nil, io.EOF
	}
	b := make([]byte, min(metaPage, v.size-off))
	if err := readFull(v.r, b, off); err != nil {
		v.meta.put(key, []byte{}) // a disk takes seconds to fail: not again for all that is beside the bad sector
		return nil, err
	}
	v.meta.put(key, b)
	return b, nil
}

// checkContext is nil until ctx is done.
func checkContext(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
		return nil
	}
}
