package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/index"
	"vitrine/reader"
)

func newInfo(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "info IMAGE", Short: "Tell what a point holds and what it needs", GroupID: groupMake, Args: takes(1, 1),
		Long: `Tell what a point holds: disks, partitions, sizes; which members it needs and where
they are; what was left out or could not be read. Exit code 5 when a member that it
needs is missing.`,
		Example: `  vitrine info backups/
  vitrine info backups@3 --json`,
		RunE: func(c *cobra.Command, args []string) error { return runInfo(c.Context(), e, args[0]) },
	}
}

// infoObject is a point in --json.
type infoObject struct {
	Set     string         `json:"set"`
	Number  uint32         `json:"number"`
	Kind    string         `json:"kind"`
	Root    string         `json:"root"`
	Path    string         `json:"path"`
	Meta    *index.Meta    `json:"meta"`
	Chain   []memberObject `json:"chain"`
	Missing int            `json:"missing"`
}

func runInfo(ctx context.Context, e *env, arg string) error {
	ref, err := wholePoint(arg, "info tells of whole points")
	if err != nil {
		return err
	}
	p, err := e.point(ctx, ref, reader.Options{})
	if errors.Is(err, index.ErrNotMember) {
		return &problem{exitFailed, plain(err), "IMAGE is a .vtr file, an Image ID or a folder with one set; of a raw image or a disk, 'vitrine ls --device' shows the files", err}
	}
	if err != nil {
		return err
	}
	defer p.Close()
	chain := p.Chain()
	o := infoObject{Set: p.Set().String(), Number: p.Tail().Self.Number, Kind: p.Tail().Self.Kind.String(), Root: p.Tail().Root.String(), Path: p.Path(), Meta: p.Meta()}
	var missing error
	for i := range chain {
		o.Chain = append(o.Chain, newMemberObject(&chain[i], nil))
		if err := chain[i].Err; err != nil {
			o.Missing++
			missing = errors.Join(missing, err)
		}
	}
	if e.json {
		e.emit("info", o)
	} else if err := e.printInfo(&o, chain); err != nil {
		return err
	}
	return firstOf(missing)
}

// firstOf is the first of joined errors.
func firstOf(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range j.Unwrap() {
			return firstOf(one)
		}
	}
	return err
}

func (e *env) printInfo(o *infoObject, chain []reader.Member) error {
	m := o.Meta
	row := func(k, format string, a ...any) {
		fmt.Fprintf(e.Out, "%12s: %s\n", k, oneLine(fmt.Sprintf(format, a...)))
	}
	row("image set", "%s", o.Set)
	row("point", "%d, %s, captured %s", o.Number, o.Kind, stamp(m.Created))
	row("source", "%s%s", m.Source, onHost(m))
	row("state", "%s", consistencyWords(m.Consistency))
	if m.Comment != "" {
		row("comment", "%s", m.Comment)
	}
	if s := m.Stats; s != nil && o.Kind == index.Salvage.String() {
		row("rescued", "%s of %s in use, out of an unfinished capture", size(s.Changed), size(s.Used))
	} else if s != nil {
		row("looked at", "%s", size(s.Used))
		row("new here", "%s, stored in %s%s", size(s.Changed), size(s.Stored), ratio(s.Changed, s.Stored))
		row("taken in", "%s, by %s", span(durationOf(s.NanosTaken)), m.Tool)
	}
	row("root", "%s", o.Root)
	for _, w := range m.Warnings {
		row("warning", "%s", w)
	}
	for i := range m.Disks {
		if err := e.printDisk(&m.Disks[i]); err != nil {
			return err
		}
	}
	return e.printChain(chain)
}

func onHost(m *index.Meta) string {
	if m.Host == "" {
		return ""
	}
	return " on " + m.Host
}

func consistencyWords(c string) string {
	words := map[string]string{
		"offline":  "offline: nothing else wrote to the source",
		"snapshot": "snapshot: frozen at one moment",
		"live":     "live: the source was in use and may have changed while it was read",
		"salvaged": "salvaged from an unfinished capture",
	}
	if w := words[c]; w != "" {
		return w
	}
	return c
}

// ratio is how much smaller the stored form is.
func ratio(plain, stored int64) string {
	if plain <= 0 || stored <= 0 {
		return ""
	}
	return fmt.Sprintf(" (1 : %.2f)", float64(plain)/float64(stored))
}

func (e *env) printDisk(d *index.Disk) error {
	fmt.Fprintf(e.Out, "\ndisk of %s, table %s, sectors of %d bytes%s\n", exactSize(d.Size), d.Table, d.SectorSize, diskModel(d))
	t := newTable(">N", "LABEL", "FILE SYSTEM", ">SIZE", ">IN USE", "TAKEN", "TYPE")
	for _, p := range d.Partitions {
		t.row(fmt.Sprint(p.Number), p.Label, p.FS, size(p.Size), usedWord(&p), modeWords(p.Mode), nonEmpty(p.Name, p.Type))
	}
	if err := t.print(e.Out); err != nil {
		return err
	}
	for _, r := range d.Unreadable {
		fmt.Fprintf(e.Out, "unreadable: outside partitions, %s at byte %d\n", exactSize(r.Len), r.Off)
	}
	for i := range d.Partitions {
		e.printMissing(&d.Partitions[i])
	}
	return nil
}

// usedWord is what a file system has in use; of one that was taken whole nobody
// knows.
func usedWord(p *index.Partition) string {
	if p.Mode != "used" {
		return "-"
	}
	return size(p.Used)
}

func diskModel(d *index.Disk) string {
	if s := strings.TrimSpace(d.Model + " " + d.Serial); s != "" {
		return ", " + printable(s)
	}
	return ""
}

func modeWords(mode string) string {
	switch mode {
	case "used":
		return "what is in use"
	case "all":
		return "everything"
	case "none":
		return "not selected"
	}
	return mode
}

func nonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// printMissing lists what of a partition is not in the image, and what was
// noticed of it.
func (e *env) printMissing(p *index.Partition) {
	e.printLeftOut(fmt.Sprintf("left out: %d:", p.Number), p.LeftOut)
	for _, r := range p.Unreadable {
		fmt.Fprintf(e.Out, "unreadable: partition %d, %s at byte %d\n", p.Number, exactSize(r.Len), r.Off)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(e.Out, "note: partition %d: %s\n", p.Number, printable(n))
	}
}

// printChain shows the members that the point needs and where they are.
func (e *env) printChain(chain []reader.Member) error {
	fmt.Fprintf(e.Out, "\nneeds %s\n", plural(int64(len(chain)), "member"))
	t := newTable(">POINT", "KIND", "CAPTURED", ">SIZE", "WHERE")
	const most = 20
	for i := range chain {
		if skipped := len(chain) - most; skipped > 1 && i >= most/2 && i < most/2+skipped && chain[i].Err == nil {
			if i == most/2 {
				t.row("…", fmt.Sprintf("%d more, --json lists all", skipped), "", "", "")
			}
			continue
		}
		m := &chain[i]
		where, bytes := strings.Join(m.Parts, ", "), size(m.Size)
		if m.Err != nil {
			where, bytes = "MISSING: "+m.Err.Error(), "-"
		}
		t.row(fmt.Sprint(m.Number), m.Kind.String(), stamp(m.Time()), bytes, where)
	}
	return t.print(e.Out)
}
