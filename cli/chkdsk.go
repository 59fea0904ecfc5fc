package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/blockdev/attach"
	"vitrine/reader"
)

func newChkdsk(e *env) *cobra.Command {
	o := serveOptions{}
	fix := false
	c := &cobra.Command{
		Use: "chkdsk IMAGE[:N]", Short: "Have Windows' own chkdsk look at an image", GroupID: groupBack, Args: takes(1, 1),
		Long: `Attach a partition for a moment, run Windows' chkdsk on it, show what it says, and detach
it. Windows may write to the disk meanwhile, and with --fix repairs it; that goes to an
overlay which is thrown away: the image is never touched. Windows only, as administrator;
'vitrine check' needs neither.`,
		Example: `  vitrine chkdsk backups@3:2`,
		RunE:    func(c *cobra.Command, args []string) error { return runChkdsk(c.Context(), e, &o, fix, args[0]) },
	}
	c.Flags().BoolVar(&fix, "fix", false, "try what chkdsk /f would repair, in the overlay")
	return c
}

func runChkdsk(ctx context.Context, e *env, o *serveOptions, fix bool, arg string) error {
	if !onWindows {
		return failed(exitDriver, "'vitrine check' does the same here, with a checker of its own", "chkdsk is a part of Windows")
	}
	ref := parseImage(arg, onWindows)
	if ref.Path != "" && ref.Path != "/" {
		return usage("name a partition, such as IMAGE:2", "chkdsk checks whole volumes, not %s", ref.Path)
	}
	if err := attach.Allowed(); err != nil {
		return err
	}
	p, err := e.point(ctx, ref, reader.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	o.overlay = true
	d, closeOverlay, err := o.attach(p, ref)
	if err != nil {
		return err
	}
	code, err := e.chkdsk(ctx, d.Path(), fix)
	if derr := d.Detach(context.WithoutCancel(ctx)); derr != nil {
		err = errors.Join(err, derr)
	}
	if err = errors.Join(err, closeOverlay()); err != nil {
		return err
	}
	return chkdskVerdict(code, fix, e.say)
}

// chkdsk runs Windows' checker on the first volume of a disk.
func (e *env) chkdsk(ctx context.Context, disk string, fix bool) (code int, err error) {
	volumes, err := attach.Partitions(disk)
	if err != nil {
		return 0, err
	}
	if len(volumes) == 0 {
		return 0, failed(exitFailed, "the image is untouched; 'vitrine check' reads it without Windows' help", "Windows found no volume that it knows on the attached disk")
	}
	args := []string{strings.TrimSuffix(volumes[0], `\`)}
	if fix {
		args = append(args, "/f", "/x")
	}
	c := exec.CommandContext(ctx, filepath.Join(os.Getenv("SystemRoot"), "System32", "chkdsk.exe"), args...)
	c.Stdout, c.Stderr = e.Out, e.Err
	if e.json {
		c.Stdout = e.Err
	}
	err = c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// chkdskVerdict words the exit codes that Microsoft documents for chkdsk.
func chkdskVerdict(code int, fixed bool, say func(format string, a ...any)) error {
	switch code {
	case 0:
		say("chkdsk found no errors")
		return nil
	case 1:
		return failed(exitDamage, "the image itself is untouched; files that were damaged on the disk are damaged in it", "chkdsk found errors and repaired them in the overlay")
	case 2:
		say("chkdsk found no errors, only places to tidy up")
		return nil
	case 3:
		if fixed {
			return failed(exitDamage, "the image is untouched; 'vitrine check' tells where the damage is", "chkdsk found errors that it cannot repair, or could not check the volume")
		}
		return failed(exitDamage, "the image is untouched; --fix tries a repair that is thrown away, 'vitrine check' tells where the damage is", "chkdsk found errors, or could not check the volume")
	}
	return failed(exitFailed, "the image is untouched; what it said stands above", "chkdsk ended with code %d", code)
}
