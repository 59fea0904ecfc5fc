package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"vitrine/ntfsparse/check"
	"vitrine/reader"
	"vitrine/volume"
)

type checkOptions struct {
	source sourceFlags
	deep   bool
	all    bool
	args   []string
}

func newCheck(e *env) *cobra.Command {
	o := checkOptions{}
	c := &cobra.Command{
		Use: "check IMAGE[:N]", Short: "Check the file systems inside, read-only", GroupID: groupBack,
		Long: `Check whether the NTFS volumes of an image or disk are sound, as chkdsk would, without
changing anything. This is about what was captured; 'vitrine verify' is about the
image. Exit code 4 when a repair is needed.

Of several partitions all that are NTFS are checked, and those that may have been;
which were passed over, and why, is told. So is what was not looked at since a damaged
volume would have it read again and again.`,
		Example: `  vitrine check backups/
  vitrine check backups@3:2 --deep
  vitrine check --device /dev/sdb1`,
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runCheck(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	c.Flags().BoolVar(&o.deep, "deep", false, "read all contents too and expand what is compressed")
	c.Flags().BoolVarP(&o.all, "all", "a", false, "list remarks and all findings of a kind too")
	return c
}

func runCheck(ctx context.Context, e *env, o *checkOptions) error {
	boundMemory(wideHeapLimit)
	refs, err := imageRefs(&o.source, o.args)
	if err != nil {
		return err
	}
	for _, r := range refs {
		if r.Path != "" && r.Path != "/" {
			return usage("leave the path away: file systems are checked as a whole; 'vitrine stat' and 'vitrine cat' tell whether one file can be read", "%s names a path inside a file system", printable(r.Path))
		}
	}
	var out checks
	for _, r := range refs {
		out.failed(e.checkOne(ctx, o, r, &out))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return out.error(e)
}

// checks is what came of all that was checked. Damage in one does not keep the
// others from being checked, and counts more than what could not be.
type checks struct {
	damaged int
	hint    string // what to do about the first that is damaged
	errors  []error
}

func (v *checks) failed(err error) {
	if err != nil {
		v.errors = append(v.errors, err)
	}
}

// error tells of all but the one that it returns.
func (v *checks) error(e *env) (err error) {
	told := v.errors
	switch {
	case v.damaged > 0:
		err = failed(exitDamage, v.hint, "%s", needRepair(v.damaged))
	case len(told) > 0:
		err, told = told[0], told[1:]
	}
	for _, other := range told {
		e.note(note{Text: plain(other)})
	}
	return err
}

func (e *env) checkOne(ctx context.Context, o *checkOptions, r imageRef, out *checks) error {
	s, err := e.openShelf(ctx, r, o.source.device != "")
	if err != nil {
		return err
	}
	defer s.close()
	parts, others, err := s.checkable(r.Part)
	if err != nil {
		return err
	}
	checked := 0
	for _, c := range parts {
		found, err := e.checkPart(ctx, o, c.part)
		switch {
		case ctx.Err() != nil:
			return err
		case err == nil && c.doubtful && c.other(found) != "":
			others = append(others, unchecked{c.number, "", c.other(found)})
			continue
		case err == nil:
			e.showChecked(o, c.part, found)
			err = out.judge(s, c.part, found)
		}
		out.failed(err)
		checked++
	}
	e.tellUnchecked(s, others)
	if checked == 0 {
		return failed(exitFailed, "only NTFS can be checked as yet"+s.infoHint("tells what is there"), "%s holds no NTFS volume", s.name)
	}
	return nil
}

// judge counts damage; the error is that the file system cannot be checked.
func (v *checks) judge(s *shelf, p *part, r *check.Report) error {
	if f := notNTFS(r); f != nil {
		return failed(exitFailed, "the data is safe; only NTFS can be checked as yet, and an encrypted volume once a system that knows it has unlocked it", "partition %d cannot be checked: %s", p.number, lowerFirst(f.Message))
	}
	if r.Damaged() {
		if v.damaged++; v.hint == "" {
			v.hint = repairHint(s)
		}
	}
	return nil
}

// notNTFS is the finding that the volume has another file system or is
// encrypted, which is no damage; nil when there is none.
func notNTFS(r *check.Report) *check.Finding {
	for i := range r.Findings {
		if r.Findings[i].Code == "B8" {
			return &r.Findings[i]
		}
	}
	return nil
}

func needRepair(n int) string {
	if n == 1 {
		return "a file system needs a repair"
	}
	return fmt.Sprintf("%d file systems need a repair", n)
}

// repairHint says what to do about damage, which is not done here.
func repairHint(s *shelf) string {
	if s.file == "" {
		return "nothing was written; copy what you need first, then run 'chkdsk /f' on it in Windows"
	}
	return "the image is as it was captured; run 'chkdsk /f' on the disk itself, or look for an earlier point that is sound"
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// candidate is a partition that may hold an NTFS volume.
type candidate struct {
	*part
	doubtful bool // nothing but the check itself can tell
}

// unchecked is a partition that is passed over.
type unchecked struct {
	Partition int    `json:"partition"`
	FS        string `json:"fs,omitempty"`
	Reason    string `json:"reason"`
}

// checkable are the partitions to check: those with NTFS, and those in which
// nothing is recognised, which a damaged boot sector may hide; or the one that is
// named, or the only one, whatever it is.
func (s *shelf) checkable(number int) (parts []candidate, others []unchecked, err error) {
	list := s.parts
	if number > 0 {
		p, err := s.partition(number)
		if err != nil {
			return nil, nil, err
		}
		list = []*part{p}
	}
	for _, p := range list {
		kind := volume.Detect(p.r, p.size).Kind
		switch {
		case errors.Is(p.err, volume.ErrNotCaptured) && len(list) == 1:
			return nil, nil, p.err
		case errors.Is(p.err, volume.ErrNotCaptured):
			others = append(others, unchecked{p.number, kind, "was not selected when the image was made"})
		case kind == "ntfs" || len(list) == 1:
			parts = append(parts, candidate{p, false})
		case kind == "":
			parts = append(parts, candidate{p, true})
		case kind == "bitlocker":
			others = append(others, unchecked{p.number, kind, "is encrypted with BitLocker"})
		default:
			others = append(others, unchecked{p.number, kind, "holds " + kind})
		}
	}
	return parts, others, nil
}

// other says why a partition in which nothing was recognised is no damaged NTFS
// volume; "" when it is. Traces of a former one are in many.
func (c *candidate) other(r *check.Report) string {
	switch {
	case notNTFS(r) != nil:
		return "holds nothing that is recognised"
	case r.Volume.Clusters == 0 && !namesNTFS(c.r):
		return fmt.Sprintf("holds nothing that is recognised, but traces of NTFS: ':%d' behind the name has it checked all the same", c.number)
	}
	return ""
}

// namesNTFS reports whether a boot sector says, or may say, that it is of NTFS.
func namesNTFS(r io.ReaderAt) bool {
	var b [8]byte
	n, _ := r.ReadAt(b[:], 3)
	return n < len(b) || string(b[:]) == "NTFS    "
}

// tellUnchecked tells which partitions were not looked at, and why.
func (e *env) tellUnchecked(s *shelf, others []unchecked) {
	slices.SortFunc(others, func(a, b unchecked) int { return cmp.Compare(a.Partition, b.Partition) })
	var words []string
	for _, u := range others {
		words = append(words, fmt.Sprintf("partition %d %s", u.Partition, u.Reason))
		if e.json {
			e.emit("unchecked", u)
		}
	}
	if len(words) > 0 && !e.json {
		e.note(note{Path: s.name, Text: "not checked: " + strings.Join(words, "; ")})
	}
}

// lastCheck is the phase of a deep check after which none comes.
const lastCheck = "compressed contents"

// watch notes that a member is missing, which is no damage of what was captured.
type watch struct {
	r       io.ReaderAt
	missing atomic.Pointer[reader.MissingError]
}

// ReadAt reads as r does.
func (w *watch) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(p, off)
	if miss, ok := errors.AsType[*reader.MissingError](err); ok {
		w.missing.CompareAndSwap(nil, miss)
	}
	return n, err
}

// checkedObject is the result of one file system in --json.
type checkedObject struct {
	Partition int `json:"partition"`
	*check.Report
}

func (e *env) checkPart(ctx context.Context, o *checkOptions, p *part) (*check.Report, error) {
	m := e.progress()
	defer m.abandon()
	phase := ""
	source := &watch{r: p.r}
	r, err := check.Run(ctx, source, p.size, check.Options{Deep: o.deep, Progress: func(v check.Progress) {
		if v.Phase != phase {
			phase = v.Phase
			begin := m.part
			if phase == lastCheck {
				begin = m.begin
			}
			begin("checking "+phase, v.Total)
		}
		m.at(v.Done, v.Total, "")
	}})
	if miss := source.missing.Load(); miss != nil && ctx.Err() == nil {
		err = at(fmt.Sprintf("partition %d", p.number), miss)
	}
	if err != nil {
		return nil, err
	}
	m.finish()
	return r, nil
}

func (e *env) showChecked(o *checkOptions, p *part, r *check.Report) {
	if e.json {
		e.emit("checked", checkedObject{p.number, r})
		return
	}
	fmt.Fprintf(e.Out, "partition %d%s: %s\n", p.number, quotedLabel(r.Volume.Label), r.Summary)
	const most = 10
	shown := map[string]int{}
	hidden := 0
	for _, f := range r.Findings {
		if shown[f.Code]++; !o.all && (shown[f.Code] > most || f.Severity == check.Info) {
			hidden++
			continue
		}
		fmt.Fprintf(e.Out, "  %-7s %-3s %s%s\n", f.Severity, f.Code, findingPlace(&f), f.Message)
	}
	if hidden > 0 {
		fmt.Fprintf(e.Out, "  and %s; --all lists them\n", plural(int64(hidden), "more remark"))
	}
	if n := omitted(r); n > 0 {
		fmt.Fprintf(e.Out, "  and %s that are counted only\n", plural(n, "more remark"))
	}
	if r.Volume.Clusters == 0 {
		return // it could not be read at all
	}
	c := r.Counts
	fmt.Fprintf(e.Out, "  looked at %s, %s, %s of %s clusters in use\n", plural(c.Files, "file"), plural(c.Folders, "folder"), grouped(r.Volume.UsedClusters), grouped(r.Volume.Clusters))
}

func omitted(r *check.Report) (n int64) {
	for _, k := range r.Omitted {
		n += int64(k)
	}
	return n
}

func quotedLabel(l string) string {
	if l == "" {
		return ""
	}
	return " (" + printable(l) + ")"
}

func findingPlace(f *check.Finding) string {
	switch {
	case f.Path != "":
		return printable(f.Path) + ": "
	case f.Record != check.NoRecord:
		return fmt.Sprintf("record %d: ", f.Record)
	}
	return ""
}
