package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/device"
	"vitrine/index"
	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
	"vitrine/reader"
)

// restoreTo writes a point's disk to a sparse file.
func restoreTo(t testing.TB, p *testPoint) string {
	path := filepath.Join(t.TempDir(), "restored.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := p.readDisk(t)
	for off := 0; off < len(b); off += 4096 {
		if c := b[off:min(off+4096, len(b))]; !isZero(c[:len(c)&^63]) {
			f.WriteAt(c, int64(off))
		}
	}
	f.Truncate(int64(len(b)))
	return path
}

func open(t testing.TB, path string) *device.Device {
	d, err := device.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func runTake(t testing.TB, path string, o Options) (*Result, *testPoint) {
	t.Helper()
	res, err := Run(t.Context(), open(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	return res, openPoint(t, res.Path)
}

// What Windows keeps of shadow copies: a copy's data, and the list of them.
const (
	testStore   = "System Volume Information/{7c3f6a1e-9d2b-11ee-8c1d-806e6f6e6963}{3808876B-C176-4E48-B7AE-04046E6CC752}"
	testCatalog = "System Volume Information/{3808876b-c176-4e48-b7ae-04046e6cc752}"
)

// TestNTFS captures a volume that ntfs-3g fills and changes, and compares the
// restored points with what ntfs-3g saw.
func TestNTFS(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	var trees []map[string]testvol.Node
	record := func() {
		testvol.With(t, img, func(dir string) { trees = append(trees, testvol.Record(t, dir)) }, "ro,noatime,streams_interface=windows")
	}
	testvol.With(t, img, func(dir string) {
		testvol.Fill(t, dir, 800, 1)
		noise := make([]byte, 8<<20)
		rand.NewChaCha8([32]byte{}).Read(noise)
		for _, name := range []string{"pagefile.sys", "keep.bin", "cache.tmp", "Deep/er/cache.TMP", "gone", testStore, testCatalog, "elsewhere/" + filepath.Base(testStore)} {
			os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
			if err := os.WriteFile(filepath.Join(dir, name), noise, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	testvol.With(t, img, func(dir string) { os.Remove(filepath.Join(dir, "gone")) })
	record()
	dir := t.TempDir()
	o := Options{Dir: dir, Level: Fastest, Exclude: []string{"*.tmp"}}
	full, p := runTake(t, img, o)
	q := full.Meta.Disks[0].Partitions[0]
	var out []string
	for _, l := range q.LeftOut {
		out = append(out, fmt.Sprint(strings.TrimPrefix(l.Path, "/"), " ", l.Size>>20, " ", l.Reason))
	}
	slices.Sort(out)
	want := []string{"Deep/er/cache.TMP 8 *.tmp", testStore + " 8 default", "cache.tmp 8 *.tmp", "pagefile.sys 8 default"}
	if !slices.Equal(out, want) {
		t.Fatalf("left out %q, notes %q", out, q.Notes)
	}
	if q.Mode != modeUsed || q.FS != "ntfs" || q.FSID == "" || q.Used < 24<<20 || q.Used > 200<<20 {
		t.Fatalf("%+v", q)
	}
	o.Parent = p
	testvol.With(t, img, func(dir string) { testvol.Mutate(t, dir, 5) })
	record()
	inc, p2 := runTake(t, img, o)
	if inc.Meta.Stats.Changed > q.Used/2 {
		t.Fatalf("%d bytes changed of %d", inc.Meta.Stats.Changed, q.Used)
	}
	again, _ := runTake(t, img, Options{Dir: dir, Parent: p2, Exclude: o.Exclude})
	if again.Meta.Stats.Chunks != 0 || again.Size > 24<<10 {
		t.Fatalf("unchanged: %d bytes, %+v", again.Size, again.Meta.Stats)
	}
	for i, p := range []*testPoint{p, p2} {
		compareTree(t, restoreTo(t, p), trees[i])
	}
	raw, _ := os.ReadFile(img)
	checkUsed(t, img, raw, p2.readDisk(t), p2.Meta().Disks[0].Partitions[0])
}

// compareTree compares a restored volume with a recorded tree; files that were
// left out read as zeros.
func compareTree(t *testing.T, img string, want map[string]testvol.Node) {
	t.Helper()
	testvol.With(t, img, func(dir string) {
		got := testvol.Record(t, dir)
		for name, n := range want {
			if name == "pagefile.sys" || name == testStore || strings.HasSuffix(strings.ToLower(name), ".tmp") {
				n.Sum = got[name].Sum
				want[name] = n
			}
		}
		if d := testvol.Diff(want, got); len(d) > 0 {
			t.Errorf("%d differences: %q", len(d), d[:min(len(d), 5)])
		}
	}, "ro,noatime,streams_interface=windows")
}

// checkUsed: every used cluster that was not left out is there; one that was is
// zero, and one that is free is too, or as it stands on the disk.
func checkUsed(t *testing.T, img string, raw, got []byte, q index.Partition) {
	t.Helper()
	v, err := ntfsparse.Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	want, used := make([]byte, len(raw)), map[int64]bool{}
	v.UsedExtents(t.Context(), func(e ntfsparse.Extent) bool {
		copy(want[e.Off:e.Off+e.Len], raw[e.Off:])
		for at := e.Off; at < e.Off+e.Len; at += 512 {
			used[at] = true
		}
		return true
	})
	for at := 0; at < len(got); at += 512 {
		if piece := got[at:min(at+512, len(got))]; !used[int64(at)] && bytes.Equal(piece, raw[at:][:len(piece)]) {
			copy(want[at:], piece)
		}
	}
	u, err := newCapturer(nil, Options{}).open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range q.LeftOut {
		all, err := u.FileExtents(t.Context(), l.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Stream != l.Stream {
				continue
			}
			for _, e := range c.Extents {
				clear(want[e.Off:end(e)])
			}
		}
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the clusters captured are not those in use")
	}
}

// disk makes a partitioned disk with content everywhere.
func disk(t *testing.T, sector int, script string) string {
	t.Helper()
	testvol.Need(t, "sfdisk")
	path := filepath.Join(t.TempDir(), "disk.img")
	src := make(memSource, 96<<20+4096)
	mix(src, uint64(sector))
	clear(src[:1<<20])
	clear(src[len(src)-1<<20:])
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sfdisk", "-q", "--wipe", "never", path)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteAt([]byte("boot code"), 100)
	f.WriteAt([]byte("in the gap"), 40<<10)
	return path
}

const (
	gptScript = "label: gpt\nstart=2048, size=20481\nstart=30000, size=60001, name=two\nstart=100000, size=50000\n"
	mbrScript = "label: dos\nlabel-id: 0xcafe1234\nstart=63, size=20000, type=7, bootable\nstart=20480, size=160000, type=5\nstart=22528, size=30001, type=7\nstart=60000, size=20480, type=83\n"
)

func TestDisks(t *testing.T) {
	for name, script := range map[string]string{"gpt": gptScript, "mbr": mbrScript} {
		t.Run(name, func(t *testing.T) {
			img, dir := disk(t, 512, script), t.TempDir()
			raw, _ := os.ReadFile(img)
			res, p := runTake(t, img, Options{Dir: dir, Level: Fastest, SectorSize: 512})
			if d := res.Meta.Disks[0]; d.Table != name || len(d.Partitions) != 3 || d.GapStream == nil || d.ID == "" {
				t.Fatalf("%+v", d)
			}
			if !bytes.Equal(p.readDisk(t), raw) {
				t.Fatal("another content")
			}
			movePartition(t, dir, raw, res, p)
		})
	}
}

// movePartition moves a GPT partition to another place: its blocks are found
// again although all addresses on the disk are others.
func movePartition(t *testing.T, dir string, raw []byte, res *Result, p *testPoint) {
	if res.Meta.Disks[0].Table != "gpt" {
		return
	}
	img := filepath.Join(t.TempDir(), "moved.img")
	if err := os.WriteFile(img, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	uuid := res.Meta.Disks[0].Partitions[1].UniqueID
	script := fmt.Sprintf("label: gpt\nlabel-id: %s\nstart=31000, size=60001, name=two, uuid=%s\n", res.Meta.Disks[0].ID, uuid)
	cmd := exec.Command("sfdisk", "-q", "--wipe", "never", img)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	now, _ := os.ReadFile(img)
	copy(now[31000*512:], raw[30000*512:90001*512])
	os.WriteFile(img, now, 0o600)
	inc, p2 := runTake(t, img, Options{Dir: dir, Parent: p})
	if !bytes.Equal(p2.readDisk(t), now) {
		t.Fatal("another content")
	}
	q := inc.Meta.Disks[0].Partitions[0]
	if q.Stream != res.Meta.Disks[0].Partitions[1].Stream || q.UniqueID != uuid {
		t.Fatalf("stream %d for %s", q.Stream, q.UniqueID)
	}
	m, blocks := p2.stream(t, q.Stream), uint64(q.Size+index.BlockSize-1)/index.BlockSize
	for b := range blocks {
		if ref, _, _ := m.Lookup(b); ref.Kind == index.Data && ref.Member != 0 {
			t.Fatalf("block %d of the moved partition was stored again", b)
		}
	}
}

// TestSelection takes one partition; the others are not captured.
func TestSelection(t *testing.T) {
	img := disk(t, 512, gptScript)
	raw, _ := os.ReadFile(img)
	res, p := runTake(t, img, Options{Dir: t.TempDir(), Partitions: []int{2}, SectorSize: 512})
	want := bytes.Clone(raw)
	for _, q := range res.Meta.Disks[0].Partitions {
		if (q.Mode == modeNone) != (q.Number != 2) {
			t.Fatalf("%+v", q)
		}
		if q.Mode == modeNone {
			clear(want[q.Offset : q.Offset+q.Size])
			if k := p.kinds(t, q.Stream); len(k) != 1 || k[index.NotCaptured] == 0 {
				t.Fatalf("kinds %v", k)
			}
		}
	}
	if !bytes.Equal(p.readDisk(t), want) {
		t.Fatal("another content")
	}
	var oe *OptionError
	if _, err := Run(t.Context(), open(t, img), Options{Dir: t.TempDir(), Partitions: []int{9}}); err == nil || !asError(err, &oe) {
		t.Fatal(err)
	}
}

func asError(err error, target **OptionError) bool {
	e, ok := err.(*OptionError)
	*target = e
	return ok
}

// TestGPTCopies: both tables, and a gap of free space, are in the gap stream.
func TestGPTCopies(t *testing.T) {
	img := disk(t, 512, "label: gpt\nstart=2048, size=2048\n")
	raw, _ := os.ReadFile(img)
	_, p := runTake(t, img, Options{Dir: t.TempDir(), SectorSize: 512})
	got := p.readStream(t, *p.Meta().Disks[0].GapStream)
	for _, at := range []int{512, len(raw) - 512} {
		if string(got[at:at+8]) != "EFI PART" || binary.LittleEndian.Uint64(got[at+24:]) != uint64(at/512) {
			t.Fatalf("no table at %d", at)
		}
	}
	if !isZero(got[1<<20 : 2<<20]) {
		t.Fatal("the gap stream holds what is in a partition")
	}
}

var _ io.ReaderAt = (*device.Device)(nil)

// TestRescueDisk cuts captures of partitioned disks: what a salvage says that
// it lacks is what the reader does not give, once, and what was never written
// is not damaged.
func TestRescueDisk(t *testing.T) {
	for name, script := range map[string]string{"gpt": gptScript, "mbr": mbrScript} {
		full, _ := runTake(t, disk(t, 512, script), Options{Dir: t.TempDir(), Level: Fastest, SectorSize: 512})
		all, err := os.ReadFile(full.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{18, 27} {
			cut := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(full.Path), index.Suffix)+index.UnfinishedSuffix)
			os.WriteFile(cut, all[:n<<20-5000], 0o600)
			res, err := Rescue(t.Context(), cut, RescueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkLost(t, fmt.Sprintf("%s cut at %d MiB", name, n), res)
		}
	}
}

func checkLost(t *testing.T, what string, res *Result) {
	t.Helper()
	p, err := reader.Open(t.Context(), res.Path, reader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lost, d := int64(0), p.Disks()[0]
	if err := d.Extents(t.Context(), 0, d.Size(), func(e reader.Extent) bool {
		if e.Kind == index.Unreadable {
			lost += e.Len
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	r, err := reader.Verify(t.Context(), p, reader.VerifyOptions{Level: reader.Full})
	if err != nil {
		t.Fatal(err)
	}
	if told := res.Meta.Stats.Unreadable; lost == 0 || told != lost || r.NotRead != lost {
		t.Errorf("%s: %d bytes cannot be read, the salvage tells of %d, verify of %d", what, lost, told, r.NotRead)
	}
	if !r.OK() || r.OtherCount > 0 {
		t.Errorf("%s: damage %v, other %v", what, r.Damage, r.Other)
	}
	for _, w := range res.Reasons {
		if strings.Contains(w, "damaged") {
			t.Errorf("%s: %s", what, w)
		}
	}
}
