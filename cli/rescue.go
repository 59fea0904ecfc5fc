package cli

import (
	"context"
	"os"
	"path/filepath"

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
is not changed and must be kept.`,
		Example: `  vitrine rescue backups/C-drive_2394E9AA621DDC3A-0007.vtr.unfinished`,
		RunE:    func(c *cobra.Command, args []string) error { return runRescue(c.Context(), e, &o, args[0]) },
	}
	c.Flags().StringVarP(&o.dir, "output", "o", "", "folder for the new member (default: beside the unfinished one)")
	return c
}

func runRescue(ctx context.Context, e *env, o *rescueOptions, path string) error {
	parent, err := e.parentOf(ctx, path)
	if err != nil {
		return err
	}
	opts := capture.RescueOptions{Dir: o.dir, Folders: e.search, Tool: "vitrine " + version()}
	if parent != nil {
		defer parent.Close()
		opts.Parent = parent
	}
	m := e.progress()
	defer m.abandon()
	m.begin("rescuing", 0)
	opts.Progress = func(ev capture.Event) { m.at(ev.Done, ev.Total, ev.Item) }
	res, err := capture.Rescue(ctx, path, opts)
	if err != nil {
		return err
	}
	m.finish()
	return e.captured(res, "to know of what was rescued")
}

// parentOf opens the point that an unfinished member was captured onto; nil
// for a full.
func (e *env) parentOf(ctx context.Context, path string) (*reader.Point, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := index.ReadHeader(f)
	if err != nil {
		return nil, at(path, err)
	}
	if h.ParentNumber == index.NoParent {
		return nil, nil
	}
	for _, dir := range append([]string{filepath.Dir(path)}, e.search...) {
		sets, err := reader.ScanDir(ctx, dir)
		if err != nil {
			return nil, err
		}
		if m := memberByUID(sets, h); m != nil {
			return reader.Open(ctx, m.Path, reader.Options{Search: e.search})
		}
	}
	return nil, failed(exitMissing, "put it beside the unfinished file or name its folder with --search", "%s was captured onto point %d of set %s, which is not here", path, h.ParentNumber, h.Set)
}

func memberByUID(sets []*reader.Set, h *index.Header) *reader.Member {
	for _, s := range sets {
		for i := range s.Members {
			if m := &s.Members[i]; s.ID == h.Set && m.UID == h.ParentUID && m.Usable() {
				return m
			}
		}
	}
	return nil
}
