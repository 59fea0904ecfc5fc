package capture

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"vitrine/index"
	"vitrine/volume"
)

// Run captures src. Its error is an *OptionError or *ParentError before
// anything was written, else a *StoppedError or what Verify returned; with the
// latter the Result is valid too.
func Run(ctx context.Context, src Source, o Options) (*Result, error) {
	return newCapturer(src, o).run(ctx)
}

// capturer is one capture.
type capturer struct {
	src   Source
	o     Options
	st    storage
	meter *meter
	open  openUsed

	began   time.Time
	before  fs.FileInfo
	plan    *plan
	reader  *faultReader
	writer  *index.Writer
	out     *output
	options index.WriterOptions
	line    *pipeline
}

func newCapturer(src Source, o Options) *capturer {
	return &capturer{src: src, o: o, st: osStorage{}, open: volume.OpenUsed}
}

func (c *capturer) run(ctx context.Context) (*Result, error) {
	c.began = time.Now()
	c.o.fill()
	c.meter = newMeter(c.o.Progress)
	defer c.meter.stop()
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	res, err := c.write(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.prove(ctx, res); err != nil {
		return res, err
	}
	c.meter.phase(PhaseDone, nil)
	return res, nil
}

// prepare plans the capture; nothing is written.
func (c *capturer) prepare(ctx context.Context) error {
	if err := checkPrefix(c.o.Prefix); err != nil {
		return err
	}
	if _, err := parseGlobs(c.o.Exclude); err != nil {
		return err
	}
	if s, ok := c.src.(statSource); ok {
		c.before, _ = s.Stat()
	}
	p, err := outline(c.src, &c.o)
	if err != nil {
		return err
	}
	p.open = c.open
	if err := checkParent(&c.o, p.plan.meta); err != nil {
		return err
	}
	if err := p.measure(ctx); err != nil {
		return err
	}
	c.plan, c.reader = p.plan, newFaultReader(c.src, p.layout.SectorSize)
	return c.identify()
}

// identify chooses set, number and UID.
func (c *capturer) identify() error {
	w := &c.options
	*w = index.WriterOptions{Kind: c.o.Kind, Created: c.o.Now.UnixNano(), Tool: c.o.Tool, Split: c.o.Split}
	rand.Read(w.UID[:])
	after := int64(-1)
	if c.o.Parent == nil {
		rand.Read(w.Set[:])
	} else {
		w.Set, w.Parent = c.o.Parent.Set(), c.o.Parent.IndexParent()
		after = int64(w.Parent.Members[len(w.Parent.Members)-1].Number)
	}
	var err error
	w.Number, err = nextNumber(w.Set, append(slices.Clone(c.o.Folders), c.o.Dir), after)
	return err
}

// create opens the output; when another capture took the number meanwhile, the
// next one is tried.
func (c *capturer) create() (err error) {
	for range 100 {
		c.out, err = createOutput(c.st, c.o.Dir, baseName(c.o.Prefix, c.options.Set, c.options.Number))
		if err == nil {
			c.out.settled = c.o.Settled
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		c.options.Number++
	}
	return &outputError{err}
}

func (c *capturer) write(ctx context.Context) (*Result, error) {
	err := c.create()
	if err == nil {
		err = c.fill(ctx)
	}
	var root index.Hash
	if err == nil {
		root, err = c.finish()
	}
	if err != nil {
		return nil, c.stopped(err)
	}
	parts, err := c.out.commit()
	if err != nil {
		return nil, c.stopped(&outputError{err})
	}
	return c.result(root, parts), nil
}

// fill writes everything in front of the index tail.
func (c *capturer) fill(ctx context.Context) (err error) {
	if c.writer, err = index.NewWriter(c.out, c.options); err != nil {
		return &outputError{err}
	}
	var streams []index.StreamRoot
	for _, s := range c.plan.streams {
		streams = append(streams, index.StreamRoot{ID: s.id, Size: s.size})
	}
	if err := c.writer.Plan(c.plan.meta, streams); err != nil {
		return &outputError{err}
	}
	c.meter.phase(PhaseRead, func(e *Event) { e.Total, e.Path = c.plan.total, c.out.files[0] })
	c.line = newPipeline(c.plan, c.reader, &c.o, c.writer, c.meter)
	c.out.strict = false
	defer func() { c.out.strict = true }()
	return c.line.run(ctx)
}

func (c *capturer) finish() (index.Hash, error) {
	c.meter.phase(PhaseFinish, nil)
	c.conclude()
	root, err := c.writer.Finish(c.plan.meta)
	if err != nil {
		return root, &outputError{err}
	}
	return root, nil
}

// conclude completes the metadata with what reading showed.
func (c *capturer) conclude() {
	s, m := &c.line.stats, c.plan.meta
	s.Read, s.Used, s.NanosTaken = c.reader.read.Load(), c.plan.used, int64(time.Since(c.began))
	m.Stats = s
	if c.reader.ended >= 0 {
		c.incomplete("the source ended at byte %d, before its %d bytes were read; the rest could not be captured", c.reader.ended, c.src.Size())
	}
	if s.Unreadable > 0 {
		c.incomplete("%d bytes could not be read (%v); they are marked in the image", s.Unreadable, reason(c.reader))
	}
	if c.changed() {
		m.Consistency = "live"
		c.incomplete("the source was changed while it was read; the image may mix two states")
	}
	if n := c.line.uncompared; n > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%d pieces of the parent could not be compared and were stored again: %v", n, c.line.whyNot))
	}
}

func reason(r *faultReader) error {
	if r.first != nil {
		return r.first
	}
	return errors.New("the source ended early")
}

func (c *capturer) incomplete(format string, a ...any) {
	s := fmt.Sprintf(format, a...)
	c.plan.reasons = append(c.plan.reasons, s)
	c.plan.meta.Warnings = append(c.plan.meta.Warnings, s)
}

// changed tells whether a plain file that was read as offline has another size
// or time than before.
func (c *capturer) changed() bool {
	s, ok := c.src.(statSource)
	if !ok || c.before == nil || !c.before.Mode().IsRegular() {
		return false
	}
	now, err := s.Stat()
	return err == nil && (now.Size() != c.before.Size() || !now.ModTime().Equal(c.before.ModTime()))
}

// stopped keeps what can be salvaged of a capture that failed, and removes
// files that hold nothing.
func (c *capturer) stopped(err error) error {
	e := &StoppedError{Err: err}
	var oe *outputError
	if errors.As(err, &oe) {
		e.Output, e.Err = true, oe.error
	}
	if c.out == nil {
		return e
	}
	if c.line == nil || c.line.stats.Chunks == 0 {
		c.out.discard()
		return e
	}
	if !e.Output {
		c.writer.Checkpoint()
	}
	c.out.end(!e.Output)
	if gone := c.out.vanished(); gone != nil {
		if _, told := errors.AsType[*VanishedError](e.Err); !told {
			e.Err = fmt.Errorf("%w; %w", e.Err, gone)
		}
		return e
	}
	e.Path, e.Kept = c.out.files[0], c.line.stats.Changed
	return e
}

func (c *capturer) result(root index.Hash, parts []string) *Result {
	return &Result{Path: parts[0], Parts: parts, Size: c.out.total, Set: c.options.Set, Number: c.options.Number, UID: c.options.UID,
		Kind: c.options.Kind, Root: root, Meta: c.plan.meta, Incomplete: len(c.plan.reasons) > 0, Reasons: c.plan.reasons}
}

// prove runs the caller's verification.
func (c *capturer) prove(ctx context.Context, res *Result) error {
	if c.o.Verify == nil {
		return nil
	}
	c.meter.phase(PhaseVerify, nil)
	return c.o.Verify(ctx, res.Path)
}
