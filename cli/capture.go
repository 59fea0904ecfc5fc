package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/capture"
	"vitrine/device"
	"vitrine/index"
	"vitrine/reader"
)

type captureOptions struct {
	source       string
	dir          string
	onto         string
	differential bool
	force        bool
	partitions   []int
	level        string
	verify       bool
	allSectors   bool
	exclude      []string
	split        sizeFlag
	name         string
	comment      string
	polite       bool
	snapshot     string
}

func newCapture(e *env) *cobra.Command {
	o := captureOptions{}
	c := &cobra.Command{
		Use: "capture SOURCE -o DIR", Short: "Take an image of a disk or partition", GroupID: groupMake,
		Long: `Capture a disk, a partition or a raw image file into the folder DIR. The source is
only read. Taken is what the file systems have in use; a file system that cannot be
read is taken whole. The contents of pagefile.sys, hiberfil.sys and swapfile.sys, and
what Windows' shadow copies hold of earlier states, are left out and listed in the image
(not with --all-sectors).

A disk in use is read from a snapshot where there is one to be had: Windows' shadow
copies (vss), or LVM's of a logical volume (lvm). --snapshot vss and lvm insist on it;
with auto, all else is captured while it changes, and the image says so.

With --onto IMAGE only what has changed since that point is stored. A member that was
written is never changed again. A capture that is cut off leaves all earlier points as
they are; what it holds can be saved with 'vitrine rescue'.

A GLOB of --exclude is compared without regard to case, '*' and '?' as usual; without
a '/' it is looked for in every folder, with one from the root on, where "**" stands
for any folders. One that matches a folder means all files in it. Named streams are left
out with their file or folder. Contents that are so small that they lie in the file table (up
to some 700 bytes) cannot be left out: they are in the image, and a note says so.`,
		Example: `  vitrine capture /dev/sdb -o backups/ --comment "before the upgrade"
  vitrine capture /dev/sdb -o backups/ --onto backups/              an incremental
  vitrine capture /dev/sdb -o backups/ --onto backups/ --differential
  vitrine capture C: -o D:\backups              Windows, as administrator; or \\.\PhysicalDrive0
  vitrine capture disk.img -o backups/ --partition 2 --split 4G --verify`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.arguments(args); err != nil {
				return err
			}
			return runCapture(c.Context(), e, &o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.dir, "output", "o", "", "folder `DIR` for the image (required)")
	f.StringVar(&o.onto, "onto", "", "store only what changed since `IMAGE`; a folder means its newest point")
	f.BoolVar(&o.differential, "differential", false, "with --onto: what changed since the full at the start of that chain")
	f.BoolVar(&o.force, "other-source", false, "with --onto: even if that image shows another disk")
	f.IntSliceVar(&o.partitions, "partition", nil, "take only partition `N` (repeatable)")
	f.StringVar(&o.level, "level", "default", "compression `LEVEL`: none, fastest, default, better, best")
	f.BoolVar(&o.allSectors, "all-sectors", false, "take free space and the contents of page files too")
	f.StringArrayVar(&o.exclude, "exclude", nil, "leave out the contents of files that match `GLOB`, but for tiny ones (repeatable)")
	f.Var(&o.split, "split", "write files of at most `SIZE`, like 4G")
	f.StringVar(&o.snapshot, "snapshot", device.SnapshotAuto, "`HOW` a disk in use is held still: auto, none, vss, lvm")
	f.StringVar(&o.name, "name", "", "readable `NAME` in front of the file names")
	f.StringVar(&o.comment, "comment", "", "`TEXT` kept in the image")
	f.BoolVar(&o.verify, "verify", false, "read the image back and prove it")
	f.BoolVar(&o.polite, "polite", false, "let other programs go first")
	return c
}

// minSplit is the smallest part of a member, in bytes.
const minSplit = 1 << 20

func (o *captureOptions) arguments(args []string) error {
	like := "like this: vitrine capture /dev/sdb -o backups/"
	switch {
	case len(args) != 1:
		return usage(like, "one source is needed: a disk, a partition or a raw image")
	case o.dir == "":
		return usage(like, "no folder for the image is named")
	case o.differential && o.onto == "":
		return usage("add --onto IMAGE", "--differential needs the image that it starts from")
	}
	if o.split > 0 && o.split < minSplit {
		return usage("choose 1M or more, like 4G for FAT disks", "parts of %s are too small", size(int64(o.split)))
	}
	if _, err := capture.ParseLevel(o.level); err != nil {
		return usage("choose none, fastest, default, better or best", "there is no level %q", o.level)
	}
	if !slices.Contains(device.Snapshots, o.snapshot) {
		return usage("choose "+strings.Join(device.Snapshots, ", "), "there is no way of snapshots called %q", o.snapshot)
	}
	o.source = args[0]
	return nil
}

func runCapture(ctx context.Context, e *env, o *captureOptions) error {
	if o.polite {
		bePolite()
	}
	src, err := device.OpenSource(ctx, o.source, device.SourceOptions{Snapshot: o.snapshot, Polite: o.polite})
	if err != nil {
		return err
	}
	defer func() {
		if err := src.Close(); err != nil {
			e.note(note{Path: o.source, Text: "what was needed to read it could not be cleared away: " + oneLine(err.Error())})
		}
	}()
	if _, err := index.ReadHeader(src); err == nil {
		return failed(exitFailed, "name the disk, the partition or a raw image of it; nothing was written", "%s is a Vitrine image itself", o.source)
	}
	made, err := makeDir(o.dir)
	if err != nil {
		return err
	}
	if made { // a folder in which nothing came to be goes again
		defer os.Remove(o.dir)
	}
	e.noteOnSource(o, src.Frozen())
	opts := o.options(src)
	parent, err := o.parent(ctx, e)
	if err != nil {
		return err
	}
	if parent != nil {
		defer parent.Close()
		opts.use(parent, o)
	}
	return e.capture(ctx, src, o, opts)
}

// makeDir makes the folder for images, but not the way to it: a backup disk
// that is not mounted shall be noticed. It tells whether it made one.
func makeDir(dir string) (made bool, err error) {
	err = os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		return false, failed(exitFailed, "make it first, or mount the disk that it is on; nothing was written", "%s: the folder above it does not exist", dir)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return false, failed(exitFailed, "name a folder with -o; nothing was written", "%s is a file, not a folder", dir)
	}
	return false, err
}

// captureRun are the options of package capture, completed step by step.
type captureRun struct {
	capture.Options
	onto *reader.Point // the Parent; nil: none
}

func (o *captureOptions) options(src *device.Device) *captureRun {
	level, _ := capture.ParseLevel(o.level)
	host, _ := os.Hostname()
	r := &captureRun{Options: capture.Options{
		Dir: o.dir, Prefix: o.name, Partitions: o.partitions, AllSectors: o.allSectors, Exclude: o.exclude,
		Level: level, Split: int64(o.split), SectorSize: src.SectorSize(), Comment: o.comment,
		Tool: "vitrine " + version(), Host: host, SourceName: sourceName(o.source),
		Model: src.Model(), Serial: src.Serial(), PhysicalSector: src.PhysicalSector(),
	}}
	r.Warnings = append(r.Warnings, src.Remarks()...)
	if src.Frozen() {
		r.Consistency = "snapshot"
	} else if reason, rw := src.InUse(); rw {
		r.Consistency = "live"
		r.Warnings = append(r.Warnings, sourceInUse+sentence(reason))
	}
	return r
}

// sentence completes a reason that speaks of the source without naming it.
func sentence(reason string) string {
	if strings.HasPrefix(reason, "is ") {
		return "it " + reason
	}
	return reason
}

func sourceName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// sourceInUse begins the warning that an image of a disk in use bears.
const sourceInUse = "the source was in use: "

// use makes the capture one onto parent.
func (r *captureRun) use(parent *reader.Point, o *captureOptions) {
	r.Parent, r.onto, r.Force = parent, parent, o.force
	r.Folders = []string{filepath.Dir(parent.Path())}
	if o.differential {
		r.Kind = index.Differential
	}
	if r.Prefix == "" {
		r.Prefix = prefixOf(parent)
	}
}

// prefixOf is the readable start of the parent's name.
func prefixOf(p *reader.Point) string {
	prefix, _, found := strings.Cut(filepath.Base(p.Path()), p.Set().String())
	if !found {
		return ""
	}
	return strings.TrimSuffix(prefix, "_")
}

// parent opens the point to build on: the one named, or for a differential the
// full of its chain.
func (o *captureOptions) parent(ctx context.Context, e *env) (*reader.Point, error) {
	if o.onto == "" {
		return nil, nil
	}
	ref := parseImage(o.onto, onWindows)
	p, err := e.point(ctx, ref, reader.Options{})
	if b, ok := errors.AsType[*reader.BrokenPointError](err); ok { // a backup goes on without it
		e.note(note{Path: b.Path, Text: fmt.Sprintf("cannot be opened (%v); this capture is onto point %d, the newest that can", b.Err, b.Earlier)})
		ref.Point = fmt.Sprint(b.Earlier)
		p, err = e.point(ctx, ref, reader.Options{})
	}
	if err != nil {
		return nil, at("--onto", err)
	}
	if o.differential && p.Tail().Self.Kind != index.Full {
		defer p.Close()
		full := p.First()
		if full.Err != nil {
			return nil, at("--onto", full.Err)
		}
		return reader.Open(ctx, full.Path, reader.Options{Search: e.search})
	}
	if lack := p.Missing(); len(lack) > 0 { // what cannot be restored is nothing to build on
		return nil, errors.Join(at("--onto", lack[0].Err), p.Close())
	}
	e.noteSalvage(o.onto, p)
	return p, nil
}

func (e *env) capture(ctx context.Context, src *device.Device, o *captureOptions, r *captureRun) error {
	if reason, rw := src.InUse(); rw {
		e.note(note{Path: o.source, Text: sentence(reason) + "; files that change meanwhile may be captured half old, half new"})
	}
	m := e.progress()
	defer m.abandon()
	show := &captureShow{m: m}
	if o.verify {
		show.proof = newForecast(r.onto)
		r.Settled = show.proof.try
		r.Verify = func(ctx context.Context, path string) error { return e.proveCapture(ctx, path, show, r.onto) }
	}
	r.Progress = show.event
	res, err := capture.Run(ctx, src, r.Options)
	if err != nil {
		return captureFailed(res, err)
	}
	m.finish()
	err = e.captured(res)
	e.noteApart(o.dir, r.onto)
	if o.verify {
		e.proved(res.Path)
	}
	return err
}

// noteOnSource says when the image is written to the disk or partition that it
// is to show.
func (e *env) noteOnSource(o *captureOptions, frozen bool) {
	devs, err := device.Protects(o.dir)
	if err != nil || !slices.ContainsFunc(devs, func(dev string) bool { return sameDevice(dev, o.source) }) {
		return
	}
	text := "the image is written to its own source: it is lost when that disk is, and a restore to it is not possible from there"
	if !frozen {
		text += "; what is captured changes as the image grows, and part of the image ends up in itself"
	}
	e.note(note{Path: o.dir, Text: text + ". Write it to another disk"})
}

// sameDevice tells whether two paths mean one device.
func sameDevice(a, b string) bool {
	if as, err := os.Stat(a); err == nil {
		if bs, err := os.Stat(b); err == nil && os.SameFile(as, bs) {
			return true
		}
	}
	return strings.EqualFold(strings.TrimPrefix(a, `\\.\`), strings.TrimPrefix(b, `\\.\`))
}

// noteApart says when a new member does not lie beside its parent.
func (e *env) noteApart(dir string, parent *reader.Point) {
	if parent == nil {
		return
	}
	beside := filepath.Dir(parent.Path())
	a, errA := os.Stat(dir)
	b, errB := os.Stat(beside)
	if errA == nil && errB == nil && !os.SameFile(a, b) {
		e.note(note{Path: dir, Text: fmt.Sprintf("this point needs the members in %s: keep both folders and name that one with --search; or move the files together with 'mv -n', since a member of the same name may be there already and must not be overwritten", beside)})
	}
}

// captureFailed words what there is after a capture that failed.
func captureFailed(res *capture.Result, err error) error {
	if res != nil { // written, but its proof failed
		p := explain(err)
		return &problem{p.code, fmt.Sprintf("%s was written, but could not be proved: %s", res.Path, p.msg), "capture again; earlier points are untouched", err}
	}
	if o, ok := errors.AsType[*capture.OptionError](err); ok && o.Option != "source" {
		return usage("'vitrine capture --help' shows what it takes; nothing was written", "--%s %s: %s", o.Option, o.Value, o.Why)
	}
	s, ok := errors.AsType[*capture.StoppedError](err)
	if !ok {
		return err
	}
	hint := "earlier points are untouched, nothing was kept of this one"
	if s.Path != "" {
		hint = fmt.Sprintf("earlier points are untouched; up to %s of this one are kept, 'vitrine rescue %s' makes them readable", size(s.Kept), s.Path)
	}
	if errors.Is(err, device.ErrSnapshotFull) {
		hint += "; capture again when less is written, or with more free space in the volume group"
	}
	if v, gone := errors.AsType[*capture.VanishedError](err); gone {
		return &problem{exitFailed, "capture stopped: " + v.Error(), "earlier points are untouched; nothing of this one is in that place", err}
	}
	if errors.Is(err, context.Canceled) {
		return &problem{exitInterrupted, "interrupted", hint, err}
	}
	p := explain(s.Err)
	return &problem{p.code, "capture stopped: " + p.msg, hint, err}
}

// proved tells that the image just written was read back.
func (e *env) proved(path string) {
	if e.json {
		e.emit("proved", struct {
			Path string `json:"path"`
		}{path})
		return
	}
	fmt.Fprintf(e.Out, "%s was read back in full and is right\n", printable(path))
}

// capturedObject is the result of a capture in --json. Sizes are bytes.
type capturedObject struct {
	Set        string          `json:"set"`
	Number     uint32          `json:"number"`
	Kind       string          `json:"kind"`
	Path       string          `json:"path"`
	Parts      []string        `json:"parts"`
	Size       int64           `json:"size"`
	Root       string          `json:"root"`
	Stats      *index.Stats    `json:"stats"`
	LeftOut    []index.LeftOut `json:"left_out,omitempty"`
	Whole      []wholeObject   `json:"taken_whole,omitempty"`
	Incomplete []string        `json:"incomplete,omitempty"`
	Warnings   []string        `json:"warnings,omitempty"`
}

// wholeObject is a partition of which every sector was taken, but zeros.
type wholeObject struct {
	Number int      `json:"number"`
	FS     string   `json:"fs,omitempty"`
	Label  string   `json:"label,omitempty"`
	Size   int64    `json:"size"`
	Notes  []string `json:"notes,omitempty"`
}

func wholeOf(res *capture.Result) (all []wholeObject) {
	for _, d := range res.Meta.Disks {
		for _, p := range d.Partitions {
			if p.Mode == "all" && res.Kind != index.Salvage {
				all = append(all, wholeObject{p.Number, p.FS, p.Label, p.Size, p.Notes})
			}
		}
	}
	return all
}

func newCapturedObject(res *capture.Result) capturedObject {
	return capturedObject{Set: res.Set.String(), Number: res.Number, Kind: res.Kind.String(), Path: res.Path, Parts: res.Parts, Size: res.Size,
		Root: res.Root.String(), Stats: res.Meta.Stats, LeftOut: leftOutOf(res.Meta), Whole: wholeOf(res), Incomplete: res.Reasons, Warnings: res.Meta.Warnings}
}

// captured tells of a new member.
func (e *env) captured(res *capture.Result) error {
	o := newCapturedObject(res)
	if e.json {
		e.emit("captured", o)
	} else {
		e.printCaptured(&o)
	}
	if !res.Incomplete {
		return nil
	}
	hurt := &tally{}
	for _, r := range res.Reasons {
		hurt.add(e, o.Path, errors.New(r))
	}
	return failed(exitIncomplete, "the image can be used for everything else; what is wrong is listed above and by 'vitrine info'",
		"captured, but incomplete: %s", plural(int64(len(res.Reasons)), "problem"))
}

func leftOutOf(m *index.Meta) (all []index.LeftOut) {
	for _, d := range m.Disks {
		for _, p := range d.Partitions {
			all = append(all, p.LeftOut...)
		}
	}
	return all
}

func (e *env) printCaptured(o *capturedObject) {
	fmt.Fprintf(e.Out, "point %d of set %s, %s: %s", o.Number, o.Set, o.Kind, o.Path)
	if len(o.Parts) > 1 {
		fmt.Fprintf(e.Out, " and %s", plural(int64(len(o.Parts)-1), "further part"))
	}
	fmt.Fprintln(e.Out)
	if s := o.Stats; s != nil {
		fmt.Fprintf(e.Out, "%s looked at, %s, stored in %s%s, %s\n", size(s.Used), freshWord(s), size(o.Size), ratio(s.Changed, s.Stored), span(durationOf(s.NanosTaken)))
	}
	for _, p := range o.Whole {
		fmt.Fprintf(e.Out, "taken whole but for zeros: partition %d (%s), %s\n", p.Number, printable(nonEmpty(p.FS, "nothing known")), size(p.Size))
	}
	e.printLeftOut("left out: the contents of ", o.LeftOut)
	for _, w := range o.Warnings {
		if !slices.Contains(o.Incomplete, w) && !strings.HasPrefix(w, sourceInUse) { // told before
			e.note(note{Text: w})
		}
	}
}

// printLeftOut lists files without their contents, the first ones of many.
func (e *env) printLeftOut(head string, all []index.LeftOut) {
	const most = 10
	rest := int64(0)
	for i, l := range all {
		if i >= most {
			rest += l.Size
			continue
		}
		fmt.Fprintf(e.Out, "%s%s, %s (%s)\n", head, printable(rooted(l.Name())), size(l.Size), printable(l.Reason))
	}
	if n := len(all) - most; n > 0 {
		fmt.Fprintf(e.Out, "%s%s more, %s; --json lists all\n", head, plural(int64(n), "file"), size(rest))
	}
}

// rooted is a path as the commands take it.
func rooted(p string) string { return "/" + strings.TrimPrefix(p, "/") }

// freshWord is how much was new: in whole blocks that can be more than the clusters
// that were looked at.
func freshWord(s *index.Stats) string {
	if s.Changed > s.Used {
		return size(s.Changed) + " new in whole blocks"
	}
	return size(s.Changed) + " new"
}
