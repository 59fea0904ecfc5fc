package reader

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"vitrine/index"
)

// Level is how deep Verify goes.
type Level int

// The levels. Each includes those before it.
const (
	Quick     Level = iota // all files are there, and are the ones the point was made from
	Structure              // the index is sound
	Sample                 // some of the contents are sound
	Full                   // all contents are sound, and every other byte of the files
)

func (l Level) String() string { return [...]string{"quick", "structure", "sample", "full"}[l] }

// VerifyOptions say how a point is verified.
type VerifyOptions struct {
	Level     Level
	Percent   float64 // for Sample: how much of the contents, above 0 to 100
	Seed      uint64  // for Sample: which
	MaxDamage int     // damage that is listed; all is counted. 0: 1000
	Workers   int     // 0: one per CPU, at most 8
	// Progress is called now and then, from one goroutine at a time.
	Progress func(VerifyProgress)
}

// VerifyProgress says how far a verification is. Total does not change within a
// phase.
type VerifyProgress struct {
	Phase       string // "files", "index", "contents"
	Done, Total int64  // of "files": members; of "index": bytes of the disks; of "contents": bytes of the files, for Sample of plain data
	Item        string // the file at hand
}

// VerifyReport is what a verification found.
type VerifyReport struct {
	Level   Level
	Root    index.Hash
	Members []Member // the chain; Err says why one cannot be used
	// Damage keeps blocks of this point from being read; each names one, or an
	// object of the index. Other is damage that the point does not need.
	Damage, Other           []*DamageError
	DamageCount, OtherCount int64 // all of them
	Notes                   []string

	Captured, Zero, NotCaptured, Unreadable int64 // bytes of the point by what the index says; without Quick
	Pages                                   int64 // index pages and segment heads that were proved
	Chunks, ChunksNeeded                    int64 // chunks proved, and those the point consists of
	Plain, Stored                           int64 // bytes of contents proved; bytes of the files read for it

	Proved, NotProved []string // in sentences
}

// OK says that nothing was found that keeps the point from being restored.
func (r *VerifyReport) OK() bool {
	for i := range r.Members {
		if r.Members[i].Err != nil {
			return false
		}
	}
	return r.DamageCount == 0
}

// Missing lists the members, or parts of some, that were not found.
func (r *VerifyReport) Missing() (list []*MissingError) {
	for i := range r.Members {
		if m, ok := errors.AsType[*MissingError](r.Members[i].Err); ok {
			list = append(list, m)
		}
	}
	return list
}

// Verify proves that p can be read, and says what it did not prove. It reads
// the files anew, past p's caches. Damage is no error; an error means that the
// verification itself did not end.
func Verify(ctx context.Context, p *Point, o VerifyOptions) (*VerifyReport, error) {
	if o.Level < Quick || o.Level > Full || (o.Level == Sample && !(o.Percent > 0 && o.Percent <= 100)) {
		return nil, fmt.Errorf("no such level of verification: %d, %g %%", o.Level, o.Percent)
	}
	if o.MaxDamage <= 0 {
		o.MaxDamage = 1000
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 8)
	}
	fresh, err := Open(ctx, p.path, Options{CacheBytes: 1, PageCacheBytes: p.o.PageCacheBytes, Search: p.o.Search, NoReadAhead: true, FillUnreadable: true, open: p.o.open})
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	v := &verifier{ctx: ctx, p: fresh, o: o, r: &VerifyReport{Level: o.Level, Root: fresh.tail.Root}, reach: make([]reach, len(fresh.members)), bad: map[badKey]*DamageError{}, pages: map[uint32][]interval{}}
	return v.r, v.run()
}

type verifier struct {
	ctx   context.Context
	p     *Point
	o     VerifyOptions
	r     *VerifyReport
	reach []reach               // per member of the chain
	pages map[uint32][]interval // index pages that were read, by member
	shown VerifyProgress        // what Progress was last called with

	mu  sync.Mutex // for what follows, and the report's lists
	bad map[badKey]*DamageError
}

type badKey struct {
	member int // in the chain
	chunk  uint64
}

type interval struct{ off, end int64 }

func (v *verifier) run() error {
	steps := []func() error{v.files, v.index, v.sample, v.contents}
	for l, step := range steps {
		if Level(l) > v.o.Level || (Level(l) == Sample && v.o.Level == Full) {
			continue
		}
		if err := step(); err != nil {
			return err
		}
	}
	v.r.Pages = v.p.pool.Stats().PageReads
	v.r.Chunks = v.r.Plain / index.BlockSize
	if err := v.spread(); err != nil {
		return err
	}
	v.say()
	return v.ctx.Err()
}

func (v *verifier) progress(phase string, done, total int64, item string) {
	was := v.shown
	if v.o.Progress == nil || (was.Phase == phase && was.Item == item && done < total && done-was.Done <= total/1000) {
		return
	}
	v.shown = VerifyProgress{phase, done, total, item}
	v.o.Progress(v.shown)
}

// damage lists what keeps the point from being read.
func (v *verifier) damage(d *DamageError) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.r.DamageCount++; len(v.r.Damage) < v.o.MaxDamage {
		v.r.Damage = append(v.r.Damage, d)
	}
}

// note lists what keeps no block of the point from being read.
func (v *verifier) note(err error) {
	if errors.Is(err, ErrMissing) {
		return // in the list of members
	}
	if d, ok := errors.AsType[*DamageError](err); ok {
		v.other(d)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.r.Notes = append(v.r.Notes, err.Error())
}

// other lists damage that the point does not need.
func (v *verifier) other(d *DamageError) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.r.OtherCount++; len(v.r.Other) < v.o.MaxDamage {
		v.r.Other = append(v.r.Other, d)
	}
}

// files looks for all members and compares their headers and footers with the
// point's table.
func (v *verifier) files() error {
	n := int64(len(v.p.members))
	for i := range v.p.members {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		m := &v.p.members[i]
		d := v.p.describe(m)
		if d.Err == nil {
			d.Err = v.footer(m)
		}
		if e, ok := errors.AsType[*DamageError](d.Err); ok {
			v.damage(e)
		}
		if m.rotten != nil {
			v.other(&DamageError{d.Path, 0, m.Number, -1, -1, m.rotten})
		}
		v.r.Members = append(v.r.Members, d)
		v.progress("files", int64(i+1), n, d.Path)
	}
	for _, s := range v.p.tail.Repaired {
		v.r.Notes = append(v.r.Notes, fmt.Sprintf("%s: the %s is damaged; its copy was used", v.p.path, s))
	}
	return nil
}

// footer compares the end of a member's last part with the table.
func (v *verifier) footer(m *member) error {
	last := m.parts[len(m.parts)-1]
	if m.Root == (index.Hash{}) {
		return nil // an unfinished member that was adopted
	}
	h, err := readHead(v.p.pool.files, last.path)
	if err != nil && m.rotten != nil {
		return nil // reported; the contents are proved without it
	}
	if err != nil {
		return err
	}
	return v.p.pool.files.use(last.path, func(f file) error {
		ft, err := index.ReadFooter(h.Header, f, h.size)
		switch {
		case errors.Is(err, index.ErrUnfinished):
			return &DamageError{last.path, m.Length - index.FooterSize + last.shift, m.Number, -1, -1, fmt.Errorf("the footer is gone (%w)", index.ErrCorrupt)}
		case err != nil:
			return pathError(last.path, err)
		case ft.Root != m.Root || ft.Length != m.Length:
			return &DamageError{last.path, m.Length - index.FooterSize + last.shift, m.Number, -1, -1,
				fmt.Errorf("the file is not the one that the point was captured onto: its root is %s, not %s (%w)", ft.Root, m.Root, index.ErrCorrupt)}
		case ft.Trailing > 0:
			v.other(&DamageError{last.path, h.size - ft.Trailing, m.Number, -1, -1, fmt.Errorf("%d foreign bytes stand behind the end (%w)", ft.Trailing, index.ErrCorrupt)})
		}
		return nil
	})
}

// say puts into sentences what was proved.
func (v *verifier) say() {
	r := v.r
	yes := func(s string, a ...any) { r.Proved = append(r.Proved, fmt.Sprintf(s, a...)) }
	no := func(s string, a ...any) { r.NotProved = append(r.NotProved, fmt.Sprintf(s, a...)) }
	yes("the identity, the end and the length of %d files of the chain were compared with the point's root", len(r.Members))
	switch r.Level {
	case Quick:
		no("the index was not read")
		no("the contents were not read")
	case Structure:
		yes("all %d index pages that the point needs match their hashes", r.Pages)
		no("the contents were not read")
	case Sample:
		yes("all index pages that the point needs match their hashes")
		yes("%d of %d chunks were expanded and match their hashes", r.Chunks, r.ChunksNeeded)
		no("the other %d chunks were not read", r.ChunksNeeded-r.Chunks)
	case Full:
		yes("all index pages that the point needs match their hashes")
		yes("%d of %d chunks that the point consists of were expanded and match their hashes", r.Chunks, r.ChunksNeeded)
		yes("every record of the files was read and compared with its checksum")
		if len(r.Members) > 1 {
			no("index pages that only earlier points use were not compared")
		}
	}
	no("whether the file systems inside are sound is another question")
}
