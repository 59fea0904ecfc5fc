package ntfsparse_test

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

func used(t testing.TB, v *ntfsparse.Volume) []ntfsparse.Extent {
	t.Helper()
	var list []ntfsparse.Extent
	end := int64(-1)
	err := v.UsedExtents(context.Background(), func(e ntfsparse.Extent) bool {
		if e.Len <= 0 || e.Off <= end || e.Off+e.Len > v.Size() {
			t.Errorf("extent %+v behind %d, volume of %d", e, end, v.Size())
		}
		end = e.Off + e.Len
		list = append(list, e)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// copyUsed makes an image of nothing but the used extents; what was free is
// filled with a pattern.
func copyUsed(t *testing.T, img string) (string, int64) {
	t.Helper()
	v := open(t, img)
	src, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	dst.Truncate(v.Size())
	total := int64(0)
	for _, e := range used(t, v) {
		total += e.Len
		if _, err := io.Copy(io.NewOffsetWriter(dst, e.Off), io.NewSectionReader(src, e.Off, e.Len)); err != nil {
			t.Fatal(err)
		}
	}
	return dst.Name(), total
}

func TestUsedExtentsMakeTheSameVolume(t *testing.T) {
	for _, o := range []testvol.Options{{Size: 64<<20 + 3*512}, {Cluster: 512}, {Sector: 4096}, {Cluster: 65536, Size: 64<<20 + 5*512}} {
		img := testvol.Make(t, o)
		testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 150, 9) })
		dup, total := copyUsed(t, img)
		if want, got := compare(t, img), compare(t, dup); len(testvol.Diff(want, got)) > 0 {
			t.Errorf("%+v: %q", o, testvol.Diff(want, got))
		}
		out := testvol.Run(t, "ntfsresize", "--info", "--force", dup)
		if !strings.Contains(out, "You might resize") && !strings.Contains(out, "nothing to do") {
			t.Errorf("%+v: ntfsresize: %s", o, out)
		}
		sp, err := open(t, img).Space()
		clusters := (sp.Clusters - sp.FreeClusters) * open(t, img).Boot().ClusterSize
		if err != nil || total < clusters || total > clusters+100<<10 {
			t.Errorf("%+v: %d bytes used, bitmap says %d, %v", o, total, clusters, err)
		}
		a, _ := exec.Command("sh", "-c", "tail -c 512 "+img+" | md5sum; tail -c 512 "+dup+" | md5sum").Output()
		if s := strings.Fields(string(a)); s[0] != s[2] {
			t.Errorf("%+v: the backup boot sector differs", o)
		}
	}
}

// TestUnmarkedClusters clears bits of $Bitmap: the clusters still count.
func TestUnmarkedClusters(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 100, 9) })
	before := used(t, open(t, img))
	f, _ := open(t, img).File(ntfsparse.RecordBitmap)
	s, _ := f.Stream("")
	w, _ := os.OpenFile(img, os.O_RDWR, 0)
	defer w.Close()
	lcn := s.Runs().At(0).LCN
	w.WriteAt(make([]byte, 256), lcn*4096)
	v := open(t, img)
	after := used(t, v)
	if len(v.Notes()) == 0 || !strings.Contains(v.Notes()[0], "marks as free") {
		t.Errorf("notes %q", v.Notes())
	}
	covered := func(off int64) bool {
		for _, e := range after {
			if off >= e.Off && off < e.Off+e.Len {
				return true
			}
		}
		return false
	}
	for _, e := range before {
		if !covered(e.Off) || !covered(e.Off+e.Len-1) {
			t.Errorf("extent %+v is lost", e)
		}
	}
}

func TestOwners(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 200, 9); testvol.Striped(t, filepath.Join(dir, "s"), 5000) })
	v := open(t, img)
	owners, err := v.Owners()
	if err != nil {
		t.Fatal(err)
	}
	sp, _ := v.Space()
	owned := int64(0)
	for lcn := int64(0); lcn < v.Clusters(); {
		if _, n, ok := owners.Owner(lcn); ok {
			owned += n
			lcn += n
			continue
		}
		lcn++
	}
	if owned != sp.Clusters-sp.FreeClusters {
		t.Errorf("%d clusters owned, %d used", owned, sp.Clusters-sp.FreeClusters)
	}
	f, _ := v.Lookup("s")
	s, _ := f.Open()
	r := s.Runs().At(s.Runs().Len() / 2)
	if rec, _, ok := owners.Owner(max(r.LCN, 0)); r.LCN != ntfsparse.Hole && (!ok || rec != f.Ref().Record()) {
		t.Errorf("cluster %d belongs to %d, want %d", r.LCN, rec, f.Ref().Record())
	}
}

// TestParallelReads reads random pieces of many kinds of files at once.
func TestParallelReads(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) { testvol.Rich(t, dir) })
	v := open(t, img)
	for _, name := range []string{"comp/text", "comp/pieces", "striped", "links/hl0", "streams/a.txt"} {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		whole := make([]byte, s.Size())
		if _, err := s.ReadAt(whole, 0); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				t.Run("", func(t *testing.T) { t.Parallel(); readRandomly(t, s, whole, seed) })
			}
		})
	}
}

func readRandomly(t *testing.T, s *ntfsparse.Stream, whole []byte, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		off := rnd.IntN(len(whole))
		p := make([]byte, rnd.IntN(200_000))
		n, err := s.ReadAt(p, int64(off))
		if want := whole[off:min(len(whole), off+len(p))]; string(p[:n]) != string(want) {
			t.Fatalf("%d bytes at %d: got %d other bytes, %v", len(p), off, n, err)
		}
	}
}

// TestOwnersOfSharedClusters: every cluster of a file that lies upon another's has
// an owner, also behind the shorter one.
func TestOwnersOfSharedClusters(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		os.WriteFile(filepath.Join(dir, "long"), make([]byte, 100*4096), 0o644)
		os.WriteFile(filepath.Join(dir, "short"), make([]byte, 10*4096), 0o644)
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	run := func(name string) (*ntfsparse.File, ntfsparse.Attr, ntfsparse.Run) {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil || s.Runs().Len() != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		for _, a := range f.Attrs() {
			if a.Type() == ntfsparse.TypeData {
				return f, a, s.Runs().At(0)
			}
		}
		panic("no data")
	}
	long, _, lr := run("long")
	short, a, sr := run("short")
	at := recordIn(v, b, short.Ref().Record())[a.Off+int(a.Bytes()[0x20]):]
	n := int(at[0] & 15)
	for i, lcn := 0, lr.LCN+20; i < int(at[0]>>4); i, lcn = i+1, lcn>>8 {
		at[1+n+i] = byte(lcn)
	}
	owners, err := openBytes(t, b).Owners()
	if err != nil {
		t.Fatal(err)
	}
	for lcn, want := range map[int64]uint64{lr.LCN: long.Ref().Record(), lr.LCN + 19: long.Ref().Record(), lr.LCN + 30: long.Ref().Record(), lr.LCN + 99: long.Ref().Record()} {
		if got, _, ok := owners.Owner(lcn); !ok || got != want {
			t.Errorf("cluster %d: %d, %v", lcn-lr.LCN, got, ok)
		}
	}
	if _, _, ok := owners.Owner(sr.LCN); ok || sr.LCN == lr.LCN {
		t.Error("the clusters that the short one had are still its own")
	}
	if got, n, ok := owners.Owner(lr.LCN + 25); !ok || n < 1 || got != long.Ref().Record() && got != short.Ref().Record() {
		t.Errorf("a shared cluster: %d, %d, %v", got, n, ok)
	}
}
