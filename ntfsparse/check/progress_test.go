package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestProgressIsTrue looks that phases begin at 0, only rise, keep their total
// and, on a sound volume, end with it.
func TestProgressIsTrue(t *testing.T) {
	for _, img := range [][]byte{smallVolume(), usedVolume()} {
		var now Progress
		phases := 0
		judged(t, img, Options{Deep: true, Progress: func(p Progress) {
			switch {
			case p.Phase != now.Phase:
				if p.Done != 0 || now.Done != now.Total {
					t.Errorf("%+v follows %+v", p, now)
				}
				phases++
			case p.Total != now.Total || p.Done < now.Done || p.Done > p.Total:
				t.Errorf("%+v follows %+v", p, now)
			}
			now = p
		}})
		if phases < 5 || now.Done != now.Total {
			t.Errorf("%d phases, the last %+v", phases, now)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := smallVolume()
	if rep, err := Run(ctx, bytes.NewReader(b), int64(len(b)), Options{}); !errors.Is(err, context.Canceled) || rep != nil {
		t.Errorf("%v, %v", rep, err)
	}
}

// patchy fails to read some ranges, as a damaged disk or image does.
type patchy struct {
	b    []byte
	from int64
}

var errPatch = errors.New("unreadable")

func (p *patchy) ReadAt(b []byte, off int64) (int, error) {
	if off < p.from+512 && p.from < off+int64(len(b)) {
		return 0, errPatch
	}
	return copy(b, p.b[off:]), nil
}

// TestUnreadableBootSector: its backup stands for it.
func TestUnreadableBootSector(t *testing.T) {
	b := smallVolume()
	for _, backup := range []bool{true, false} {
		if !backup {
			clear(b[len(b)-512:])
		}
		rep, err := Run(t.Context(), &patchy{b, 0}, int64(len(b)), Options{})
		must(t, err)
		if f := rep.Findings[0]; f.Code != "B1" || rep.Errors != 1 || (f.Severity == Error) != backup || (rep.Counts.Files > 60) != backup {
			t.Errorf("backup %v: %s %+v", backup, rep.Summary, rep.Findings)
		}
	}
}

// TestUnreadableContents: a stream that cannot be read in many places is one
// finding.
func TestUnreadableContents(t *testing.T) {
	b := smallVolume()
	c := newChecker(context.Background(), bytes.NewReader(b), int64(len(b)), Options{})
	if !c.boot() || !c.openTable() {
		t.Fatal("no volume")
	}
	c.stages()
	runs, first := map[uint64]int{}, map[uint64]int64{}
	bad := make([]bool, c.g.clusters)
	c.eachRun(func(int64) {}, func(no uint64, a *attr, r run) {
		if no < firstFree || a.label() != "$DATA" {
			return
		}
		if no = c.base(no); runs[no] == 0 {
			first[no] = r.lcn * c.g.cluster
		}
		runs[no]++
		bad[r.lcn] = true
	})
	rep, err := Run(t.Context(), sieve{b, bad}, int64(len(b)), Options{Deep: true})
	must(t, err)
	many := 0
	for _, f := range rep.Findings {
		if f.Code != "D1" {
			continue
		}
		want := fmt.Sprintf(" cannot be read from byte %d of the volume on: unreadable.", first[f.Record])
		if n := runs[f.Record]; n > 1 {
			many++
			want = fmt.Sprintf(" cannot be read in %d places, the first at byte %d of the volume: unreadable.", n, first[f.Record])
		}
		if !strings.HasSuffix(f.Message, want) || f.Attribute != "$DATA" {
			t.Errorf("%+v instead of %q", f, want)
		}
		delete(runs, f.Record)
	}
	if len(runs) > 0 || many == 0 {
		t.Errorf("not told of: %v; %d files have several runs", runs, many)
	}
}

// sieve fails to read some clusters of 512 bytes.
type sieve struct {
	b   []byte
	bad []bool
}

func (s sieve) ReadAt(b []byte, off int64) (int, error) {
	for at := off / 512; at < (off+int64(len(b))+511)/512 && at < int64(len(s.bad)); at++ {
		if s.bad[at] {
			return 0, errPatch
		}
	}
	return copy(b, s.b[off:]), nil
}

// TestEverySectorUnreadable makes each sector in turn unreadable: the check goes
// on, and says so when something was there.
func TestEverySectorUnreadable(t *testing.T) {
	b := smallVolume()
	c := newChecker(context.Background(), bytes.NewReader(b), int64(len(b)), Options{})
	if !c.boot() || !c.openTable() {
		t.Fatal("no volume")
	}
	bitmap, err := c.load(fBitmap, tData, "")
	must(t, err)
	used, err := c.readAll(bitmap, 1<<20)
	must(t, err)
	for lcn := int64(0); lcn < c.g.clusters; lcn += 7 {
		rep, err := Run(t.Context(), &patchy{b, lcn * 512}, int64(len(b)), Options{Deep: true})
		must(t, err)
		if inUse := used[lcn/8]>>(lcn&7)&1 != 0; inUse && rep.Worst < Warning {
			t.Errorf("sector %d is in use and unreadable: %s", lcn, rep.Summary)
		}
	}
}
