package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/mount"
)

func newOpen(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "open IMAGE[:N]", Short: "Mount an image and open its folder", GroupID: groupRead, Args: takes(1, 1),
		Long: `Mount a point in the background, on a folder of its own below the user's runtime folder,
print the folder and open it in the desktop's file manager. What is open already is
shown again. It is what a double-click on an image does; 'vitrine unmount' ends it.`,
		Example: `  vitrine open backups@3
  vitrine shell install       a double-click does the same`,
		RunE: func(c *cobra.Command, args []string) error { return runOpen(c.Context(), e, args[0]) },
	}
}

func runOpen(ctx context.Context, e *env, arg string) error {
	ref := parseImage(arg, onWindows)
	path, err := e.resolve(ctx, ref)
	if err != nil {
		return err
	}
	dir, there, err := e.openedDir(ref, path)
	if err == nil && !there {
		o := mountOptions{ref: imageRef{Image: path, Part: ref.Part}, dir: dir}
		dir, err = e.openMount(ctx, &o)
	}
	if err != nil {
		return err
	}
	e.opened(dir)
	return nil
}

// openedFolder is where the image is mounted already, or a folder where it can be.
func (e *env) openedFolder(ref imageRef, path string) (dir string, there bool, err error) {
	home, err := mount.OpenedDir()
	if err != nil {
		return "", false, err
	}
	mounts, err := mount.Mounts()
	if err != nil {
		return "", false, err
	}
	name := openedName(ref)
	for n := 1; ; n++ {
		dir = filepath.Join(home, name)
		if n > 1 {
			dir += fmt.Sprintf(" (%d)", n)
		}
		r, used := mountedOn(mounts, dir)
		if !used {
			err := os.Mkdir(dir, 0o700)
			if errors.Is(err, fs.ErrExist) {
				err = nil
			}
			return dir, false, err
		}
		if sameFile(r.Image, path) {
			return r.Dir, true, nil
		}
	}
}

func mountedOn(list []mount.Record, dir string) (mount.Record, bool) {
	for _, r := range list {
		if !r.Dead && r.Dir != "" && (r.Dir == dir || sameFile(r.Dir, dir)) {
			return r, true
		}
	}
	return mount.Record{}, false
}

// openedName calls the folder as the person calls the image.
func openedName(ref imageRef) string {
	abs, err := filepath.Abs(ref.Image)
	if err != nil {
		abs = ref.Image
	}
	name := strings.TrimSuffix(filepath.Base(abs), ".vtr")
	if ref.Point != "" {
		name += "@" + ref.Point
	}
	if ref.Part > 0 {
		name += fmt.Sprintf(" %d", ref.Part)
	}
	return name
}

func (e *env) openMount(ctx context.Context, o *mountOptions) (dir string, err error) {
	args, err := o.backgroundArgs(e)
	if err != nil {
		return "", err
	}
	_, r, err := e.startAnother(ctx, args)
	return r.Dir, err
}
