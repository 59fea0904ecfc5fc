package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
image. Exit code 4 when a repair is needed.`,
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
	var first error // damage in one image does not keep the others from being checked
	for _, r := range refs {
		if err := e.checkOne(ctx, o, r); first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return first
}

func (e *env) checkOne(ctx context.Context, o *checkOptions, r imageRef) error {
	s, err := e.openShelf(ctx, r, o.source.device != "")
	if err != nil {
		return err
	}
	defer s.close()
	parts, err := s.checkable(r.Part)
	if err != nil {
		return err
	}
	damaged := 0
	for _, p := range parts {
		r, err := e.checkPart(ctx, o, s, p)
		if err != nil {
			return err
		}
		if f := notNTFS(r); f != nil {
			return failed(exitFailed, "the data is safe; only NTFS can be checked as yet, and an encrypted volume once a system that knows it has unlocked it", "partition %d cannot be checked: %s", p.number, lowerFirst(f.Message))
		}
		if r.Damaged() {
			damaged++
		}
	}
	if damaged > 0 {
		return failed(exitDamage, repairHint(s), "%s", needRepair(damaged))
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

// checkable are the NTFS partitions, or the one that is named whatever it is.
func (s *shelf) checkable(number int) (parts []*part, err error) {
	if number > 0 {
		p, err := s.partition(number)
		return []*part{p}, err
	}
	if len(s.parts) == 1 {
		return s.parts, nil // a damaged boot sector may hide what it is
	}
	for _, p := range s.parts {
		_, err := p.files() // when it is missing, nobody knows what it is
		if errors.Is(err, reader.ErrMissing) || volume.Detect(p.r, p.size).Kind == "ntfs" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return nil, failed(exitFailed, "only NTFS can be checked as yet; 'vitrine info' tells what is there", "%s holds no NTFS volume", s.name)
	}
	return parts, nil
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

func (e *env) checkPart(ctx context.Context, o *checkOptions, s *shelf, p *part) (*check.Report, error) {
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
	if e.json {
		e.emit("checked", checkedObject{p.number, r})
	} else {
		e.printChecked(o, p, r)
	}
	return r, nil
}

func (e *env) printChecked(o *checkOptions, p *part, r *check.Report) {
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
	for _, n := range r.Omitted {
		hidden += n
	}
	if hidden > 0 {
		fmt.Fprintf(e.Out, "  and %s; --all lists them\n", plural(int64(hidden), "more remark"))
	}
	if r.Volume.Clusters == 0 {
		return // it could not be read at all
	}
	c := r.Counts
	fmt.Fprintf(e.Out, "  looked at %s, %s, %s of %s clusters in use\n", plural(c.Files, "file"), plural(c.Folders, "folder"), grouped(r.Volume.UsedClusters), grouped(r.Volume.Clusters))
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
