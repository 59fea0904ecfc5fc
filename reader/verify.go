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
	// Repaired is damage that takes nothing from the point, since other bytes
	// tell the same: a header, a footer, one of two copies. The file should be
	// replaced before more of it goes.
	Repaired []*DamageError
	Notes    []string

	Salvage bool  // the point was made of an unfinished capture: it is no consistent state
	NotRead int64 // bytes that could not be read at capture or, of a salvage, were not reached

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

	unmapped bool           // some of the index could not be read
	shown    VerifyProgress // what Progress was last called with

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
		for _, p := range m.parts {
			if p.rotten != nil {
				v.repaired(m, p.path, 0, p.rotten)
			}
		}
		v.r.Members = append(v.r.Members, d)
		v.progress("files", int64(i+1), n, d.Path)
	}
	self := &v.p.members[n-1]
	for _, s := range v.p.tail.Repaired {
		if s != "header" && s != "footer" { // these are in the list by now
			last := self.parts[len(self.parts)-1]
			v.repaired(self, last.path, self.Length-index.FooterSize+last.shift, fmt.Errorf("the %s in front of the footer is damaged; its copy was used (%w)", s, index.ErrCorrupt))
		}
	}
	return nil
}

// repaired lists damage that other bytes make good.
func (v *verifier) repaired(m *member, path string, off int64, err error) {
	v.r.Repaired = append(v.r.Repaired, &DamageError{path, off, m.Number, -1, -1, err})
}

// footer compares the end of a member's last part with the table.
func (v *verifier) footer(m *member) error {
	last := m.parts[len(m.parts)-1]
	if m.Root == (index.Hash{}) {
		return nil // an unfinished member that was adopted
	}
	h, err := readHead(v.p.pool.files, last.path)
	if err != nil && last.rotten != nil {
		return nil // reported; the contents are proved without it
	}
	if err != nil {
		return err
	}
	end := m.Length - index.FooterSize + last.shift
	return v.p.pool.files.use(last.path, func(f file) error {
		ft, err := index.ReadFooter(h.Header, f, h.size)
		switch {
		case errors.Is(err, index.ErrUnfinished):
			return &DamageError{last.path, end, m.Number, -1, -1, fmt.Errorf("the footer is gone (%w)", index.ErrCorrupt)}
		case err != nil:
			return pathError(last.path, err)
		case ft.Root != m.Root || ft.Length != m.Length:
			return &DamageError{last.path, end, m.Number, -1, -1,
				fmt.Errorf("the file is not the one that the point was captured onto: its root is %s, not %s (%w)", ft.Root, m.Root, index.ErrCorrupt)}
		case ft.Trailing > 0:
			v.other(&DamageError{last.path, h.size - ft.Trailing, m.Number, -1, -1, fmt.Errorf("%s foreign, behind the end (%w)", are(ft.Trailing, "byte"), index.ErrCorrupt)})
		}
		if ft.Repaired {
			v.repaired(m, last.path, end, fmt.Errorf("the footer is damaged; the superblock was used (%w)", index.ErrCorrupt))
		}
		return nil
	})
}

// say puts into sentences what was proved.
func (v *verifier) say() {
	r := v.r
	v.sayFiles()
	if r.Level >= Structure {
		v.sayIndex()
	} else {
		r.no("the index was not read")
	}
	if r.Level >= Sample {
		v.sayContents()
	} else {
		r.no("the contents were not read")
	}
	v.sayNotThere()
	r.no("whether the file systems inside are sound is another question")
}

func (r *VerifyReport) yes(s string, a ...any) { r.Proved = append(r.Proved, fmt.Sprintf(s, a...)) }
func (r *VerifyReport) no(s string, a ...any) {
	r.NotProved = append(r.NotProved, fmt.Sprintf(s, a...))
}

func (v *verifier) sayFiles() {
	r, files := v.r, 0
	for i := range r.Members {
		switch m := &r.Members[i]; {
		case m.Err == nil:
			files += len(m.Parts)
		case len(m.Parts) > 0:
			r.no("member %d is not whole: the end and the length of the %s found were not compared", m.Number, count(int64(len(m.Parts)), "file"))
		default:
			r.no("member %d is not there", m.Number)
		}
	}
	if files > 0 {
		r.yes("the identity, the end and the length of %s of the chain were compared with the point's root", count(int64(files), "file"))
	}
}

func (v *verifier) sayIndex() {
	if v.unmapped {
		v.r.no("some of the index is missing or damaged: what it tells of is not known and was not proved")
		return
	}
	v.r.yes("all index pages that the point needs match their hashes (%s read)", count(v.r.Pages, "page"))
}

func (v *verifier) sayContents() {
	r, left := v.r, v.r.ChunksNeeded-v.r.Chunks
	if r.ChunksNeeded > 0 {
		r.yes("%d of %s that the point consists of were expanded and match their hashes", r.Chunks, count(r.ChunksNeeded, "chunk"))
	} else if !v.unmapped {
		r.yes("the point needs no stored contents")
	}
	switch {
	case r.Level == Sample && left > 0:
		r.no("%s not read, missing or damaged", are(left, "other chunk"))
	case left > 0:
		r.no("%s missing or damaged", are(left, "chunk"))
	}
	if r.Level == Full {
		r.yes("every record of the files that are there was read and compared with its checksum")
		if len(r.Members) > 1 {
			r.no("index pages that only earlier points use were not compared")
		}
	}
}

// sayNotThere tells what the point never had.
func (v *verifier) sayNotThere() {
	m := v.p.tail.Meta
	v.r.Salvage = v.p.tail.Self.Kind == index.Salvage || m.Consistency == "salvaged"
	v.r.NotRead = max(v.r.Unreadable, unreadable(m))
	if v.r.Salvage {
		v.r.no("this point is a salvage of an unfinished capture: not a consistent state")
	}
	if n := v.r.NotRead; n > 0 && v.r.Salvage {
		v.r.no("%s not there: the capture did not reach or could not read them", are(n, "byte"))
	} else if n > 0 {
		v.r.no("%s not there: they could not be read at capture", are(n, "byte"))
	}
}

// unreadable is what the metadata tells of bytes that could not be read.
func unreadable(m *index.Meta) (n int64) {
	sum := func(list []index.Range) {
		for _, r := range list {
			n += max(r.Len, 0)
		}
	}
	for _, d := range m.Disks {
		sum(d.Unreadable)
		for _, p := range d.Partitions {
			sum(p.Unreadable)
		}
	}
	return n
}

// count gives "1 file", "2 files".
func count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// are gives "1 file is", "2 files are".
func are(n int64, one string) string {
	if n == 1 {
		return count(n, one) + " is"
	}
	return count(n, one) + " are"
}
