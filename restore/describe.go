package restore

import (
	"fmt"
	"io"
	"strings"
)

// maxListed bounds the left-out files that a description names.
const maxListed = 10

// Describe writes the plan for a person, a fact a line.
func (p *Plan) Describe(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "restore  %s\n", p.what())
	fmt.Fprintf(&b, "to       %s\n", p.Now)
	for _, f := range p.Now.Partitions {
		fmt.Fprintf(&b, "  now    %s\n", f)
	}
	fmt.Fprintf(&b, "writes   %s\n", p.writes())
	fmt.Fprintf(&b, "free     %s\n", p.free())
	p.listLeftOut(&b)
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note     %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Plan) what() string {
	switch {
	case p.Source.Part != nil:
		return fmt.Sprintf("partition %d of %s (%s)", p.Source.Part.Number, p.Source.Name, size(p.Source.View.Size()))
	case p.Whole:
		return fmt.Sprintf("the whole disk of %s (%s, %s, %s)",
			p.Source.Name, size(p.Source.View.Size()), p.Source.Disk.Table, partitions(len(p.Source.Disk.Partitions)))
	}
	return fmt.Sprintf("%s (%s)", p.Source.Name, size(p.Source.View.Size()))
}

func partitions(n int) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}

// String names the target by all that identifies it.
func (s TargetState) String() string {
	if !s.Exists {
		return s.Path + ", a new file"
	}
	parts := []string{s.Path}
	for _, x := range []string{s.Model, s.Serial} {
		if x != "" {
			parts = append(parts, x)
		}
	}
	return strings.Join(append(parts, size(s.Size)), ", ")
}

// String says what a partition of the target holds.
func (f Found) String() string {
	kind := f.FS.Kind
	if kind == "" {
		kind = "nothing recognised"
	}
	s := fmt.Sprintf("%d: %s, %s", f.Number, size(f.Len), kind)
	for _, x := range []string{f.Name, f.FS.Label} {
		if x != "" {
			s += fmt.Sprintf(" %q", x)
		}
	}
	return s
}

func (p *Plan) writes() string {
	s := fmt.Sprintf("%s of data", size(p.Data))
	if n := p.work() - p.Data; n > 0 {
		s += fmt.Sprintf(" and %s of zeros", size(n))
	}
	if p.opts.TargetPartition > 0 {
		s += fmt.Sprintf(" into partition %d at byte %d", p.opts.TargetPartition, p.Off)
	}
	if p.opts.Delta {
		s += ", where the target differs"
	}
	if p.opts.SkipProof {
		return s + "; not read back"
	}
	return s + ", then reads it back"
}

func (p *Plan) free() string {
	s := size(p.Free)
	switch {
	case p.Fresh:
		return s + ": holes in the file"
	case p.opts.ZeroFree:
		return s + ": overwritten with zeros"
	case p.opts.Discard:
		return s + ": given back to the disk"
	}
	return s + ": left alone"
}

func (p *Plan) listLeftOut(b *strings.Builder) {
	for i, f := range p.LeftOut {
		if i == maxListed {
			fmt.Fprintf(b, "left out %d files more\n", len(p.LeftOut)-i)
			return
		}
		fmt.Fprintf(b, "left out /%s (%s, %s)\n", strings.TrimPrefix(f.Name(), "/"), size(f.Size), f.Reason)
	}
}

// exact is size with the bytes behind it.
func exact(n int64) string { return fmt.Sprintf("%s (%d bytes)", size(n), n) }

// size is bytes for a person, exact where that is short.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if f == float64(int64(f)) {
		return fmt.Sprintf("%d %s", int64(f), units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
