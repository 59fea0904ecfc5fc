package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/blockdev/attach"
	"vitrine/mount"
	"vitrine/reader"
	"vitrine/volume"
)

func newAttach(e *env) *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use: "attach IMAGE[:N]", Short: "Attach an image as a disk of this machine", GroupID: groupBack, Args: takes(1, 1),
		Long: `Make a point's disk, or partition N of it, a block device of this machine and print its
path. The device is write-protected; with --overlay it can be written to and the changes
go elsewhere: the image is never touched. It is served by a process in the background
until 'vitrine detach'; when that process is killed, the device is gone.

Linux: as root, through the kernel's NBD client where it is loaded (/dev/nbd0), else
through FUSE and a loop device. Windows: as administrator, one partition in a made-up
table, through the built-in iSCSI initiator, or, where that is not to be had, as a copy in
a VHDX file beside the image, which takes the space of what is in use.`,
		Example: `  vitrine attach backups@3                   prints /dev/loop0; partitions are /dev/loop0p1 …
  fsck.ext4 -f -n $(vitrine attach backups:2)
  vitrine attach backups --overlay           ntfsfix and others may write
  vitrine detach /dev/loop0
  vitrine detach \\.\PhysicalDrive3          on Windows`,
		RunE: func(c *cobra.Command, args []string) error { return runAttach(c.Context(), e, &o, args[0]) },
	}
	o.overlayFlags(c)
	return c
}

func runAttach(ctx context.Context, e *env, o *serveOptions, arg string) error {
	if err := o.check(); err != nil {
		return err
	}
	ref, err := diskRef(arg, "attached")
	if err == nil {
		err = attach.Allowed()
	}
	if err != nil {
		return err
	}
	if e.background == nil {
		return attachInBackground(ctx, e, o, ref)
	}
	return attachHere(ctx, e, o, ref)
}

// attachInBackground has another process attach and tells what came of it.
func attachInBackground(ctx context.Context, e *env, o *serveOptions, ref imageRef) error {
	args, err := o.attachArgs(e, ref)
	if err != nil {
		return err
	}
	pid, r, err := e.startAnother(ctx, args)
	if err != nil {
		return err
	}
	parts, err := attach.Partitions(r.Dir)
	if err != nil {
		e.note(note{Path: r.Dir, Text: err.Error()})
	}
	if e.json {
		e.emit("attached", attachResult{specOf(ref), r.Dir, parts, pid})
		return nil
	}
	fmt.Fprintln(e.Out, r.Dir)
	e.say("%s is attached%s; 'vitrine detach %s' ends it", specOf(ref), withParts(parts), r.Dir)
	return nil
}

// attachResult is what attach --json prints.
type attachResult struct {
	Image      string   `json:"image"`
	Device     string   `json:"device"`
	Partitions []string `json:"partitions,omitempty"`
	PID        int      `json:"pid"`
}

func withParts(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return " with " + strings.Join(parts, ", ")
}

// specOf is an argument with its partition.
func specOf(ref imageRef) string {
	if ref.Part > 0 {
		return fmt.Sprintf("%s:%d", ref.Spec(), ref.Part)
	}
	return ref.Spec()
}

// attachArgs is this command for another process, with absolute names.
func (o *serveOptions) attachArgs(e *env, ref imageRef) (args []string, err error) {
	if ref.Image, err = absIfFile(ref.Image); err != nil {
		return nil, err
	}
	args = []string{"attach", fmt.Sprintf("--overlay=%v", o.overlay), fmt.Sprintf("--zero-unreadable=%v", o.fill)}
	if o.overlayFile != "" {
		file, err := filepath.Abs(o.overlayFile)
		if err != nil {
			return nil, err
		}
		args = append(args, "--overlay-file", file)
	}
	if o.limit > 0 {
		args = append(args, fmt.Sprintf("--overlay-limit=%d", int64(o.limit)))
	}
	search, err := e.searchArgs()
	return append(append(args, search...), "--", specOf(ref)), err
}

// attachHere attaches and serves until it is told to end.
func attachHere(ctx context.Context, e *env, o *serveOptions, ref imageRef) error {
	p, err := e.point(ctx, ref, reader.Options{FillUnreadable: o.fill})
	if err != nil {
		return err
	}
	defer p.Close()
	lasting(ctx, p)
	d, closeOverlay, err := o.attach(p, ref)
	if err != nil {
		return err
	}
	err = e.serveDisk(ctx, d, mount.Record{Device: d.Path(), Image: p.Path(), Point: fmt.Sprint(p.Tail().Self.Number)})
	return errors.Join(err, closeOverlay())
}

// attach makes a disk of what ref names; closeOverlay comes after its end.
func (o *serveOptions) attach(p *reader.Point, ref imageRef) (d *attach.Disk, closeOverlay func() error, err error) {
	list, err := o.attachable(p, ref)
	if err != nil {
		return nil, nil, err
	}
	closeOverlay, err = o.overlaid(p, list)
	if err != nil {
		return nil, nil, err
	}
	d, err = attach.Attach(list[0].dev, attach.DiskOptions{
		Name: specOf(ref), Partitions: tableOf(p, list[0]),
		Dir: filepath.Dir(p.Path()), Guard: []string{guardCommand},
		Log: func(line string) { fmt.Fprintln(os.Stderr, oneLine(line)) },
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeOverlay())
	}
	return d, closeOverlay, nil
}

// attachable is the one disk to attach. Windows does not bear two disks with the
// same identifiers: there, it is a partition in a table of our own.
func (o *serveOptions) attachable(p *reader.Point, ref imageRef) ([]served, error) {
	if !onWindows {
		list, err := servedOf(p, ref.Part)
		return list[:min(1, len(list))], err
	}
	list, err := o.disks(p, ref.Part)
	if err == nil && len(list) > 1 {
		var names []string
		for _, s := range list {
			names = append(names, fmt.Sprintf("%s:%d", ref.Spec(), s.part.Number))
		}
		return nil, usage("name one: "+strings.Join(names, ", "), "the image has several partitions")
	}
	return list, err
}

// guardCommand is for attach's own use.
const guardCommand = "attach-guard"

func newGuard() *cobra.Command {
	return &cobra.Command{Use: guardCommand, Hidden: true, DisableFlagParsing: true, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error { return attach.Guard(args) }}
}

// tableOf are the partitions of a whole disk.
func tableOf(p *reader.Point, s served) (table []attach.Partition) {
	d := p.Disks()[0]
	if s.part != nil || d.Meta.Table == volume.TableNone {
		return nil
	}
	for _, pt := range d.Partitions {
		table = append(table, attach.Partition{Number: pt.Meta.Number, Off: pt.Meta.Offset, Len: pt.Meta.Size})
	}
	return table
}

// serveDisk reports the device and waits for its end. Told to end while the
// device is in use, it lets go of it and serves its users to the last.
func (e *env) serveDisk(ctx context.Context, d *attach.Disk, r mount.Record) error {
	remove, err := mount.Register(r)
	if err != nil {
		return errors.Join(err, d.Release())
	}
	defer remove()
	ctx, done, err := mount.Asked(ctx)
	if err != nil {
		return errors.Join(err, d.Release())
	}
	defer done()
	if err := e.background.Report(mount.Report{Dir: d.Path(), Notes: e.notes}); err != nil {
		return errors.Join(err, d.Release())
	}
	e.background = nil
	select {
	case <-d.Done():
		return nil
	case <-ctx.Done():
	}
	if err := d.Detach(context.WithoutCancel(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, oneLine(err.Error())+"; it ends when they have finished")
		d.Release()
	}
	<-d.Done()
	return nil
}

func newDetach(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "detach DEVICE|IMAGE...", Short: "End an attached disk", GroupID: groupBack, Args: takes(1, -1),
		Example: `  vitrine detach /dev/loop0
  vitrine detach backups@3`,
		RunE: func(c *cobra.Command, args []string) error {
			for _, a := range args {
				if err := detachOne(c.Context(), e, a); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// detached is what detach --json prints.
type detached struct {
	Device string `json:"device"`
}

func detachOne(ctx context.Context, e *env, arg string) error {
	r, err := e.attachedAs(ctx, arg)
	if err != nil {
		return err
	}
	if user := attach.User(r.Device); user != "" {
		return fmt.Errorf("%s: %w: by %s", r.Device, attach.ErrBusy, user)
	}
	if err := r.Stop(ctx); err != nil {
		return err
	}
	if e.json {
		e.emit("detached", detached{r.Device})
	}
	e.say("%s is detached", r.Device)
	return nil
}

// attachedAs finds the attached disk that a device's path or an image names.
func (e *env) attachedAs(ctx context.Context, arg string) (mount.Record, error) {
	all, err := mount.Mounts()
	if err != nil {
		return mount.Record{}, err
	}
	var found []mount.Record
	path := ""
	if !strings.HasPrefix(arg, "/dev/") && !strings.HasPrefix(arg, `\\.\`) {
		if path, err = e.resolve(ctx, parseImage(arg, onWindows)); err != nil {
			return mount.Record{}, err
		}
	}
	for _, r := range all {
		if r.Device != "" && (r.Device == arg || onWindows && strings.EqualFold(r.Device, arg) || path != "" && sameFile(path, r.Image)) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return mount.Record{}, failed(exitFailed, "'vitrine mounts' lists what is", "%s is not attached by Vitrine", arg)
	}
	return mount.Record{}, usage("name the device; 'vitrine mounts' lists them", "%s is attached more than once", arg)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
