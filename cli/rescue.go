package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"vitrine/capture"
	"vitrine/index"
	"vitrine/reader"
)

type rescueOptions struct{ dir string }

func newRescue(e *env) *cobra.Command {
	o := rescueOptions{}
	c := &cobra.Command{
		Use: "rescue FILE", Short: "Make readable what an unfinished capture holds", GroupID: groupBack, Args: takes(1, 1),
		Long: `A capture that was cut off leaves a file that ends in .unfinished. Rescue writes a small
member beside it, through which all blocks that had been captured can be read; of the
others those of its parent are shown, or they count as unreadable. The unfinished file
is not changed and must be kept. An image whose start and end are both damaged can be
rescued in the same way. A capture that is still under way is left alone. Exit code 3,
since something is always missing.`,
		Example: `  vitrine rescue backups/C-drive_2394E9AA621DDC3A-0007.vtr.unfinished`,
		RunE:    func(c *cobra.Command, args []string) error { return runRescue(c.Context(), e, &o, args[0]) },
	}
	c.Flags().StringVarP(&o.dir, "output", "o", "", "folder for the new member (default: beside the unfinished one)")
	return c
}

func runRescue(ctx context.Context, e *env, o *rescueOptions, path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return &os.PathError{Op: "rescue", Path: path, Err: syscall.EISDIR} // Windows would not say so
	}
	h, err := capture.Identify(path)
	if err != nil {
		return err
	}
	dirs := append([]string{filepath.Dir(path)}, e.search...)
	if st, err := os.Stat(o.dir); err == nil && st.IsDir() {
		dirs = append(dirs, o.dir)
	}
	set, err := membersOf(ctx, h.Set, dirs)
	if err != nil {
		return err
	}
	if done := salvageOf(set, h.UID); done != nil {
		return e.rescuedBefore(path, done)
	}
	if o.dir != "" {
		if _, err := makeDir(o.dir); err != nil {
			return err
		}
	}
	opts := capture.RescueOptions{Dir: o.dir, Folders: e.search, Tool: "vitrine " + version()}
	if m := parentOf(set, h); m != nil { // without, Rescue says what is missing
		parent, err := reader.Open(ctx, m.Path, reader.Options{Search: e.search})
		if err != nil {
			return err
		}
		defer parent.Close()
		opts.Parent = parent
	}
	return e.rescue(ctx, path, opts)
}

func (e *env) rescue(ctx context.Context, path string, opts capture.RescueOptions) error {
	m := e.progress()
	defer m.abandon()
	m.begin("rescuing", 0)
	opts.Progress = func(ev capture.Event) { m.at(ev.Done, ev.Total, ev.Item) }
	res, err := capture.Rescue(ctx, path, opts)
	if err != nil {
		return err
	}
	m.finish()
	return e.rescued(path, res)
}

// rescued tells of a new salvage.
func (e *env) rescued(path string, res *capture.Result) error {
	if e.json {
		e.emit("captured", newCapturedObject(res))
	} else {
		s := res.Meta.Stats
		fmt.Fprintf(e.Out, "point %d of set %s, salvage: %s\n", res.Number, res.Set, res.Path)
		fmt.Fprintf(e.Out, "%s of %s in use can be read through it; keep %s, which holds them\n", size(s.Changed), size(s.Used), printable(path))
	}
	lacks := &tally{}
	for _, w := range res.Reasons {
		lacks.add(e, res.Path, errors.New(w))
	}
	return failed(exitIncomplete, "nothing else was changed; 'vitrine ls' and 'vitrine cp' show what is there, 'vitrine info' what this point lacks",
		"rescued, but incomplete: the capture stopped before its end")
}

// rescuedBefore points to the salvage that there is already.
func (e *env) rescuedBefore(path string, m *reader.Member) error {
	if e.json {
		e.emit("rescued_before", struct {
			Path   string `json:"path"`
			Set    string `json:"set"`
			Number uint32 `json:"number"`
		}{m.Path, m.Set.String(), m.Number})
		return nil
	}
	fmt.Fprintf(e.Out, "%s is rescued already: point %d of set %s, %s\n", printable(path), m.Number, m.Set, printable(m.Path))
	return nil
}

// membersOf lists the members of a set in several folders.
func membersOf(ctx context.Context, id index.ImageID, dirs []string) (all []reader.Member, err error) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		sets, err := reader.ScanDir(ctx, dir)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			if s.ID == id {
				all = append(all, s.Members...)
			}
		}
	}
	return all, nil
}

// salvageOf is the salvage that makes an unfinished member readable; nil: there
// is none.
func salvageOf(members []reader.Member, unfinished index.UID) *reader.Member {
	for i := range members {
		m := &members[i]
		if m.Kind != index.Salvage || !m.Usable() {
			continue
		}
		if t, err := tailOf(m); err == nil && slices.ContainsFunc(t.Members, func(a index.MemberEntry) bool { return a.UID == unfinished }) {
			return m
		}
	}
	return nil
}

// parentOf is the member that an unfinished one was captured onto; nil: it has
// none, or it is not here.
func parentOf(set []reader.Member, h *index.Header) *reader.Member {
	for i := range set {
		if m := &set[i]; h.ParentNumber != index.NoParent && m.UID == h.ParentUID && m.Usable() {
			return m
		}
	}
	return nil
}
