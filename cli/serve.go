package cli

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"vitrine/blockdev"
	"vitrine/blockdev/image"
	"vitrine/blockdev/iscsi"
	"vitrine/blockdev/nbd"
	"vitrine/blockdev/overlay"
	"vitrine/blockdev/vdisk"
	"vitrine/index"
	"vitrine/reader"
	"vitrine/volume"
)

// serveOptions are what both protocols share.
type serveOptions struct {
	listen, unix string
	overlay      bool
	overlayFile  string
	limit        sizeFlag
	limited      func() bool // says that a limit was given
	fill         bool

	cert, key, clientCA string // nbd
	timeline            bool   // nbd
	user, secretFile    string // iscsi
	asIs                bool   // iscsi
}

func newServe(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Serve an image as a disk to other programs and machines", GroupID: groupBack, Args: takes(1, -1),
		Long: `Show a point's disks and partitions as block devices over the network, for qemu, fsck,
chkdsk and every other program. The image is never written to: without --overlay the
disks are write-protected, with it changes go elsewhere and are gone at the end.`,
	}
	c.AddCommand(newServeNBD(e), newServeISCSI(e))
	return c
}

func newServeNBD(e *env) *cobra.Command {
	o := serveOptions{listen: "127.0.0.1:10809"}
	c := &cobra.Command{
		Use: "nbd IMAGE[:N]", Short: "Serve over NBD: qemu, nbd-client, nbdcopy", Args: takes(1, 1),
		Long: `Serve exports named disk and partition-1, partition-2, … over NBD until interrupted; an
image of one file system has partition-1 alone. The first one is also the default. With --timeline every point of the set is served:
0/disk, 0/partition-1, 1/disk, …; points are opened when they are asked for.`,
		Example: `  vitrine serve nbd backups@3
  vitrine serve nbd backups --unix /run/v.sock --overlay
  qemu-img compare disk.img nbd://127.0.0.1/disk
  qemu-system-x86_64 -snapshot -drive file=nbd://127.0.0.1/disk,format=raw`,
		RunE: func(c *cobra.Command, args []string) error { return serveNBD(c.Context(), e, &o, args[0]) },
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.unix, "unix", "", "listen on this socket `PATH` instead")
	f.BoolVar(&o.timeline, "timeline", false, "serve every point of the set")
	f.StringVar(&o.cert, "tls-cert", "", "offer TLS with this certificate (PEM `FILE`); clients must use it")
	f.StringVar(&o.key, "tls-key", "", "the certificate's key (PEM `FILE`)")
	f.StringVar(&o.clientCA, "tls-client-ca", "", "demand client certificates signed by this one (PEM `FILE`)")
	return c
}

func newServeISCSI(e *env) *cobra.Command {
	o := serveOptions{listen: "127.0.0.1:3260"}
	c := &cobra.Command{
		Use: "iscsi IMAGE[:N]", Short: "Serve over iSCSI: Windows' initiator, open-iscsi", Args: takes(1, 1),
		Long: `Serve a target over iSCSI until interrupted. Each partition with a known file system is a
disk of its own, inside a made-up partition table with fresh identifiers, so that it
does not clash with the original disk in the same machine. --as-is serves the whole
disk as it was captured, identifiers included.`,
		Example: `  vitrine serve iscsi backups:2
  vitrine serve iscsi backups --listen 192.168.1.5:3260 --user ann --secret-file secret.txt`,
		RunE: func(c *cobra.Command, args []string) error { return serveISCSI(c.Context(), e, &o, args[0]) },
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.user, "user", "", "demand CHAP with this user `NAME`")
	f.StringVar(&o.secretFile, "secret-file", "", "`FILE` with the CHAP secret, 12 to 16 characters; without it one is made up and shown")
	f.BoolVar(&o.asIs, "as-is", false, "serve the whole disk with its own table and identifiers")
	return c
}

func (o *serveOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.listen, "listen", o.listen, "`ADDRESS` to listen on; port 0 chooses a free one")
	o.overlayFlags(c)
}

func (o *serveOptions) overlayFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.overlay, "overlay", false, "allow writing; changes are thrown away at the end")
	f.StringVar(&o.overlayFile, "overlay-file", "", "allow writing; keep the changes in this `FILE`, which can be used again")
	f.Var(&o.limit, "overlay-limit", "most changes that an overlay may hold, such as 4G")
	o.limited = func() bool { return f.Changed("overlay-limit") }
	f.BoolVar(&o.fill, "zero-unreadable", false, "give zeros for what could not be read at capture, not errors")
}

// diskRef reads an argument that may name a disk or a partition, but no path.
func diskRef(arg, done string) (imageRef, error) {
	ref := parseImage(arg, onWindows)
	if ref.Path != "" && ref.Path != "/" {
		return ref, usage("name a disk or a partition, such as IMAGE:2", "only whole disks and partitions can be %s, not %s", done, ref.Path)
	}
	return ref, nil
}

// served is one disk or partition of an open point.
type served struct {
	name, about string
	dev         blockdev.Device
	part        *index.Partition // nil: the whole disk
}

// servedOf lists what a point can serve: whole disks first.
func servedOf(p *reader.Point, part int) (list []served, err error) {
	for _, d := range p.Disks() {
		if d.Meta.Table != volume.TableNone && part == 0 {
			list = append(list, served{"disk", "the whole disk", image.Device(d.View), nil})
		}
		for _, pt := range d.Partitions {
			if part == 0 || part == pt.Meta.Number {
				about := strings.TrimSpace(pt.Meta.FS + " " + pt.Meta.Label)
				list = append(list, served{fmt.Sprintf("partition-%d", pt.Meta.Number), about, image.Device(pt.View), pt.Meta})
			}
		}
	}
	if len(list) == 0 {
		return nil, failed(exitFailed, "'vitrine info' lists the partitions", "there is no partition %d", part)
	}
	return list, nil
}

func (o *serveOptions) check() error {
	switch {
	case o.overlay && o.overlayFile != "":
		return usage("choose one of them", "--overlay and --overlay-file contradict each other")
	case o.limited() && !o.writable():
		return usage("add --overlay", "--overlay-limit needs an overlay")
	case o.limited() && o.limit == 0:
		return usage("leave it out for an overlay without a limit", "an overlay of 0 bytes holds no change")
	case o.unix != "" && o.listen != "127.0.0.1:10809":
		return usage("choose one of them", "--unix and --listen contradict each other")
	case (o.cert == "") != (o.key == "") || (o.clientCA != "" && o.cert == ""):
		return usage("--tls-cert and --tls-key go together", "the TLS options are not complete")
	case o.timeline && o.writable():
		return usage("serve one point with it", "--timeline is read-only")
	}
	return nil
}

// writable says that an overlay was asked for.
func (o *serveOptions) writable() bool { return o.overlay || o.overlayFile != "" }

// overlaid puts overlays over what is served, if they were asked for. A whole
// disk and its partitions share one.
func (o *serveOptions) overlaid(p *reader.Point, list []served) (closeAll func() error, err error) {
	var open []*overlay.Overlay
	closeAll = func() (err error) {
		for _, ov := range open {
			err = errors.Join(err, ov.Close())
		}
		return o.lost(err)
	}
	if !o.writable() {
		return closeAll, nil
	}
	if o.overlayFile != "" && len(list) > 1 && list[0].part != nil {
		return closeAll, usage("name one, such as IMAGE:2", "an overlay file lies over one partition, the image has several")
	}
	for i := range list {
		if i > 0 && list[0].part == nil {
			list[i].dev, err = blockdev.Section(list[0].dev, list[i].part.Offset, list[i].part.Size)
		} else {
			var ov *overlay.Overlay
			if ov, err = o.openOverlay(list[i], overlayID(p, list[i].name)); err == nil {
				open, list[i].dev = append(open, ov), ov
			}
		}
		if err != nil {
			return closeAll, errors.Join(at(list[i].name, err), closeAll())
		}
	}
	return closeAll, nil
}

// errLost says that the last changes did not reach an overlay file.
var errLost = errors.New("changes since the last flush are lost")

// lost tells what it means that an overlay could not be closed.
func (o *serveOptions) lost(err error) error {
	if err == nil || o.overlayFile == "" {
		return err
	}
	err = fmt.Errorf("%s: %w: %w", o.overlayFile, errLost, err)
	return &problem{exitFailed, err.Error(), "the image is safe, and the overlay file holds what it held at its last flush; see that its disk has room", err}
}

func (o *serveOptions) openOverlay(s served, id overlay.ID) (*overlay.Overlay, error) {
	opts := overlay.Options{Limit: int64(o.limit)}
	if o.overlayFile == "" {
		return overlay.New(s.dev, opts)
	}
	ov, err := overlay.Open(o.overlayFile, s.dev, id, opts)
	if errors.Is(err, fs.ErrNotExist) {
		return overlay.Create(o.overlayFile, s.dev, id, opts)
	}
	return ov, err
}

// overlayID ties an overlay to one disk or partition of one point.
func overlayID(p *reader.Point, name string) overlay.ID { return image.ID(p.Tail().Root, name) }

func serveNBD(ctx context.Context, e *env, o *serveOptions, arg string) error {
	boundMemory(wideHeapLimit)
	if err := o.check(); err != nil {
		return err
	}
	ref, err := diskRef(arg, "served")
	if err != nil {
		return err
	}
	srv := &nbd.Server{OnError: e.clientError}
	if o.cert != "" {
		cfg, err := nbd.LoadTLS(o.cert, o.key, o.clientCA)
		if err != nil {
			return err
		}
		srv.TLS, srv.RequireTLS = cfg, true
	}
	done, err := e.exports(ctx, o, ref, srv)
	if err != nil {
		return err
	}
	l, err := o.listener()
	if err != nil {
		return errors.Join(err, done())
	}
	e.warnOpen(l.Addr(), o.clientCA != "", "--tls-client-ca admits only clients with a certificate")
	for _, x := range srv.Exports {
		e.serving("nbd", nbdURI(l.Addr(), x.Name, srv.TLS), x.Description)
	}
	return errors.Join(ended(ctx, srv.Serve(ctx, l)), done())
}

// exports fills the server; done closes what it serves.
func (e *env) exports(ctx context.Context, o *serveOptions, ref imageRef, srv *nbd.Server) (done func() error, err error) {
	if o.timeline {
		lasting(ctx, nil)
		return e.timelineExports(ctx, ref, srv)
	}
	p, err := e.point(ctx, ref, reader.Options{FillUnreadable: o.fill})
	if err != nil {
		return nil, err
	}
	lasting(ctx, p)
	list, err := servedOf(p, ref.Part)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	closeOverlays, err := o.overlaid(p, list)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	for _, s := range list {
		srv.Exports = append(srv.Exports, &nbd.Export{Name: s.name, Description: s.about, Device: e.watch(s)})
	}
	return func() error { return errors.Join(closeOverlays(), p.Close()) }, nil
}

// timelineExports serves every point of the set; points share one cache and are
// opened when a client asks.
func (e *env) timelineExports(ctx context.Context, ref imageRef, srv *nbd.Server) (done func() error, err error) {
	path, err := e.anyPoint(ctx, ref)
	if err != nil {
		return nil, err
	}
	set, err := setOfFile(ctx, path)
	if err != nil {
		return nil, err
	}
	pool := reader.NewPool(0, 0)
	var open openPoints
	for i := len(set.Members) - 1; i >= 0; i-- {
		m := &set.Members[i]
		if !m.Usable() {
			continue
		}
		p, err := reader.Open(ctx, m.Path, reader.Options{Search: e.search, Pool: pool})
		if err != nil {
			return nil, errors.Join(err, pool.Close())
		}
		list, err := servedOf(p, ref.Part)
		p.Close()
		if err != nil {
			continue // this point does not have the partition
		}
		for _, s := range list {
			srv.Exports = append(srv.Exports, &nbd.Export{Name: fmt.Sprintf("%d/%s", m.Number, s.name), Description: stamp(m.Time()),
				Open: open.opener(e, m.Path, s.name, reader.Options{Search: e.search, Pool: pool})})
		}
	}
	return func() error { open.close(); return pool.Close() }, nil
}

// openPoints are the points that a timeline has opened, for closing them.
type openPoints struct {
	mu  sync.Mutex
	all []*reader.Point
}

func (o *openPoints) keep(p *reader.Point) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, p)
}

// opener opens one export of a point. Each export opens its member for itself,
// which costs one read.
func (o *openPoints) opener(e *env, path, name string, opts reader.Options) func(context.Context) (blockdev.Device, error) {
	return func(ctx context.Context) (blockdev.Device, error) {
		p, err := reader.Open(ctx, path, opts)
		if err != nil {
			return nil, err
		}
		list, err := servedOf(p, 0)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		for _, s := range list {
			if s.name == name {
				o.keep(p)
				return e.watch(s), nil
			}
		}
		return nil, errors.Join(fs.ErrNotExist, p.Close())
	}
}

func (o *openPoints) close() {
	for _, p := range o.all {
		p.Close()
	}
}

func (o *serveOptions) listener() (net.Listener, error) {
	network, address := "tcp", o.listen
	if o.unix != "" {
		network, address = "unix", o.unix
		removeStale(o.unix)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		if hint := o.listenHint(err); hint != "" {
			return nil, &problem{exitFailed, err.Error(), hint, err}
		}
	}
	return l, err
}

// listenHint is what to do when nothing can listen there, or "" if the error is
// none of addresses.
func (o *serveOptions) listenHint(err error) string {
	_, malformed := errors.AsType[*net.AddrError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	st, statErr := os.Lstat(o.unix)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && statErr == nil && st.Mode()&fs.ModeSocket == 0:
		return "that is no socket and was not touched; name a path where nothing is"
	case errors.Is(err, syscall.EADDRINUSE) && o.unix != "":
		return "another program listens there; choose another path"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there; choose another address, or port 0 for a free one"
	case malformed, unknown, errors.Is(err, syscall.EADDRNOTAVAIL):
		return "--listen takes an address of this machine and a port from 0 to 65535, such as 127.0.0.1:10809 or [::1]:0"
	case errors.Is(err, syscall.EINVAL) && o.unix != "":
		return "the path of a socket may have some 100 characters; choose a shorter one"
	}
	return ""
}

// removeStale removes a socket that a killed server left behind: one that
// nobody listens on.
func removeStale(path string) {
	if st, err := os.Lstat(path); err != nil || st.Mode()&fs.ModeSocket == 0 {
		return
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		os.Remove(path)
	}
}

// warnOpen says so when every machine of the network may read the image.
func (e *env) warnOpen(a net.Addr, guarded bool, how string) {
	if t, ok := a.(*net.TCPAddr); ok && !t.IP.IsLoopback() && !guarded {
		e.note(note{Text: fmt.Sprintf("everyone who reaches %s can read this image; %s", a, how)})
	}
}

func nbdURI(a net.Addr, name string, t *tls.Config) string {
	scheme := "nbd"
	if t != nil {
		scheme = "nbds"
	}
	if a.Network() == "unix" {
		return fmt.Sprintf("%s+unix:///%s?socket=%s", scheme, name, a)
	}
	return fmt.Sprintf("%s://%s/%s", scheme, a, name)
}

// servingObject tells where something is served, in --json.
type servingObject struct {
	Protocol string `json:"protocol"`
	URI      string `json:"uri"`
	About    string `json:"about,omitempty"`
}

func (e *env) serving(protocol, uri, about string) {
	if e.json {
		e.emit("serving", servingObject{protocol, uri, about})
		return
	}
	fmt.Fprintln(e.Out, strings.TrimSpace(uri+"  "+about))
}

func (e *env) clientError(client net.Addr, err error) {
	name := "client " + client.String()
	if client.Network() == "unix" {
		name = "a client" // it has no name
	}
	e.note(note{Text: fmt.Sprintf("%s: %v", name, err)})
}

// ended takes an interrupt for what it is: the way to end a server.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func serveISCSI(ctx context.Context, e *env, o *serveOptions, arg string) (err error) {
	boundMemory(wideHeapLimit)
	if err := o.check(); err != nil {
		return err
	}
	ref, err := diskRef(arg, "served")
	if err != nil {
		return err
	}
	p, err := e.point(ctx, ref, reader.Options{FillUnreadable: o.fill})
	if err != nil {
		return err
	}
	defer p.Close()
	lasting(ctx, p)
	t := &iscsi.Target{Name: fmt.Sprintf("iqn.2026-01.vitrine:%s-%04d", strings.ToLower(p.Set().String()), p.Tail().Self.Number)}
	list, err := o.disks(p, ref.Part)
	if err != nil {
		return err
	}
	closeOverlays, err := o.overlaid(p, list)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOverlays()) }()
	for _, s := range list {
		id := overlayID(p, s.name)
		t.LUNs = append(t.LUNs, &iscsi.LUN{Device: e.watch(s), Serial: strings.ToUpper(hex.EncodeToString(id[:8]))})
	}
	if t.Auth, err = o.chap(); err != nil {
		return err
	}
	l, err := o.listener()
	if err != nil {
		return err
	}
	e.warnOpen(l.Addr(), t.Auth != nil, "--user demands a secret")
	for i, s := range list {
		e.serving("iscsi", fmt.Sprintf("iscsi://%s/%s/%d", l.Addr(), t.Name, i), s.about)
	}
	if t.Auth != nil && o.secretFile == "" {
		e.say("CHAP user %s, secret %s", t.Auth.User, t.Auth.Secret)
	}
	srv := &iscsi.Server{Targets: []*iscsi.Target{t}, OnError: e.clientError}
	return ended(ctx, srv.Serve(ctx, l))
}

// disks are what an initiator sees: the whole disk as it is, or each partition
// as a disk of its own.
func (o *serveOptions) disks(p *reader.Point, part int) ([]served, error) {
	list, err := servedOf(p, part)
	if err != nil {
		return nil, err
	}
	if o.asIs {
		return list[:1], nil
	}
	var out []served
	for _, s := range list {
		if s.part == nil || (part == 0 && s.part.FS == "") {
			continue
		}
		id := overlayID(p, s.name)
		d, err := vdisk.GPT(s.dev, vdisk.GPTOptions{Seed: id[:], Name: s.part.Label})
		if err != nil {
			return nil, err
		}
		s.dev = d
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, failed(exitFailed, "name a partition, such as IMAGE:1, or add --as-is", "no partition has a known file system")
	}
	return out, nil
}

// chap reads or makes up the secret.
func (o *serveOptions) chap() (*iscsi.CHAP, error) {
	if o.user == "" {
		if o.secretFile != "" {
			return nil, usage("add --user", "--secret-file needs a user")
		}
		return nil, nil
	}
	if o.secretFile == "" {
		return &iscsi.CHAP{User: o.user, Secret: rand.Text()[:16]}, nil
	}
	f, err := os.Open(o.secretFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const enough = 1 << 10
	b, err := io.ReadAll(io.LimitReader(f, enough))
	if err != nil {
		return nil, err
	}
	secret := strings.TrimRight(string(b), "\r\n")
	switch n := len(secret); {
	case len(b) == enough:
		return nil, usage("Windows takes 12 to 16 characters", "%s is too long for a secret", o.secretFile)
	case n < 12 || n > 16:
		return nil, usage("Windows takes 12 to 16 characters", "the secret has %d characters", n)
	}
	return &iscsi.CHAP{User: o.user, Secret: secret}, nil
}
