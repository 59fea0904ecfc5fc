package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/device"
	"vitrine/index"
	"vitrine/reader"
	"vitrine/restore"
)

type restoreOptions struct {
	dryRun, yes, overwrite bool
	plan                   restore.Options
	image                  imageRef
	target                 imageRef // a disk or file, with a partition number or not
}

func newRestore(e *env) *cobra.Command {
	o := restoreOptions{}
	c := &cobra.Command{
		Use: "restore IMAGE[:N] TARGET[:N]", Short: "Write a point back to a disk, a partition or a file", GroupID: groupBack, Args: takes(2, 2),
		Long: `Write a whole disk, or partition N, to a disk, a partition, or a raw image file. A plan is
shown first and must be agreed to. Refused are targets that are mounted, that hold the
image, that carry the running system, or that are too small. The partition table is
written last, so that a restore that stops half-way leaves nothing that starts by
mistake. At the end everything is read back and compared.`,
		Example: `  vitrine restore backups@3 /dev/sdb --dry-run
  vitrine restore backups@3 /dev/sdb
  vitrine restore backups:2 /dev/sdb:2         partition 2 into partition 2 of that disk
  vitrine restore backups disk.img --yes`,
		RunE: func(c *cobra.Command, args []string) error {
			o.image, o.target = parseImage(args[0], onWindows), parseImage(args[1], onWindows)
			if o.image.Path != "" || o.target.Path != "" {
				return usage("single files come back with 'vitrine cp IMAGE:PATH DIR'", "restore writes whole disks and partitions")
			}
			if o.target.Spec() == "" {
				return usage("name a disk, a partition or a raw image file; nothing was written", "no target is named")
			}
			return runRestore(c.Context(), e, &o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and stop")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace a file that exists")
	f.BoolVar(&o.plan.Delta, "delta", false, "read the target and write only what differs")
	f.BoolVar(&o.plan.Discard, "trim", false, "give the space that is free in the image back to the disk")
	f.BoolVar(&o.plan.ZeroFree, "zero-free", false, "overwrite the space that is free in the image with zeros")
	f.BoolVar(&o.plan.KeepTable, "keep-table", false, "leave the partition table as it was on a disk of another size")
	f.BoolVar(&o.plan.KeepStart, "keep-start", false, "leave the start recorded in boot sectors as it was")
	f.BoolVar(&o.plan.AnySector, "any-sector", false, "allow a target with another sector size")
	f.BoolVar(&o.plan.SkipDamaged, "skip-damaged", false, "write zeros where the image is damaged, and list it")
	f.BoolVar(&o.plan.SkipProof, "no-proof", false, "do not read back what was written")
	return c
}

// restoreCaches are small: a restore reads everything once.
var restoreCaches = reader.Options{CacheBytes: 8 << 20, PageCacheBytes: 8 << 20, Once: true}

func runRestore(ctx context.Context, e *env, o *restoreOptions) error {
	p, err := e.point(ctx, o.image, restoreCaches)
	if err != nil {
		return err
	}
	defer p.Close()
	e.noteSalvage(o.image.Spec(), p)
	src, err := restoreSource(p, o.image)
	if err == nil && !o.plan.SkipDamaged {
		err = allThere(p)
	}
	if err != nil {
		return err
	}
	if err := notOnImage(o.target.Spec()); err != nil {
		return err
	}
	o.plan.TargetPartition = o.target.Part
	t, err := device.OpenTarget(o.target.Spec(), device.TargetOptions{Protect: filesOf(p), Overwrite: o.overwrite || o.plan.Delta || o.target.Part > 0 || o.dryRun})
	if err != nil {
		return err
	}
	plan, err := restore.NewPlan(ctx, src, t, o.plan)
	if err == nil {
		err = e.agree(plan, o)
	}
	if err != nil || o.dryRun {
		return errors.Join(err, t.Close())
	}
	return e.restore(ctx, plan, t)
}

// allThere finds out before the target is changed that files of the image are
// missing or cut short.
func allThere(p *reader.Point) error {
	for _, m := range p.Chain() {
		if m.Err != nil {
			return m.Err
		}
	}
	return nil
}

// notOnImage refuses a target that is a member of whatever set: nobody means that.
func notOnImage(path string) error {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil // the target's own checks have the words
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if _, err := index.ReadHeader(f); errors.Is(err, index.ErrNotMember) || errors.Is(err, index.ErrUnfinished) {
		return nil
	}
	return failed(exitFailed, "nothing was written; choose another name", "%s is a Vitrine image itself", path)
}

// restoreSource is what of the point is restored.
func restoreSource(p *reader.Point, ref imageRef) (restore.Source, error) {
	name := fmt.Sprintf("%s, point %d of %s", ref.Spec(), p.Tail().Self.Number, stamp(p.Meta().Created))
	for _, d := range p.Disks() {
		if ref.Part == 0 {
			return restore.Source{Name: name, Disk: d.Meta, View: d.View}, nil
		}
		for _, pt := range d.Partitions {
			if pt.Meta.Number == ref.Part {
				return restore.Source{Name: name, Disk: d.Meta, Part: pt.Meta, View: pt.View}, nil
			}
		}
	}
	return restore.Source{}, failed(exitFailed, "'vitrine info' lists the partitions", "%s has no partition %d", ref.Spec(), ref.Part)
}

// filesOf are the files that the point needs.
func filesOf(p *reader.Point) (files []string) {
	for _, m := range p.Chain() {
		files = append(files, m.Parts...)
	}
	return files
}

// planObject is a plan in --json. Sizes are bytes.
type planObject struct {
	Target     string          `json:"target"`
	Exists     bool            `json:"exists"`
	Offset     int64           `json:"offset"`
	Size       int64           `json:"size"`
	Data       int64           `json:"data"`
	Zero       int64           `json:"zero"`
	Free       int64           `json:"free"`
	Unreadable int64           `json:"unreadable"`
	LeftOut    []index.LeftOut `json:"left_out,omitempty"`
	Notes      []string        `json:"notes,omitempty"`
}

// agree shows the plan and asks.
func (e *env) agree(p *restore.Plan, o *restoreOptions) error {
	if e.json {
		e.emit("plan", planObject{p.Now.Path, p.Now.Exists, p.Off, p.Size, p.Data, p.Zero, p.Free, p.Unreadable, p.LeftOut, p.Notes})
	} else if err := p.Describe(e.Out); err != nil {
		return err
	}
	if o.yes || o.dryRun {
		return nil
	}
	if !e.InTerm || e.json {
		return usage("nothing was written; add --yes when the plan is right, or --dry-run to see it only", "nobody is there to agree to the plan")
	}
	what := "Everything that %s holds in that place will be lost."
	if !p.Now.Exists {
		what = "The file %s will be made."
	}
	fmt.Fprintf(e.Err, "\n"+what+" Write 'yes' to go on: ", printable(p.Now.Path))
	answer, _ := bufio.NewReader(e.In).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return failed(exitFailed, "nothing was written", "not agreed to")
	}
	return nil
}

func (e *env) restore(ctx context.Context, plan *restore.Plan, t *device.Target) error {
	m := e.progress()
	defer m.abandon()
	r, err := plan.Run(ctx, newRestoreShow(m, plan, t).event)
	if err != nil {
		return errors.Join(restoreFailed(err, t), giveUp(t, err))
	}
	if err := t.Close(); err != nil {
		return err
	}
	m.finish()
	err = e.restored(plan, r)
	e.settle(ctx, plan, t)
	return err
}

// noteSalvage says when a point never was a state of its disk.
func (e *env) noteSalvage(name string, p *reader.Point) {
	if p.Tail().Self.Kind == index.Salvage {
		e.note(note{Path: name, Text: "this point was salvaged from an unfinished capture: it mixes two states of the disk, and what the capture did not reach is missing"})
	}
}

// giveUp closes a target that was not completed; a file that the restore made
// itself is removed, unless only the proof is missing.
func giveUp(t *device.Target, err error) error {
	if i, ok := errors.AsType[*restore.IncompleteError](err); ok && i.Phase == restore.Prove {
		return t.Close()
	}
	return t.Abandon()
}

// restoreFailed adds what state the target is in.
func restoreFailed(err error, t *device.Target) error {
	i, ok := errors.AsType[*restore.IncompleteError](err)
	if !ok {
		return err
	}
	p := explain(i.Err)
	hint := "the image is untouched; the target is incomplete and cannot be started or mounted by mistake; run the same command again"
	if t.Created() {
		hint = "the image is untouched; the unfinished file was removed; run the same command again"
	}
	if i.Phase == restore.Prove {
		hint = "everything was written, but not all of it was read back; run it again with --delta to prove it"
	}
	if p.code == exitInterrupted {
		return &problem{exitInterrupted, "interrupted", hint, err}
	}
	if is[*reader.DamageError](i.Err) {
		hint += "; --skip-damaged goes on with zeros where the image is damaged, and lists it"
	}
	return &problem{p.code, i.Path + ": " + p.msg, hint, err}
}

// restoredObject is the result of a restore in --json. Sizes are bytes.
type restoredObject struct {
	Target     string        `json:"target"`
	Written    int64         `json:"written"`
	Same       int64         `json:"same"`
	Sparse     int64         `json:"sparse"`
	Proven     int64         `json:"proven"`
	Discarded  int64         `json:"discarded"`
	Unreadable []index.Range `json:"unreadable,omitempty"`
	Damaged    []index.Range `json:"damaged,omitempty"`
	Notes      []string      `json:"notes,omitempty"`
	Complete   bool          `json:"complete"`
}

func (e *env) restored(plan *restore.Plan, r *restore.Report) error {
	o := restoredObject{Target: plan.Now.Path, Written: r.Written, Same: r.Same, Sparse: r.Sparse, Proven: r.Proven, Discarded: r.Discarded,
		Unreadable: r.Unreadable, Notes: r.Notes, Complete: r.Complete()}
	hurt := &tally{}
	for _, u := range r.Unreadable {
		hurt.add(e, o.Target, fmt.Errorf("%s at byte %d are zeros: the source could not be read there", size(u.Len), u.Off))
	}
	for _, d := range r.Damaged {
		o.Damaged = append(o.Damaged, d.Range)
		hurt.add(e, o.Target, fmt.Errorf("%s at byte %d are zeros: %w", size(d.Len), d.Off, d.Err))
	}
	if e.json {
		e.emit("restored", o)
	} else {
		e.printRestored(&o)
	}
	return hurt.err("could not be restored")
}

func (e *env) printRestored(o *restoredObject) {
	fmt.Fprintf(e.Out, "restored to %s: %s written", o.Target, size(o.Written))
	if o.Same > 0 {
		fmt.Fprintf(e.Out, ", %s were there already", size(o.Same))
	}
	if o.Proven > 0 {
		fmt.Fprintf(e.Out, ", %s read back and right", size(o.Proven))
	}
	fmt.Fprintln(e.Out)
	for _, n := range o.Notes {
		e.note(note{Text: n})
	}
}
