package ntfsparse

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/wreck"
)

// fuzzVolume is a volume of 2 MiB with one of each: testdata/README.md says
// how it was made.
func fuzzVolume(t testing.TB) []byte { return unzipped(t, "testdata/fuzz.img.gz") }

func unzipped(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// records gives the sound file records of the fuzz volume as seeds.
func records(t testing.TB) [][]byte {
	img := fuzzVolume(t)
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for n := range v.records {
		b := make([]byte, v.boot.RecordSize)
		if v.mft.readRuns(b, int64(n)*int64(len(b))) == nil && string(b[:4]) == "FILE" {
			list = append(list, b)
		}
	}
	return list
}

// patched overlays an image with patches: 3 bytes of place, 1 of length, then
// the bytes.
func patched(img, patches []byte) []byte {
	img = bytes.Clone(img)
	for len(patches) >= 4 {
		at := int(patches[0]) | int(patches[1])<<8 | int(patches[2])<<16
		n := min(int(patches[3]), len(patches)-4)
		if at < len(img) {
			copy(img[at:], patches[4:4+n])
		}
		patches = patches[4+n:]
	}
	return img
}

// FuzzVolume reads everything of a volume with wrecked bytes.
func FuzzVolume(f *testing.F) {
	img := fuzzVolume(f)
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		f.Fatal(err)
	}
	sound := namesOf(f, img)
	mft := int(v.boot.MFT << v.geo.shift)
	for n := 0; n < 80; n += 4 {
		for _, in := range []int{0x14, 0x60, 0x110} {
			at := mft + n*1024 + in
			f.Add([]byte{byte(at), byte(at >> 8), byte(at >> 16), 4, 0xFF, 0xFF, 0xFF, 0x7F})
		}
	}
	f.Fuzz(func(t *testing.T, patches []byte) {
		if len(patches) > 4096 {
			return
		}
		img := patched(img, patches)
		bounds.Check(t, func() { readEverything(t, bytes.NewReader(img)) })
		sound.kept(t, bytes.NewReader(img))
	})
}

// device is what a volume is read from.
type device interface {
	io.ReaderAt
	Size() int64
}

// bad is a device of which one sector cannot be read, -1: none.
type bad struct {
	*bytes.Reader
	sector int64
}

var errBad = errors.New("the sector cannot be read")

func (d bad) ReadAt(p []byte, off int64) (int, error) {
	if at := d.sector * 512; at >= 0 && at+512 > off && at < off+int64(len(p)) {
		return 0, errBad
	}
	return d.Reader.ReadAt(p, off)
}

// structured is a volume and where its structures are: the boot sector, file
// records, index blocks, restart pages and the contents of metafiles.
type structured struct {
	img    []byte
	places []int
}

func structuredVolume(t testing.TB, path string) (s structured) {
	s.img, s.places = unzipped(t, path), []int{0}
	for at := 512; at < len(s.img); at += 512 {
		switch string(s.img[at : at+4]) {
		case "FILE", "INDX", "RSTR":
			s.places = append(s.places, at)
		}
	}
	v, err := Open(bytes.NewReader(s.img), int64(len(s.img)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"$Secure/$SDS", "$Extend/$UsnJrnl/$J", "$Extend/$UsnJrnl/$Max", "$Bitmap/", "$AttrDef/", "$UpCase/", "hiberfil.sys/"} {
		path, stream := name[:strings.LastIndexByte(name, '/')], name[strings.LastIndexByte(name, '/')+1:]
		f, err := v.Lookup(path)
		if err != nil {
			continue
		}
		data, err := f.Stream(stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range data.extents() {
			for at := e.Off; at < min(e.Off+e.Len, e.Off+8192); at += 512 {
				s.places = append(s.places, int(at))
			}
		}
	}
	return s
}

// damage applies steps: structure (2 bytes), place in it (2), number of bytes
// (1), the bytes. Update sequences are done again, so that the damage gets
// behind them.
func (s structured) damage(steps []byte) []byte {
	img := bytes.Clone(s.img)
	for len(steps) > 5 {
		b := img[s.places[int(le.Uint16(steps))%len(s.places)]:]
		size := map[string]int{"FILE": 1024, "INDX": 4096, "RSTR": 4096}[string(b[:4])]
		b = b[:min(max(size, 512), len(b))]
		sound := size > 0 && Fixup(b) == nil
		at, n := int(le.Uint16(steps[2:]))%len(b), min(int(steps[4])%9, len(steps)-5)
		copy(b[at:], steps[5:5+n])
		if sound {
			unfix(b)
		}
		steps = steps[5+n:]
	}
	return img
}

// unfix does the update sequence of a block again, where its fields allow it.
func unfix(b []byte) {
	off, n := int(le.Uint16(b[4:])), len(b)/512
	if off+2+2*n > 510 {
		return
	}
	for i := 1; i <= n; i++ {
		copy(b[off+2*i:], b[i*512-2:i*512])
		copy(b[i*512-2:i*512], b[off:off+2])
	}
}

// FuzzStructures reads everything of volumes of which single structures are
// damaged and a sector may be unreadable: volume (1 byte), sector (2), then steps
// as damage takes them.
func FuzzStructures(f *testing.F) {
	var volumes []structured
	var sound []names
	for _, name := range []string{"fuzz", "used", "dedup"} {
		s := structuredVolume(f, "testdata/"+name+".img.gz")
		volumes, sound = append(volumes, s), append(sound, namesOf(f, s.img))
	}
	for i, v := range volumes {
		for at := 0; at < len(v.places); at += 7 {
			for _, in := range []byte{0x14, 0x60, 0xB0} {
				f.Add([]byte{byte(i), 0, 0, byte(at), byte(at >> 8), in + byte(at%48), 0, 3, 0xFF, byte(at), 0x7F})
			}
		}
		f.Add([]byte{byte(i), byte(i + 1), 16})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 3 || len(b) > 400 {
			return
		}
		n := int(b[0]) % len(volumes)
		img := volumes[n].damage(b[3:])
		r := bad{bytes.NewReader(img), int64(le.Uint16(b[1:])) - 1}
		bounds.Check(t, func() { readEverything(t, r) })
		sound[n].kept(t, r)
	})
}

// FuzzFields reads everything of volumes of which fields are set to what just does not
// fit: volume (1 byte), sector that cannot be read (2), edits as wreck takes them.
func FuzzFields(f *testing.F) {
	var volumes []*wreck.Volume
	var sound []names
	for i, name := range []string{"fuzz", "used", "dedup", "large"} {
		s := structuredVolume(f, "testdata/"+name+".img.gz")
		v := wreck.New(s.img, s.places...)
		volumes, sound = append(volumes, v), append(sound, namesOf(f, s.img))
		for n := range v.Structures() {
			at := 0x30 + n*4%v.Used(n)
			f.Add([]byte{byte(i), 0, 0, byte(n), byte(n >> 8), byte(at), byte(at >> 8), byte(n * 37)})
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 3 {
			return
		}
		n := int(b[0]) % len(volumes)
		img := volumes[n].Damaged(b[3:])
		r := bad{bytes.NewReader(img), int64(le.Uint16(b[1:])) - 1}
		bounds.Check(t, func() { readEverything(t, r) })
		sound[n].kept(t, r)
	})
}

// names are how many names each file of a sound volume has, by file record.
type names map[uint64]int

func namesOf(t testing.TB, img []byte) names {
	t.Helper()
	n, told := namesWalked(t, bytes.NewReader(img))
	if len(n) < 10 || told {
		t.Fatal("the volume is not sound")
	}
	return n
}

// kept fails when a walk tells no damage and lacks names. Deleted files may have come back.
func (n names) kept(t testing.TB, r device) {
	t.Helper()
	now, told := namesWalked(t, r)
	for no, had := range n {
		if !told && now[no] < had {
			t.Errorf("record %d has %d of %d names, and nothing is told", no, now[no], had)
		}
	}
}

// namesWalked counts the names that a walk visits; told says whether it tells any damage.
func namesWalked(t testing.TB, r device) (n names, told bool) {
	v, err := Open(r, r.Size())
	if known(t, err); err != nil {
		return nil, true
	}
	n = names{}
	err = v.Walk(context.Background(), func(e *WalkEntry) error {
		told = told || e.Err != nil
		n[e.Info.Ref.Record()]++
		return nil
	})
	known(t, err)
	return n, told || err != nil
}

// FuzzUsedExtents damages a volume as FuzzFields does. Where nothing is left of it but
// its used extents, the same can be read.
func FuzzUsedExtents(f *testing.F) {
	var volumes []*wreck.Volume
	for i, name := range []string{"fuzz", "used", "dedup", "large"} {
		s := structuredVolume(f, "testdata/"+name+".img.gz")
		v := wreck.New(s.img, s.places...)
		volumes = append(volumes, v)
		for n := range v.Structures() {
			at := 0x30 + n*8%v.Used(n)
			f.Add([]byte{byte(i), 0, 0, byte(n), byte(n >> 8), byte(at), byte(at >> 8), byte(n * 41)})
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 3 {
			return
		}
		img := volumes[int(b[0])%len(volumes)].Damaged(b[3:])
		sector := int64(le.Uint16(b[1:])) - 1
		bounds.Check(t, func() {
			v, err := Open(bad{bytes.NewReader(img), sector}, int64(len(img)))
			if known(t, err); err != nil {
				return
			}
			copied := bytes.Repeat([]byte{0xA5}, len(img))
			known(t, v.UsedExtents(context.Background(), func(e Extent) bool {
				copy(copied[e.Off:], img[e.Off:e.Off+e.Len])
				return true
			}))
			whole, part := readable(t, img, sector), readable(t, copied, sector)
			for what, sum := range whole {
				if had, ok := part[what]; !ok || had != sum {
					t.Errorf("%q is %#x, in the used extents %v, %#x", what, sum, ok, had)
				}
			}
		})
	})
}

// TestUnreadableSectors: with any sector unreadable, or the volume cut short there, what
// can be read is as it was, and whether names are missing is told.
func TestUnreadableSectors(t *testing.T) {
	img := fuzzVolume(t)
	whole, had := readable(t, img, -1), namesOf(t, img)
	for sector := int64(0); sector < int64(len(img)/512); sector += sectorStep {
		cut := img[:sector*512]
		had.kept(t, bad{bytes.NewReader(img), sector})
		had.kept(t, bytes.NewReader(cut))
		for _, now := range []map[string]uint32{readable(t, img, sector), readable(t, cut, -1)} {
			for what, sum := range now {
				if was, ok := whole[what]; ok && was != sum {
					t.Errorf("sector %d: %q is %#x, not %#x", sector, what, sum, was)
				}
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// readable are the streams that can be read of files that can be walked to, and the
// checksums of their contents.
func readable(t testing.TB, img []byte, sector int64) map[string]uint32 {
	v, err := Open(bad{bytes.NewReader(img), sector}, int64(len(img)))
	if err != nil {
		return nil
	}
	sums := map[string]uint32{}
	known(t, v.Walk(context.Background(), func(e *WalkEntry) error {
		sums[e.Path] = 0
		f, err := v.FileRef(e.Info.Ref)
		if err != nil {
			return nil
		}
		add := func(name string, s *Stream, err error) {
			sum := crc32.NewIEEE()
			if err == nil {
				_, err = io.Copy(sum, io.NewSectionReader(s, 0, min(s.Size(), 1<<20)))
			}
			if err == nil {
				sums[e.Path+name] = sum.Sum32()
			}
		}
		for _, in := range f.Streams() {
			s, err := f.Stream(in.Name)
			add(":"+in.Name, s, err)
		}
		if !f.IsDir() {
			s, err := f.Open()
			add("/", s, err)
		}
		return nil
	}))
	return sums
}

// TestRandomDamage wrecks bytes of file records, index blocks and the boot
// sector, with update sequences kept whole so that the damage gets through.
func TestRandomDamage(t *testing.T) {
	img := fuzzVolume(t)
	rnd := rand.New(rand.NewPCG(damageSeed, 1))
	var places []int
	for i := 0; i < len(img); i += 512 {
		if m := string(img[i : i+4]); m == "FILE" || m == "INDX" || i == 0 {
			places = append(places, i)
		}
	}
	for round := range damageRounds {
		b := bytes.Clone(img)
		for range 1 + rnd.IntN(6) {
			wreckBytes(b[places[rnd.IntN(len(places))]:], rnd)
		}
		if bounds.Check(t, func() { readEverything(t, bytes.NewReader(b)) }); t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func wreckBytes(b []byte, rnd *rand.Rand) {
	at := 8 + rnd.IntN(500)
	switch rnd.IntN(5) {
	case 0:
		b[at] = byte(rnd.Uint32())
	case 1:
		b[at] ^= 1 << rnd.IntN(8)
	case 2:
		le.PutUint32(b[at&^3:], 1<<31>>rnd.IntN(32))
	case 3:
		le.PutUint64(b[at&^7:], math.MaxUint64>>rnd.IntN(64))
	case 4:
		copy(b[at:], b[rnd.IntN(500):][:rnd.IntN(8)])
	}
}

// readEverything uses the whole of the package on a volume; errors must be of
// the known classes.
func readEverything(t testing.TB, r device) {
	v, err := Open(r, r.Size())
	known(t, err)
	if err != nil {
		return
	}
	ctx := context.Background()
	files := 0
	walked := map[uint64]string{}
	known(t, v.Walk(ctx, func(e *WalkEntry) error {
		known(t, e.Err)
		if e.Err == nil && e.Path != "/" {
			walked[e.Info.Ref.Record()] = e.Path
		}
		_, err := e.Info.LinkTarget()
		known(t, err)
		e.Info.POSIX()
		e.Info.Device()
		return nil
	}))
	reachAll(t, v, walked)
	for n := uint64(0); n < v.Records() && files < 2000; n++ {
		f, err := v.File(n)
		known(t, err)
		if err == nil {
			files++
			readFile(t, f)
		}
	}
	known(t, v.Deleted(ctx, func(d *DeletedFile) error {
		s, err := v.OpenDeleted(d.Ref)
		known(t, err)
		if err == nil {
			readStream(t, s)
		}
		list, err := v.DeletedStreams(d.Ref)
		known(t, err)
		for _, i := range list {
			_, err := v.OpenDeletedStream(d.Ref, i.Name)
			known(t, err)
		}
		return nil
	}))
	end := int64(-1)
	known(t, v.UsedExtents(ctx, func(e Extent) bool {
		if e.Off <= end || e.Len <= 0 || e.Off+e.Len > v.Size() {
			t.Errorf("extent %+v behind %d", e, end)
		}
		end = e.Off + e.Len
		return true
	}))
	o, err := v.Owners()
	known(t, err)
	o.Owner(v.Clusters() / 2)
	o.Owner(v.Clusters() / 3)
	_, err = v.Space()
	known(t, err)
	_, err = v.USN()
	known(t, err)
	known(t, v.USNRecords(func(_ USNRecord, err error) bool { known(t, err); return true }))
	known(t, v.Quotas(func(_ Quota, err error) bool { known(t, err); return true }))
	for n := uint64(0); n < v.Records(); n += 7 {
		_, err := v.Lookup("$Orphan-" + strconv.FormatUint(n, 10))
		known(t, err)
	}
	readTree(t, v)
	v.Notes()
}

// reachAll fails unless the files that a walk visits without damage are those that
// listings show, with what they are said not to show.
func reachAll(t testing.TB, v *Volume, walked map[uint64]string) {
	reached, err := reachable(t, v)
	if known(t, err); reached == nil {
		return
	}
	for n, path := range walked {
		if !reached[n] {
			t.Errorf("%q is walked to, and not reached", path)
		}
	}
}

// reachable are the records that listings and WalkLost lead to; nil if there is no
// root. The error is that of WalkLost.
func reachable(t testing.TB, v *Volume) (map[uint64]bool, error) {
	var todo []*File
	reached := map[uint64]bool{}
	folders := map[uint64]bool{}
	reach := func(e *DirEntry) {
		f, err := v.Follow(e)
		if err != nil {
			return
		}
		reached[f.Ref().Record()&^orphanBit] = true
		if n := f.Ref().Record(); f.IsDir() && !folders[n] {
			folders[n] = true
			todo = append(todo, f)
		}
	}
	list := func() {
		for ; len(todo) > 0; todo = todo[1:] {
			d, err := todo[0].Dir()
			if known(t, err); err != nil {
				continue
			}
			d.Read(0, func(e DirEntry, err error) bool {
				if known(t, err); err == nil {
					reach(&e)
				}
				return true
			})
		}
	}
	root, err := v.Root()
	if known(t, err); err != nil {
		return nil, nil
	}
	todo = append(todo, root)
	list()
	var lost []DirEntry
	err = v.WalkLost(context.Background(), func(dir Ref, e *DirEntry) error {
		if _, err := v.FileRef(dir); err != nil && dir.Record() != RecordRoot {
			t.Errorf("%s is in %x: %v", e.Name(), dir, err)
		}
		if _, err := v.Follow(e); err != nil {
			t.Errorf("%s in %x: %v", e.Name(), dir, err)
		}
		own := *e
		own.Units = bytes.Clone(e.Units)
		lost = append(lost, own)
		return nil
	})
	for _, e := range lost {
		reach(&e)
	}
	list()
	return reached, err
}

// readTree reads the files as a Go program would.
func readTree(t testing.TB, v *Volume) {
	tree, files := v.FS(), 0
	fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if files++; files > 1000 {
			return fs.SkipAll
		}
		known(t, err)
		if err != nil {
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			_, err := fs.ReadLink(tree, path)
			known(t, err)
		}
		f, err := tree.Open(path)
		known(t, err)
		if err == nil && d.Type()&(fs.ModeDir|fs.ModeSymlink) == 0 {
			_, err = f.Read(make([]byte, 1000))
			known(t, err)
		}
		if err == nil {
			_, err = f.Stat()
			known(t, err)
			f.Close()
		}
		_, err = v.FileExtents(path)
		known(t, err)
		return nil
	})
}

func readFile(t testing.TB, f *File) {
	f.Info()
	_, err := f.Path()
	known(t, err)
	_, err = f.Security()
	known(t, err)
	_, err = f.ObjectID()
	known(t, err)
	for _, s := range f.Streams() {
		stream, err := f.Stream(s.Name)
		known(t, err)
		if err == nil {
			readStream(t, stream)
			readStream(t, stream.Raw())
		}
	}
	if s, err := f.Open(); err == nil {
		readStream(t, s)
	}
	for _, name := range f.XattrNames() {
		_, err := f.Xattr(name)
		known(t, err)
	}
	d, err := f.Dir()
	known(t, err)
	if err != nil {
		return
	}
	n := 0
	var refs []Ref
	d.Read(0, func(e DirEntry, err error) bool {
		known(t, err)
		if n++; n < 200 && err == nil {
			refs = append(refs, e.Ref)
			_, err = d.LookupFold(e.Name())
			known(t, err)
			_, err = f.v.Follow(&e)
			known(t, err)
		}
		return n < 5000
	})
	f.v.Infos(refs, func(_ int, in *Info, err error) {
		known(t, err)
		in.Mode()
		_, err = in.LinkTarget()
		known(t, err)
	})
}

// readStream reads the beginning, the end and the extents of a stream.
func readStream(t testing.TB, s *Stream) {
	b := make([]byte, 150_000)
	for _, off := range []int64{0, s.Size() / 2, max(0, s.Size()-1000)} {
		_, err := s.ReadAt(b, off)
		known(t, err)
	}
	n := 0
	s.Extents(func(_, length, _ int64) bool { n++; return length > 0 && n < 1000 })
	for off, i := int64(0), 0; off < s.Size() && i < 100; i++ {
		end, _ := s.NextExtent(off)
		if end <= off {
			t.Errorf("extent at %d ends at %d of %d", off, end, s.Size())
			return
		}
		off = end
	}
}

// known fails when an error has no class.
func known(t testing.TB, err error) {
	t.Helper()
	for _, class := range []error{nil, io.EOF, ErrCorrupt, ErrUnsupported, ErrEncrypted, ErrNotCaptured, ErrNotDir, ErrIsDir, ErrDeleted, fs.ErrNotExist, errBad} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Errorf("error without a class: %v", err)
}

func FuzzBoot(f *testing.F) {
	f.Add(fuzzVolume(f)[:512])
	f.Fuzz(func(t *testing.T, b []byte) {
		boot, err := ParseBoot(b)
		known(t, err)
		if err == nil && (boot.ClusterSize <= 0 || boot.Clusters() < 0 || boot.RecordSize < 512) {
			t.Errorf("%+v", boot)
		}
	})
}

// FuzzFile reads a file of whose record all bytes are arbitrary, but for its number
// and its update sequence.
func FuzzFile(f *testing.F) {
	var v *wreck.Volume
	for _, name := range []string{"used", "fuzz"} {
		v = wreck.New(unzipped(f, "testdata/"+name+".img.gz"))
		for n := range v.Structures() {
			if b := v.Content(n); string(b[:4]) == "FILE" {
				f.Add(b)
			}
		}
	}
	place, others := v.Record(70), namesOf(f, v.Image)
	delete(others, 70)
	f.Fuzz(func(t *testing.T, b []byte) {
		img := v.Replaced(place, b)
		others.kept(t, bytes.NewReader(img))
		bounds.Check(t, func() {
			v, err := Open(bytes.NewReader(img), int64(len(img)))
			if err != nil {
				t.Fatal(err)
			}
			file, err := v.File(70)
			if known(t, err); err == nil {
				readFile(t, file)
			}
			v.Infos([]Ref{70}, func(_ int, _ *Info, err error) { known(t, err) })
		})
	})
}

// FuzzSystem reads everything of a volume in which all bytes of a system file's record,
// which the first byte names, are arbitrary, but for its number and its update sequence.
func FuzzSystem(f *testing.F) {
	v := wreck.New(unzipped(f, "testdata/used.img.gz"))
	sound := namesOf(f, v.Image)
	for n := range byte(32) {
		if place := v.Record(uint32(n)); place >= 0 {
			f.Add(append([]byte{n}, v.Content(place)...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		if place := v.Record(uint32(b[0] % 32)); place >= 0 {
			img := v.Replaced(place, b[1:])
			bounds.Check(t, func() { readEverything(t, bytes.NewReader(img)) })
			sound.kept(t, bytes.NewReader(img))
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, b := range records(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := ParseRecord(7, bytes.Clone(b))
		known(t, err)
		if err != nil {
			return
		}
		n := 0
		for a, err := range rec.Attrs() {
			if known(t, err); err == nil {
				useAttr(t, a)
			}
			if n++; n > len(b)/24 {
				t.Fatal("attributes do not end")
			}
		}
		var in Info
		new(Volume).infoOfQuietly(rec, &in)
	})
}

// infoOfQuietly leaves out what needs a volume.
func (v *Volume) infoOfQuietly(rec *Record, in *Info) {
	in.begin(v, rec)
	for a, err := range rec.Attrs() {
		if err == nil && a.sane() {
			in.add(a)
		}
	}
	in.end()
	if in.reparse != nil {
		in.LinkTarget()
	}
	if in.ea != nil {
		in.POSIX()
		in.Device()
	}
}

func useAttr(t *testing.T, a Attr) {
	_, _, _, _ = a.Name(), a.Value(), a.Size(), a.Total()
	if a.Resident() {
		return
	}
	var m Runs
	known(t, m.addExtent(a, geometry{4096, 12, 1 << 40}))
	for i := range m.Len() {
		if r := m.At(i); r.Len <= 0 || r.VCN < 0 || m.Find(r.VCN) != i {
			t.Errorf("run %d: %+v", i, r)
		}
	}
}

func FuzzRuns(f *testing.F) {
	f.Add([]byte{0x21, 0x18, 0x34, 0x56, 0x00}, int64(0))
	f.Add([]byte{0x31, 0x38, 0x73, 0x25, 0x34, 0x32, 0x14, 0x01, 0xE5, 0x11, 0x02, 0x31, 0x42, 0xAA, 0x00, 0x03, 0x00}, int64(0))
	f.Add([]byte{0x01, 0x10, 0x11, 0x10, 0x20, 0x11, 0x10, 0xF0}, int64(16))
	f.Fuzz(func(t *testing.T, b []byte, low int64) {
		if low < 0 {
			return
		}
		next := low
		known(t, DecodeRuns(b, low, 1<<50, func(r Run) bool {
			if r.VCN != next || r.Len <= 0 || r.LCN < Hole || r.VCN+r.Len > 1<<50 {
				t.Errorf("%+v", r)
			}
			next += r.Len
			return true
		}))
	})
}

func FuzzIndex(f *testing.F) {
	img := fuzzVolume(f)
	for i := 0; i < len(img); i += 512 {
		if string(img[i:i+4]) == "INDX" {
			f.Add(img[i : i+4096])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 512 || len(b)&(len(b)-1) != 0 || len(b) > maxIndexBlock {
			return
		}
		x := &Index{v: &Volume{}, BlockSize: len(b), vcnSize: 512, blocks: &Stream{size: int64(len(b))}}
		node, err := x.parseBlock(0, bytes.Clone(b))
		known(t, err)
		if err != nil {
			return
		}
		n := 0
		for e, err := range node.Entries() {
			if known(t, err); err == nil {
				_, _ = e.Key(), e.Data()
				e.SubNode()
				if name, err := ParseFileName(e.Key()); err == nil {
					name.Name()
				}
			}
			if n++; n > len(b)/16 {
				t.Fatal("entries do not end")
			}
		}
		node.search(func([]byte) int { return 1 })
	})
}

func FuzzValues(f *testing.F) {
	f.Add([]byte{0x24, 0, 0, 0, 0, 7, 0x14, 0, 'L', 'X', 'X', 'A', 'T', 'T', 'R', 0})
	for _, b := range records(f) {
		if rec, err := ParseRecord(0, bytes.Clone(b)); err == nil {
			for a, err := range rec.Attrs() {
				if err == nil && a.Value() != nil {
					f.Add(bytes.Clone(a.Value()))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := ParseAttributeList(b)
		known(t, err)
		_, err = ParseEAs(b)
		known(t, err)
		p, err := ParseReparse(b)
		known(t, err)
		_, err = p.LinkTarget()
		known(t, err)
		_, err = p.WOF()
		known(t, err)
		_, err = p.Dedup()
		known(t, err)
		s, err := ParseStandardInfo(b)
		known(t, err)
		_ = s.Modified.Time()
		_, err = ParseSecurityEntry(b)
		known(t, err)
		_, err = SDDL(b)
		known(t, err)
		_, err = ParseQuota(0x100, b)
		known(t, err)
		parseLXAttr(b)
		parseLXXattr(b)
		_, err = ParseLog(b)
		known(t, err)
		usnRecords(b, func(_ USNRecord, err error) bool { known(t, err); return true })
	})
}

// FuzzDedup decodes reparse points of deduplicated files, with their checksums
// made right.
func FuzzDedup(f *testing.F) {
	img := unzipped(f, "testdata/dedup.img.gz")
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"form12", "form21", "form31", "parts"} {
		file, err := v.Lookup(name)
		if err != nil {
			f.Fatal(err)
		}
		p, err := file.Reparse()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 8 || len(b) > maxReparse {
			return
		}
		b = bytes.Clone(b)
		for _, magic := range []string{"DdRp", "RbRp", "FeRp"} {
			if i := bytes.Index(b, []byte(magic)); i >= 0 && len(b)-i >= 16 {
				if n := int(min(le.Uint32(b[i+8:]), uint32(len(b)-i))); n >= 8 {
					le.PutUint32(b[i+4:], crc32.ChecksumIEEE(b[i+8:i+n]))
				}
			}
		}
		le.PutUint16(b[2:], uint16(len(b)))
		le.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-4]))
		d, err := (&ReparsePoint{Tag: TagDedup, Data: b}).Dedup()
		known(t, err)
		if err != nil {
			return
		}
		end := int64(0)
		for _, m := range d.Maps {
			if m.Begin != end || m.End <= end {
				t.Errorf("%+v", d)
			}
			end = m.End
		}
		if end != d.Size {
			t.Errorf("%+v", d)
		}
	})
}

// FuzzChunkStore reads deduplicated files of a volume with wrecked bytes: what is read
// is what it was.
func FuzzChunkStore(f *testing.F) {
	img := unzipped(f, "testdata/dedup.img.gz")
	sound := map[string][]byte{"form12": nil, "form21": nil, "form31": nil, "parts": nil}
	for name := range sound {
		b, err := dedupContents(img, name)
		if err != nil || len(b) == 0 {
			f.Fatal(name, err)
		}
		sound[name] = b
	}
	for at := 0; at < len(img)-8; at += 8 {
		if m := string(img[at : at+4]); m == "Ckhr" || m == "Smap" || m == "Rrtl" || m == "Cthr" {
			for in := 0; in < 64; in += 12 {
				p := at + in
				f.Add([]byte{byte(p), byte(p >> 8), byte(p >> 16), 4, 0xFF, 0, 0, 0x7F})
			}
		}
	}
	f.Fuzz(func(t *testing.T, patches []byte) {
		if len(patches) > 4096 {
			return
		}
		img := patched(img, patches)
		bounds.Check(t, func() {
			for name, had := range sound {
				b, err := dedupContents(img, name)
				if known(t, err); err == nil && !bytes.Equal(b, had) {
					t.Errorf("%s has other contents", name)
				}
			}
		})
	})
}

func dedupContents(img []byte, name string) ([]byte, error) {
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		return nil, err
	}
	f, err := v.Lookup(name)
	if err != nil {
		return nil, err
	}
	s, err := f.Open()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(s.Size(), 4<<20))
	_, err = s.ReadAt(b, 0)
	return b, err
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a", ".", "..", "a/b\x00", "日本語", "😀", "\U0010FF2F", "\U0010FF5C\U0010FF2F", "\xED\xA0\x80x"} {
		f.Add(EncodeName(s))
	}
	f.Fuzz(func(t *testing.T, u []byte) {
		u = u[:len(u)&^1]
		s := DecodeName(u)
		if got := EncodeName(s); !bytes.Equal(got, u) {
			t.Errorf("% x became %q became % x", u, s, got)
		}
		if s == "." || s == ".." || bytes.ContainsAny([]byte(s), "/\x00") {
			t.Errorf("% x became %q", u, s)
		}
		if got := fsUnname(fsName(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// TestHugeSizes: sizes that no volume has do not make anything take long.
func TestHugeSizes(t *testing.T) {
	img := fuzzVolume(t)
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range v.records {
		rec, err := v.Record(n)
		if err != nil {
			continue
		}
		for a, err := range rec.Attrs() {
			if err != nil || a.Resident() {
				continue
			}
			b := bytes.Clone(img)
			at := v.boot.MFT<<v.geo.shift + int64(n)*1024 + int64(a.Off)
			for _, field := range []int64{0x28, 0x30, 0x38} {
				le.PutUint64(b[at+field:], 1<<61)
			}
			if bounds.Check(t, func() { readEverything(t, bytes.NewReader(b)) }); t.Failed() {
				t.Fatalf("record %d, %v", n, a.Type())
			}
		}
	}
}
