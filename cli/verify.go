package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/reader"
)

type verifyOptions struct {
	quick, full bool
	sample      string
	seed        uint64
}

func newVerify(e *env) *cobra.Command {
	o := verifyOptions{}
	c := &cobra.Command{
		Use: "verify IMAGE", Short: "Prove that a point can be restored", GroupID: groupBack, Args: takes(1, 1),
		Long: `Read a point and prove it against its root: that all members are there, that the index
is sound, that every stored byte is what was captured. The report also says what was
not proved. Nothing is changed. Exit code 3 for bytes that could not be read when the
point was captured, 4 for damage, 5 when a member is missing.

  --quick     all members are there and are the right ones, the index is sound
  --full      and all contents (the default)
  --sample P  and P percent of the contents, chosen at random`,
		Example: `  vitrine verify backups/
  vitrine verify backups@3 --quick
  vitrine verify backups --sample 5%`,
		RunE: func(c *cobra.Command, args []string) error {
			level, err := o.level()
			if err != nil {
				return err
			}
			return runVerify(c.Context(), e, args[0], level)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.quick, "quick", false, "prove the members and the index only")
	f.BoolVar(&o.full, "full", false, "prove everything (the default)")
	f.StringVar(&o.sample, "sample", "", "prove `P%` of the contents")
	f.Uint64Var(&o.seed, "seed", 0, "choose the same sample as another run with this `NUMBER`")
	return c
}

func (o *verifyOptions) level() (reader.VerifyOptions, error) {
	chosen := 0
	for _, b := range []bool{o.quick, o.full, o.sample != ""} {
		if b {
			chosen++
		}
	}
	v := reader.VerifyOptions{Level: reader.Full, Seed: o.seed}
	switch {
	case chosen > 1:
		return v, usage("choose one of them", "--quick, --full and --sample contradict each other")
	case o.quick:
		v.Level = reader.Structure
	case o.sample != "":
		p, err := strconv.ParseFloat(strings.TrimSuffix(o.sample, "%"), 64)
		if err != nil || !(p > 0 && p <= 100) {
			return v, usage("like this: --sample 5%", "%q is not a percentage above 0", o.sample)
		}
		v.Level, v.Percent = reader.Sample, p
	}
	return v, nil
}

func runVerify(ctx context.Context, e *env, arg string, o reader.VerifyOptions) error {
	ref, err := wholePoint(arg, "verify proves whole points")
	if err != nil {
		return err
	}
	p, err := e.point(ctx, ref, reader.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	m := e.progress()
	defer m.abandon()
	r, err := verifyPoint(ctx, p, o, verifyShow(m))
	if err != nil {
		return err
	}
	m.finish()
	return e.verified(p, r)
}

// verifyStep is how far a verification is. Only contents have a total, in
// bytes, unless they are not read: all before takes next to no time.
type verifyStep struct {
	word, item  string
	done, total int64
}

// verifyPoint verifies and tells show how far it is.
func verifyPoint(ctx context.Context, p *reader.Point, o reader.VerifyOptions, show func(verifyStep)) (*reader.VerifyReport, error) {
	words := map[string]string{"files": "looking for members", "index": "proving the index", "contents": "proving contents"}
	o.Progress = func(v reader.VerifyProgress) {
		s := verifyStep{words[v.Phase], v.Item, v.Done, v.Total}
		if v.Phase == "files" || v.Phase == "index" && o.Level > reader.Structure {
			s.done, s.total = 0, 0
		}
		show(s)
	}
	return reader.Verify(ctx, p, o)
}

// verifyShow shows the steps on m.
func verifyShow(m *meter) func(verifyStep) {
	word := ""
	return func(s verifyStep) {
		if s.word != word {
			word = s.word
			m.begin(word, s.total)
		}
		m.at(s.done, s.total, s.item)
	}
}

// proveCapture is capture --verify.
func (e *env) proveCapture(ctx context.Context, path string, show *captureShow, parent *reader.Point) error {
	o := reader.Options{Search: e.search}
	if parent != nil {
		for _, file := range filesOf(parent) {
			if dir := filepath.Dir(file); !slices.Contains(o.Search, dir) {
				o.Search = append(slices.Clip(o.Search), dir)
			}
		}
	}
	p, err := reader.Open(ctx, path, o)
	if err != nil {
		return err
	}
	defer p.Close()
	r, err := verifyPoint(ctx, p, reader.VerifyOptions{Level: reader.Full}, show.proving)
	if err != nil {
		return err
	}
	return verdict(p, r)
}

// verifiedObject is the result of verify in --json. Sizes are bytes.
type verifiedObject struct {
	Image       string   `json:"image"`
	Set         string   `json:"set"`
	Number      uint32   `json:"number"`
	Root        string   `json:"root"`
	Level       string   `json:"level"`
	OK          bool     `json:"ok"`
	Damage      []string `json:"damage,omitempty"`
	DamageCount int64    `json:"damage_count"`
	Other       []string `json:"other_damage,omitempty"`
	OtherCount  int64    `json:"other_damage_count"`
	Repaired    []string `json:"repaired,omitempty"`
	Missing     []string `json:"missing,omitempty"`
	Notes       []string `json:"notes,omitempty"`
	Proved      []string `json:"proved"`
	NotProved   []string `json:"not_proved"`
	Salvage     bool     `json:"salvage,omitempty"`
	Unreadable  int64    `json:"unreadable"`
	Plain       int64    `json:"plain"`
	Stored      int64    `json:"stored"`
}

func newVerified(p *reader.Point, r *reader.VerifyReport) verifiedObject {
	o := verifiedObject{Image: p.Path(), Set: p.Set().String(), Number: p.Tail().Self.Number, Root: r.Root.String(), Level: r.Level.String(),
		OK: r.OK(), DamageCount: r.DamageCount, OtherCount: r.OtherCount, Notes: r.Notes, Proved: r.Proved, NotProved: r.NotProved,
		Salvage: r.Salvage, Unreadable: r.NotRead, Plain: r.Plain, Stored: r.Stored}
	for _, d := range r.Damage {
		o.Damage = append(o.Damage, oneLine(d.Error()))
	}
	for _, d := range r.Other {
		o.Other = append(o.Other, oneLine(d.Error()))
	}
	for _, d := range r.Repaired {
		o.Repaired = append(o.Repaired, oneLine(d.Error()))
	}
	for i := range r.Members {
		if err := r.Members[i].Err; err != nil {
			o.Missing = append(o.Missing, oneLine(err.Error()))
		}
	}
	return o
}

func (e *env) verified(p *reader.Point, r *reader.VerifyReport) error {
	o := newVerified(p, r)
	if e.json {
		e.emit("verified", o)
	} else {
		e.printVerified(&o)
	}
	return cmp.Or(verdict(p, r), lacking(p, r))
}

// lacking is the error of a sound point that lacks what could not be read when
// it was captured: a script shall not take it for a whole one.
func lacking(p *reader.Point, r *reader.VerifyReport) error {
	if r.NotRead == 0 {
		return nil
	}
	return failed(exitIncomplete, "all else is right; 'vitrine info' lists where they were, and an earlier point may have them",
		"point %d of set %s lacks %s", p.Tail().Self.Number, p.Set(), plural(r.NotRead, "byte"))
}

func (e *env) printVerified(o *verifiedObject) {
	list := func(head string, lines []string, all int64) {
		for _, l := range lines {
			fmt.Fprintf(e.Out, "%s %s\n", head, l)
		}
		if more := all - int64(len(lines)); more > 0 {
			fmt.Fprintf(e.Out, "%s %s more\n", head, grouped(more))
		}
	}
	list("missing:", o.Missing, 0)
	list("damaged:", o.Damage, o.DamageCount)
	list("damaged, but not needed by this point:", o.Other, o.OtherCount)
	list("damaged, but told by other bytes:", o.Repaired, 0)
	list("note:", o.Notes, 0)
	list("proved:", o.Proved, 0)
	list("not proved:", o.NotProved, 0)
	if o.OK {
		but := ""
		if o.Unreadable > 0 {
			but = fmt.Sprintf(" but for the %s that are not there", plural(o.Unreadable, "byte"))
		}
		fmt.Fprintf(e.Out, "point %d of set %s can be restored%s (%s)\n", o.Number, o.Set, but, verifiedDepth(o))
	}
}

// verifiedDepth says how sure that is.
func verifiedDepth(o *verifiedObject) string {
	switch o.Level {
	case "full":
		return "everything was read and proved"
	case "sample":
		return "as far as a sample of the contents tells"
	}
	return "as far as the index tells; contents were not read"
}

// verdict is the error of a point that cannot be restored as it should.
func verdict(p *reader.Point, r *reader.VerifyReport) error {
	name := fmt.Sprintf("point %d of set %s", p.Tail().Self.Number, p.Set())
	for i := range r.Members {
		if err := r.Members[i].Err; errors.Is(err, reader.ErrMissing) {
			return err
		}
	}
	if r.DamageCount > 0 {
		return failed(exitDamage, "what is not listed as damaged can be read and copied; look for another copy of the damaged file, and capture a new full",
			"%s is damaged: %s", name, plural(r.DamageCount, "place"))
	}
	for i := range r.Members {
		if err := r.Members[i].Err; err != nil {
			return err
		}
	}
	if n := len(r.Repaired); n > 0 {
		return failed(exitDamage, "nothing is lost yet: copy the file from a second copy, or capture a new full",
			"%s can be read, but its files are damaged: %s", name, plural(n, "place"))
	}
	return nil
}
