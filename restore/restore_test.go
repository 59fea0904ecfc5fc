package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"vitrine/index"
	"vitrine/volume"
)

// note logs an operation; see TestOrder.
func (m *memTarget) note(what string, off, n int64) {
	m.log = append(m.log, fmt.Sprintf("%s %d %d", what, off, n))
}

// bare is a source without a table.
func bare(im *image) Source {
	return Source{"test", &index.Disk{Size: im.Size(), SectorSize: 512, Table: "none",
		Partitions: []index.Partition{{Number: 1, Size: im.Size(), Mode: "used"}}}, nil, im}
}

// disk is a source with an MBR and two partitions.
func disk(im *image) Source {
	s := bare(im)
	s.Disk.Table = "mbr"
	s.Disk.Partitions = []index.Partition{
		{Number: 1, Offset: 1 << 20, Size: 3<<20 + 512, Mode: "used"},
		{Number: 2, Offset: 5 << 20, Size: 2 << 20, Mode: "used"},
	}
	copy(im.data, bytes.Repeat([]byte{0x77}, 512))
	im.kinds[0] = index.Data
	return s
}

func mustPlan(t *testing.T, s Source, m Target, o Options) *Plan {
	t.Helper()
	p, err := NewPlan(context.Background(), s, m, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkContent compares a target with the image: what was captured is there,
// what is free was left alone.
func checkContent(t *testing.T, m *memTarget, im *image, off int64, free byte) {
	t.Helper()
	for i, k := range im.kinds {
		want := im.block(i)
		got := m.data[off+int64(i*testBlock):][:len(want)]
		if k == index.Hole || k == index.NotCaptured {
			if i*testBlock >= wipeSize && (i+1)*testBlock <= len(im.data)-4096 && !bytes.Equal(got, bytes.Repeat([]byte{free}, len(got))) {
				t.Fatalf("block %d: free space was touched", i)
			}
			continue
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("block %d (%v) differs", i, k)
		}
	}
}

func TestRestore(t *testing.T) {
	for _, size := range []int64{1, 511, 4096, testBlock, testBlock + 1, 1 << 20, 1<<20 + 512, 8 << 20, 10<<20 + 1536} {
		im := newImage(size, size)
		for name, src := range map[string]func(*image) Source{"bare": bare, "disk": disk} {
			if name == "disk" && size < 8<<20 {
				continue
			}
			for _, o := range []Options{{}, {Delta: true}, {Discard: true}, {ZeroFree: true}, {Workers: 1, SkipProof: true}} {
				for _, file := range []bool{false, true} {
					if file && (o.ZeroFree || o.Discard) {
						continue // holes, whatever one asks for
					}
					m, free := newMem(size+8192), byte(0xaa)
					if file {
						m, free = newMemFile(), 0
					} else if o.Discard {
						free = 0xdd
					} else if o.ZeroFree {
						free = 0
					}
					p := mustPlan(t, src(im), m, o)
					var last Progress
					r, err := p.Run(context.Background(), func(q Progress) {
						if q.Done < last.Done || q.Total != p.Total() || q.Done > q.Total {
							t.Errorf("%+v after %+v", q, last)
						}
						last = q
					})
					if err != nil {
						t.Fatalf("%s %d %+v: %v", name, size, o, err)
					}
					if last.Phase != Done || last.Done != last.Total {
						t.Errorf("%s %d %+v: ends with %+v", name, size, o, last)
					}
					if want := p.work(); r.Written+r.Same+r.Sparse != want || !o.SkipProof && r.Proven != want {
						t.Errorf("%s %d %+v: %+v, work %d", name, size, o, r, want)
					}
					checkContent(t, m, im, 0, free)
				}
			}
		}
	}
}

// A second delta writes next to nothing: what was wiped, and the old backup.
func TestDeltaWritesLittle(t *testing.T) {
	im := newImage(40<<20, 1)
	m := newMem(40 << 20)
	if _, err := mustPlan(t, disk(im), m, Options{}).Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	im.data[20<<20|123] ^= 1
	im.kinds[(20<<20)/testBlock] = index.Data
	r, err := mustPlan(t, disk(im), m, Options{Delta: true}).Run(context.Background(), nil)
	if err != nil || r.Written > 5*testBlock {
		t.Errorf("%+v, %v", r, err)
	}
	checkContent(t, m, im, 0, 0xaa)
}

// The front of the disk comes last, after a flush; partitions' fronts after
// the rest of the data.
func TestOrder(t *testing.T) {
	im := dataImage(bytes.Repeat([]byte{1}, 8<<20))
	m := newMem(8 << 20)
	if _, err := mustPlan(t, disk(im), m, Options{}).Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"w 0 73728", "w 8384512 4096", "s 0 0", // wipe
		"w 2097152 1048576", "w 3145728 1048576", "w 4194304 1048576", "w 6291456 1048576", "w 7340032 1048576", "s 0 0",
		"w 1048576 1048576", "w 5242880 1048576", "s 0 0", // fronts
		"s 0 0", // no backup table
		"w 73728 974848", "s 0 0",
		"w 0 73728", "s 0 0",
	}
	sortBetweenFlushes(m.log[3:]) // the wipe is in order
	if got := strings.Join(m.log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// sortBetweenFlushes orders what may happen in any order.
func sortBetweenFlushes(log []string) {
	for len(log) > 0 {
		n := slices.Index(log, "s 0 0")
		slices.Sort(log[:n])
		log = log[n+1:]
	}
}

// Whatever operation fails, the error says that the target is incomplete and
// nothing on it can be taken for a disk.
func TestFaults(t *testing.T) {
	for k, o := range []Options{{}, {Delta: true}, {ZeroFree: true}} {
		im := newImage(8<<20, 3)
		for i := 1; ; i += 1 + 2*k {
			m := newMem(8 << 20)
			src := disk(im)
			p := mustPlan(t, src, m, o)
			m.ops, m.failAt = 0, i
			r, err := p.Run(context.Background(), nil)
			if m.ops < i {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				if m.ops < 20 {
					t.Errorf("only %d operations", i)
				}
				break
			}
			checkFault(t, i, m, r, err)
		}
	}
}

func checkFault(t *testing.T, i int, m *memTarget, r *Report, err error) {
	t.Helper()
	var inc *IncompleteError
	var dif *DifferError
	switch {
	case err == nil:
		if !bytes.Equal(m.data[:512], bytes.Repeat([]byte{0x77}, 512)) {
			t.Errorf("fault %d: no error, but the disk is not there", i)
		}
	case errors.As(err, &dif):
	case !errors.As(err, &inc) || !errors.Is(err, errInjected):
		t.Errorf("fault %d: %v", i, err)
	case inc.Phase != Prove && m.data[0] != 0 && m.data[0] != 0xaa:
		t.Errorf("fault %d: the front is there: % x", i, m.data[:4])
	}
}

// A read that fails while proving is a difference, not a success.
func TestProofReadFault(t *testing.T) {
	im := newImage(8<<20, 4)
	m := newMem(8 << 20)
	p := mustPlan(t, disk(im), m, Options{})
	m.ops, m.failAt, m.failOnly = 0, 3, "read"
	_, err := p.Run(context.Background(), nil)
	if !errors.Is(err, ErrDiffers) {
		t.Errorf("%v", err)
	}
}

// One wrong byte on the medium is found and named.
func TestProofFindsFlips(t *testing.T) {
	im := dataImage(bytes.Repeat([]byte{7}, 80<<20))
	m := newMem(80 << 20)
	for i, at := range []int64{0, 5000, 1 << 20, 66<<20 + 77, 80<<20 - 1} {
		src := disk
		if i%2 == 1 {
			src = bare
		}
		m.flip = at
		_, err := mustPlan(t, src(im), m, Options{}).Run(context.Background(), nil)
		var d *DifferError
		if !errors.As(err, &d) || len(d.Ranges) != 1 || d.Ranges[0].Off > at || d.Ranges[0].Off+d.Ranges[0].Len <= at {
			t.Errorf("flip at %d: %v", at, err)
		}
	}
}

func TestCancel(t *testing.T) {
	im := newImage(20<<20, 5)
	for stop := 0; stop < 30; stop++ {
		m := newMem(20 << 20)
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		p := mustPlan(t, disk(im), m, Options{})
		_, err := p.Run(ctx, func(Progress) {
			if n++; n > stop {
				cancel()
			}
		})
		cancel()
		var inc *IncompleteError
		if stop == 0 {
			if !errors.Is(err, context.Canceled) || errors.As(err, &inc) || m.data[0] != 0xaa {
				t.Errorf("before the start: %v, % x", err, m.data[:1])
			}
			continue
		}
		if !errors.Is(err, context.Canceled) || !errors.As(err, &inc) || inc.Phase != Prove && m.data[0] != 0 {
			t.Errorf("stop %d: %v", stop, err)
		}
	}
}

func TestDamagedImage(t *testing.T) {
	im := newImage(8<<20, 6)
	im.bad = 3 << 20
	im.kinds[im.bad/testBlock] = index.Data
	m := newMem(8 << 20)
	if _, err := mustPlan(t, disk(im), m, Options{}).Run(context.Background(), nil); !errors.Is(err, errDamaged) || m.data[0] != 0 {
		t.Errorf("%v", err)
	}
	for _, o := range []Options{{SkipDamaged: true}, {SkipDamaged: true, Delta: true}} {
		m = newMem(8 << 20)
		r, err := mustPlan(t, disk(im), m, o).Run(context.Background(), nil)
		if err != nil || r.Complete() || len(r.Damaged) != 1 || r.Damaged[0].Range != (index.Range{Off: 3 << 20, Len: testBlock}) {
			t.Fatalf("%+v, %v", r, err)
		}
		want := im.block(3 << 20 / testBlock)
		saved := bytes.Clone(want)
		clear(want)
		checkContent(t, m, im, 0, 0xaa)
		copy(want, saved)
	}
}

func TestUnreadable(t *testing.T) {
	im := newImage(4<<20, 7)
	r, err := mustPlan(t, bare(im), newMem(4<<20), Options{}).Run(context.Background(), nil)
	if err != nil || r.Complete() || len(r.Unreadable) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefusals(t *testing.T) {
	im := newImage(8<<20, 8)
	im.kinds[len(im.kinds)-1] = index.Data
	im.data[len(im.data)-1] = 1
	whole, part := disk(im), disk(im)
	part.Part = &part.Disk.Partitions[1]
	gone := disk(im)
	gone.Part = &index.Partition{Number: 9, Mode: "none"}
	big := newMem(9 << 20)
	big.sector = 4096
	for _, c := range []struct {
		name  string
		src   Source
		m     *memTarget
		o     Options
		class error
		why   string
	}{
		{"too small", whole, newMem(8<<20 - 512), Options{}, ErrTooSmall, "8 MiB (8388608 bytes) are needed"},
		{"sectors", whole, big, Options{}, ErrSectorSize, "sectors of 4096"},
		{"whole into partition", whole, newMem(8 << 20), Options{TargetPartition: 1}, ErrNoPartition, "whole disk"},
		{"no such partition", part, newMem(8 << 20), Options{TargetPartition: 1}, ErrNoPartition, "no partition 1"},
		{"partition of no file", part, newMemFile(), Options{TargetPartition: 1}, fs.ErrNotExist, "no such file"},
		{"not captured", gone, newMem(8 << 20), Options{}, ErrNotCaptured, "partition 9 was not captured"},
		{"empty", bare(dataImage(nil)), newMem(8 << 20), Options{}, ErrNotCaptured, "empty"},
	} {
		_, err := NewPlan(context.Background(), c.src, c.m, c.o)
		var r *RefusedError
		if !errors.As(err, &r) || !errors.Is(err, c.class) || !strings.Contains(r.Why, c.why) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(c.m.log) != 0 {
			t.Errorf("%s: written to", c.name)
		}
	}
	if _, err := NewPlan(context.Background(), whole, big, Options{AnySector: true}); err != nil {
		t.Errorf("%v", err)
	}
}

// What becomes of a partition that the image does not have depends on whether
// the target has anything.
func TestUncapturedPartition(t *testing.T) {
	src := disk(newImage(8<<20, 5))
	src.Disk.Partitions[1].Mode = "none"
	for _, c := range []struct {
		m    *memTarget
		want string
	}{
		{newMem(8 << 20), "partition 2 was not captured: what the target has there stays"},
		{newMemFile(), "partition 2 was not captured: the file has a hole there"},
	} {
		if p := mustPlan(t, src, c.m, Options{}); !slices.Contains(p.Notes, c.want) {
			t.Errorf("%q, want %q", p.Notes, c.want)
		}
	}
}

// A smaller target is taken when what is cut off was not in use.
func TestSmallerTarget(t *testing.T) {
	im := newImage(8<<20, 9)
	for i := len(im.kinds) - 4; i < len(im.kinds); i++ {
		im.kinds[i] = index.Hole
	}
	im.kinds[len(im.kinds)-5] = index.Data
	im.settle()
	im.data[(len(im.kinds)-4)*testBlock-1] = 1
	need := int64(len(im.kinds)-4) * testBlock
	for _, src := range []func(*image) Source{bare, disk} {
		m := newMem(need)
		if _, err := mustPlan(t, src(im), m, Options{}).Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		cutIm := &image{im.data[:need], im.kinds[:len(im.kinds)-4], -1}
		checkContent(t, m, cutIm, 0, 0xaa)
		var r *RefusedError
		if _, err := NewPlan(context.Background(), src(im), newMem(need-512), Options{}); !errors.As(err, &r) || r.Need != need {
			t.Errorf("%v, need %d", err, need)
		}
	}
}

func TestDescribe(t *testing.T) {
	im := newImage(8<<20, 10)
	src := disk(im)
	src.Disk.Partitions[0].LeftOut = []index.LeftOut{{Path: "/pagefile.sys", Size: 4 << 30, Reason: "default"},
		{Path: "System Volume Information/{7c3f6a1e-9d2b-11ee-8c1d-806e6f6e6963}{3808876b-c176-4e48-b7ae-04046e6cc752}", Size: 1 << 30, Reason: "default"}}
	var b strings.Builder
	if err := mustPlan(t, src, newMem(9<<20), Options{}).Describe(&b); err != nil {
		t.Fatal(err)
	}
	if one := partitions(1); one != "1 partition" {
		t.Error(one)
	}
	for _, want := range []string{"the whole disk of test (8 MiB, mbr, 2 partitions)", "target, Model, Serial, 9 MiB",
		"left alone", "/pagefile.sys (4 GiB, default)", "1048576 bytes at its end are not used", "reads it back", "vssadmin delete shadows"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// Hostile metadata cannot make a restore write outside the target's range.
func TestHostileMeta(t *testing.T) {
	for _, q := range []index.Partition{
		{Number: 1, Offset: -5, Size: 1 << 62}, {Number: 1, Offset: 1 << 62, Size: 1 << 62},
		{Number: 1, Offset: 100, Size: -1}, {Number: 1, Offset: 1<<63 - 1, Size: 1<<63 - 1},
	} {
		im := newImage(4<<20, 11)
		src := disk(newImage(8<<20, 1))
		src.View = im
		src.Disk.Partitions = []index.Partition{q, q}
		m := newMem(4 << 20)
		if _, err := mustPlan(t, src, m, Options{}).Run(context.Background(), nil); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
		checkContent(t, m, im, 0, 0xaa)
	}
}

func TestRunTwice(t *testing.T) {
	p := mustPlan(t, bare(newImage(1<<20, 1)), newMem(1<<20), Options{})
	p.Run(context.Background(), nil)
	if _, err := p.Run(context.Background(), nil); err == nil {
		t.Error("ran twice")
	}
}

func TestWithout(t *testing.T) {
	for _, c := range []struct{ all, cut, want []span }{
		{[]span{{0, 10}}, nil, []span{{0, 10}}},
		{[]span{{0, 10}}, []span{{0, 10}}, nil},
		{[]span{{0, 10}}, []span{{2, 3}, {5, 5}, {8, 20}}, []span{{0, 2}, {3, 8}}},
		{[]span{{5, 10}, {0, 5}}, []span{{4, 6}}, []span{{0, 4}, {6, 10}}},
		{nil, []span{{1, 2}}, nil},
	} {
		if got := without(c.all, c.cut); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v without %v: %v, want %v", c.all, c.cut, got, c.want)
		}
	}
}

func TestContentCuts(t *testing.T) {
	im := dataImage(bytes.Repeat([]byte{1}, 3*testBlock))
	im.kinds[1] = index.Zero
	c := newContent(im, 4*testBlock, []volume.Piece{{Off: testBlock + 512, Data: bytes.Repeat([]byte{9}, 512)}, {Off: 3 * testBlock, Data: []byte{8, 8}}},
		[]span{{0, 1024}, {testBlock, testBlock + 2048}})
	var got []string
	c.extents(context.Background(), span{0, 9 << 20}, func(e Extent) bool {
		got = append(got, fmt.Sprintf("%d+%d %v", e.Off, e.Len, e.Kind))
		return true
	})
	want := "[0+1024 hole 1024+64512 data 65536+512 hole 66048+512 data 66560+1024 hole 67584+63488 zero 131072+65536 data 196608+2 data 196610+65534 hole]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	b := make([]byte, 1024)
	if err := c.read(context.Background(), b, testBlock+256); err != nil || b[0] != 1 || b[256] != 9 || b[768] != 1 {
		t.Errorf("%v %v", b[250:260], err)
	}
}
