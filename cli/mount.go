package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/mount"
)

type mountOptions struct {
	source     sourceFlags
	raw        bool
	formats    bool
	timeline   bool
	background bool
	options    []string // -o
	parsed     mount.Options
	ref        imageRef
	dir        string
}

func newMount(e *env) *cobra.Command {
	o := mountOptions{}
	c := &cobra.Command{
		Use: "mount IMAGE[:N] DIR", Short: "Show an image as a folder", GroupID: groupRead,
		Long: `Mount the files of a point on an empty folder, read-only. Where several partitions
can be read, each has a folder of its own. Nothing of the image is copied or unpacked;
what is read is proved first. Files of the image that are missing are named at once; all
that does not need them can be read. The mount ends with 'vitrine unmount DIR', or with
Ctrl-C when it is not in the background.

On Windows the place is a drive letter (X:), * for a free one, or a folder that does not
exist yet. It needs WinFsp, a free driver: https://winfsp.dev. A program started as
administrator gives the letter to everybody.

In /etc/fstab, after 'ln -s $(which vitrine) /sbin/mount.vitrine':
  /backups/C-drive@latest  /mnt/c  vitrine  ro,nofail  0  0

` + mount.WinFspNotice,
		Example: `  vitrine mount backups@3 /mnt/c --background
  vitrine mount D:\backups@3 X:                      a drive on Windows
  vitrine mount backups /mnt/all --timeline          a folder for each point
  vitrine mount backups:2 /mnt/c --raw               disk.img and partition-N.img as well
  vitrine mount --device disk.img /mnt/c`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.arguments(args); err != nil {
				return err
			}
			return runMount(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	f := c.Flags()
	f.BoolVar(&o.raw, "raw", false, "show disk.img and partition-N.img as well")
	f.BoolVar(&o.formats, "raw-formats", false, "show the first disk as disk.vhd and disk.vmdk (with disk.raw) as well")
	f.BoolVar(&o.timeline, "timeline", false, "show one folder for each point of the set")
	f.BoolVarP(&o.background, "background", "b", false, "return when mounted and go on in the background")
	f.StringArrayVarP(&o.options, "option", "o", nil, "`OPTION` of the mount: allow_other, uid=, gid=, umask=, nonempty, streams=colon, noexec, …")
	return c
}

func (o *mountOptions) arguments(args []string) error {
	if o.source.device != "" {
		args = append([]string{o.source.device}, args...)
	}
	if len(args) != 2 {
		return usage("like this: vitrine mount backups@3 /mnt/c", "an image and a folder are needed")
	}
	o.ref, o.dir = parseImage(args[0], onWindows), args[1]
	if o.source.device != "" {
		o.ref = deviceRef(args[0])
	}
	if o.ref.Path != "" && o.ref.Path != "/" {
		return usage("mount the image and look into that folder, or use 'vitrine cp'", "only whole partitions can be mounted, not %s", o.ref.Path)
	}
	if o.formats && (o.timeline || o.source.device != "") {
		return usage("mount one point with it", "--raw-formats shows the disk of one point of an image")
	}
	if o.timeline && (o.source.device != "" || o.ref.Point != "") {
		return usage("name the set alone: vitrine mount backups /mnt/all --timeline", "--timeline shows all points of an image set")
	}
	return o.parse()
}

func (o *mountOptions) parse() error {
	for _, text := range o.options {
		rest, err := o.parsed.Set(text)
		if err != nil {
			return usage("'vitrine mount --help' lists options", "%v", err)
		}
		for _, r := range rest {
			if err := o.ours(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ours takes the options that concern what is mounted, for /etc/fstab.
func (o *mountOptions) ours(opt string) error {
	switch opt {
	case "raw":
		o.raw = true
	case "raw-formats":
		o.formats = true
	case "timeline":
		o.timeline = true
	default:
		return usage("'vitrine mount --help' lists options", "there is no mount option %q", opt)
	}
	return nil
}

func runMount(ctx context.Context, e *env, o *mountOptions) error {
	if o.background && e.background == nil {
		return startBackground(ctx, e, o)
	}
	tree, err := e.mountTree(ctx, o)
	if err != nil {
		return err
	}
	o.parsed.Log = func(line string) { e.say("%s", oneLine(line)) }
	server, err := mount.Mount(ctx, tree, o.dir, o.parsed)
	if err != nil {
		return errors.Join(err, tree.Close())
	}
	e.mounted(server.Dir(), o)
	err = server.Run(ctx, func(line string) { e.say("%s", line) })
	return errors.Join(err, tree.Close())
}

// mountResult is what mount --json prints.
type mountResult struct {
	Image string `json:"image"`
	Dir   string `json:"dir"`
	PID   int    `json:"pid,omitempty"`
	// Everybody: see [mount.Everybody].
	Everybody bool `json:"everybody,omitempty"`
}

func (e *env) mounted(dir string, o *mountOptions) {
	if e.background != nil {
		e.background.Report(mount.Report{Dir: dir, Notes: e.notes})
		e.background = nil
		return
	}
	e.tellMounted(o, dir, os.Getpid(), "Ctrl-C or ")
}

// tellMounted says where it is mounted and what ends it.
func (e *env) tellMounted(o *mountOptions, dir string, pid int, or string) {
	if e.json {
		e.emit("mounted", mountResult{o.ref.Spec(), dir, pid, mount.Everybody(dir)})
		return
	}
	e.say("%s is mounted on %s; %s'vitrine unmount %s' ends it", o.ref.Spec(), dir, or, dir)
	if mount.Everybody(dir) {
		e.say("%s is there for everybody who uses this machine, because this program runs as administrator", dir)
	}
}

// startBackground has another process mount and waits for its word.
func startBackground(ctx context.Context, e *env, o *mountOptions) error {
	args, err := o.backgroundArgs(e)
	if err != nil {
		return err
	}
	pid, r, err := e.startAnother(ctx, args)
	if err != nil {
		return err
	}
	e.tellMounted(o, r.Dir, pid, "")
	return nil
}

// startAnother starts this program in the background with the arguments and
// gives what it reports.
func (e *env) startAnother(ctx context.Context, args []string) (pid int, r mount.Report, err error) {
	log, err := openLog()
	if err != nil {
		return 0, r, err
	}
	defer log.Close()
	pid, r, err = mount.StartBackground(ctx, args, log)
	if err != nil {
		return 0, r, failed(exitFailed, "its log is "+log.Name(), "%v", err)
	}
	if r.Error != "" {
		return 0, r, &problem{code: exitCode(r.Code), msg: r.Error, hint: r.Hint}
	}
	for _, n := range r.Notes {
		e.note(n)
	}
	return pid, r, nil
}

func openLog() (*os.File, error) {
	name := mount.LogFile()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// backgroundArgs is this command for another process, with absolute names.
func (o *mountOptions) backgroundArgs(e *env) ([]string, error) {
	dir, err := mount.AbsPlace(o.dir)
	if err != nil {
		return nil, err
	}
	ref := o.ref
	if ref.Image, err = absIfFile(ref.Image); err != nil {
		return nil, err
	}
	spec := specOf(ref)
	args := []string{"mount", "--background", "--raw=" + fmt.Sprint(o.raw), "--raw-formats=" + fmt.Sprint(o.formats), "--timeline=" + fmt.Sprint(o.timeline)}
	for _, opt := range o.options {
		args = append(args, "-o", opt)
	}
	search, err := e.searchArgs()
	if err != nil {
		return nil, err
	}
	args = append(args, search...)
	if o.source.device != "" {
		return append(args, "--device", spec, "--", dir), nil
	}
	return append(args, "--", spec, dir), nil
}

// searchArgs are the --search flags with absolute names.
func (e *env) searchArgs() (args []string, err error) {
	for _, s := range e.search {
		if s, err = filepath.Abs(s); err != nil {
			return nil, err
		}
		args = append(args, "--search", s)
	}
	return args, nil
}

// absIfFile makes names of files absolute and leaves Image IDs alone.
func absIfFile(name string) (string, error) {
	if _, err := os.Lstat(name); err != nil {
		return name, nil
	}
	return filepath.Abs(name)
}

// mountTree is what the command shows.
func (e *env) mountTree(ctx context.Context, o *mountOptions) (*mount.Tree, error) {
	o.parsed.Image, o.parsed.Name = o.ref.Image, o.ref.Spec()
	if o.timeline {
		return e.timeline(ctx, o)
	}
	s, err := e.openShelf(ctx, o.ref, o.source.device != "")
	if err != nil {
		return nil, err
	}
	o.parsed.Point, o.parsed.VolumeName = s.point, s.label()
	if s.file != "" {
		o.parsed.Image = s.file
	}
	t, err := s.tree(ctx, o.ref.Part, o.raw)
	if err == nil && o.source.device != "" {
		e.states(s, true)
	}
	if err == nil && o.formats {
		err = s.addFormats(t)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	t.SetTime(s.when)
	t.OnClose(s.close)
	if s.image != nil {
		lasting(ctx, s.image)
		e.noteMissing(o.ref.Spec(), "this point", s.image.Missing())
	}
	return t, nil
}

// tree shows the files of one partition or of all, and the raw files.
func (s *shelf) tree(ctx context.Context, only int, raw bool) (*mount.Tree, error) {
	shown := s.parts
	if only > 0 {
		p, err := s.partition(only)
		if err != nil {
			return nil, err
		}
		shown = []*part{p}
	}
	good, why := readable(shown)
	if len(good) == 0 && !raw {
		return nil, s.noFiles(why)
	}
	d := s.arranged(shown, good)
	if raw && only == 0 {
		d.Raw = s.disk
	}
	for i := range d.Partitions {
		if raw {
			d.Partitions[i].Raw = shown[i].raw
		}
	}
	t, err := mount.Arrange(ctx, []mount.Disk{d})
	if err == nil {
		t.SetTime(s.when)
	}
	return t, err
}

// arranged describes partitions for [mount.Arrange]. When only one of them has
// files to show, the others are left out, so that its files lie at the root;
// else each that holds something says why it cannot be shown.
func (s *shelf) arranged(shown, good []*part) (d mount.Disk) {
	for _, p := range shown {
		a := mount.Partition{Number: p.number, Label: p.label, FS: p.fs}
		if p.err != nil && len(good) > 1 {
			a.Note = fmt.Sprintf("The files of partition %d cannot be shown: %v.\n", p.number, p.err)
		}
		d.Partitions = append(d.Partitions, a)
	}
	return d
}

// label is that of the only volume, for systems that show one.
func (s *shelf) label() string {
	if len(s.parts) == 1 {
		return s.parts[0].label
	}
	return ""
}

// runHelper mounts as mount(8) asks for it.
func runHelper(ctx context.Context, e *env, args []string) error {
	h, err := mount.ParseHelper(args)
	if err != nil {
		return usage("mount -t vitrine IMAGE DIR [-o OPTIONS]", "%v", err)
	}
	o := &mountOptions{raw: h.Raw, timeline: h.All, background: true, dir: h.Dir, parsed: h.Options, ref: parseImage(h.Source, onWindows)}
	for _, r := range h.Rest {
		if err := o.ours(r); err != nil {
			return err
		}
	}
	o.options = helperOptions(args)
	if h.Fake {
		return nil
	}
	return runMount(ctx, e, o)
}

// helperOptions are the -o options as they stand, for the background process.
func helperOptions(args []string) (opts []string) {
	for i, a := range args {
		if a == "-o" && i+1 < len(args) {
			opts = append(opts, args[i+1])
		}
	}
	return opts
}

// unmounted is what unmount --json prints.
type unmounted struct {
	Dir string `json:"dir"`
}

func newUnmount(e *env) *cobra.Command {
	lazy := false
	c := &cobra.Command{
		Use: "unmount DIR...", Aliases: []string{"umount"}, Short: "End a mount", GroupID: groupRead, Args: takes(1, -1),
		Example: `  vitrine unmount /mnt/c`,
		RunE: func(c *cobra.Command, args []string) error {
			for _, dir := range args {
				if err := mount.Unmount(c.Context(), dir, lazy); err != nil {
					return err
				}
				if e.json {
					e.emit("unmounted", unmounted{dir})
				}
				e.say("%s is unmounted", dir)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&lazy, "lazy", false, "take it away at once; it ends when the last user is done")
	return c
}

func newMounts(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "mounts", Short: "List what is mounted and attached", GroupID: groupRead, Args: takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := mount.Mounts()
			if err != nil {
				return err
			}
			return e.printMounts(list)
		},
	}
}

func (e *env) printMounts(list []mount.Record) error {
	if e.json {
		for _, r := range list {
			e.emit("mount", r)
		}
		return nil
	}
	if len(list) == 0 {
		e.say("nothing is mounted")
		return nil
	}
	t := newTable("MOUNTED ON", "IMAGE", "POINT", "SINCE", "PROCESS")
	for _, r := range list {
		t.row(placeWord(r), r.Image, r.Point, stampOf(r.Since), processWord(r))
	}
	return t.print(e.Out)
}

func placeWord(r mount.Record) string {
	if r.Everybody {
		return r.Dir + " (everybody's)"
	}
	return r.Dir + r.Device
}

func processWord(r mount.Record) string {
	switch {
	case r.Dead:
		return "died; unmount it"
	case r.PID == 0:
		return "-"
	}
	return fmt.Sprint(r.PID)
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return stamp(t)
}

// pointHint helps with a folder that cannot be mounted on.
func pointHint(err error) string {
	dir := "DIR"
	if p, ok := errors.AsType[*mount.PointError](err); ok {
		dir = p.Dir
	}
	switch {
	case errors.Is(err, mount.ErrMissing):
		return "make it first: mkdir " + dir
	case errors.Is(err, mount.ErrNotEmpty):
		return "choose an empty folder; -o nonempty mounts over the files, which are hidden meanwhile but safe"
	case errors.Is(err, mount.ErrMounted):
		return "'vitrine mounts' tells what it is, 'vitrine unmount " + dir + "' ends it"
	case errors.Is(err, mount.ErrNotMounted):
		return "'vitrine mounts' lists what is mounted"
	}
	return "choose an empty folder; nothing was changed"
}

func driverHint(err error) string {
	if errors.Is(err, mount.ErrNoRight) {
		return "run it as root, or leave out options that only root may use; ls, cat and cp work without rights"
	}
	if onWindows {
		return "install WinFsp (winfsp.dev); ls, cat and cp work without"
	}
	return "install FUSE (Debian, Ubuntu: apt install fuse3); ls, cat and cp work without"
}

func busyHint(err error) string {
	if b, ok := errors.AsType[*mount.BusyError](err); ok && len(b.Users) > 0 {
		return "it is used by " + strings.Join(b.Users, ", ") + "; close them, or use --lazy"
	}
	return "close the programs and shells that are in there, or use --lazy"
}
