package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitrine/blockdev/nbd"
	"vitrine/blockdev/overlay"
	"vitrine/blockdev/vdisk"
	"vitrine/reader"
)

type bootOptions struct {
	firmware   string
	controller string
	memory     sizeFlag
	noWindow   bool
	screenshot string
	serial     string
	after      time.Duration
	fill       bool
	emulate    bool
}

func newBoot(e *env) *cobra.Command {
	o := bootOptions{firmware: "auto", controller: "auto", memory: 2 << 30}
	c := &cobra.Command{
		Use: "boot IMAGE", Short: "Start the system of an image in a virtual machine", GroupID: groupBack, Args: takes(1, 1),
		Long: `Start a point's disk in qemu, to see that it boots. The image is never written to: what
the system writes goes to a throw-away overlay. The machine has no network. It starts by
UEFI if the disk has an EFI system partition, else by BIOS. It ends when the system
powers off, with its window, with Ctrl-C, or without a window after --after.

It needs qemu-system-x86_64, and OVMF for UEFI (Debian: qemu-system-x86 and ovmf).`,
		Example: `  vitrine boot backups@3
  vitrine boot backups --no-window --screenshot boots.png --after 60s
  vitrine boot backups --controller nvme     a system that knows no SATA`,
		RunE: func(c *cobra.Command, args []string) error { return runBoot(c.Context(), e, &o, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.firmware, "firmware", o.firmware, "bios, uefi or auto")
	f.StringVar(&o.controller, "controller", o.controller, "what the disk hangs on: sata, nvme, virtio or auto; the system must have its driver")
	f.Var(&o.memory, "memory", "memory of the machine, such as 4G")
	f.BoolVar(&o.noWindow, "no-window", false, "show no window")
	f.StringVar(&o.screenshot, "screenshot", "", "save the screen to `FILE` (PNG) after the time of --after")
	f.DurationVar(&o.after, "after", 0, "`TIME` until the screenshot, and without a window the end; 60s with --screenshot")
	f.StringVar(&o.serial, "serial", "", "write what comes out of the serial port to `FILE`")
	f.BoolVar(&o.emulate, "emulate", false, "emulate the processor even where KVM is: slow, works everywhere")
	f.BoolVar(&o.fill, "zero-unreadable", false, "give zeros for what could not be read at capture, not errors")
	return c
}

func (o *bootOptions) check() (err error) {
	if o.firmware != "auto" && o.firmware != "bios" && o.firmware != "uefi" {
		return usage("it can be bios, uefi or auto", "there is no firmware %q", o.firmware)
	}
	if o.controller != "auto" && diskDevices[o.controller] == "" {
		return usage("it can be sata, nvme, virtio or auto", "there is no controller %q", o.controller)
	}
	if o.screenshot != "" && o.after == 0 {
		o.after = time.Minute
	}
	for _, file := range []*string{&o.screenshot, &o.serial} {
		if *file == "" {
			continue
		}
		if *file, err = filepath.Abs(*file); err != nil {
			return err
		}
	}
	return nil
}

func runBoot(ctx context.Context, e *env, o *bootOptions, arg string) error {
	if err := o.check(); err != nil {
		return err
	}
	ref := parseImage(arg, onWindows)
	if ref.Part > 0 || ref.Path != "" {
		return usage("name the image alone", "only whole disks can boot")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return failed(exitDriver, "install it (Debian, Ubuntu: apt install qemu-system-x86); 'vitrine serve nbd' serves other machines", "qemu-system-x86_64 is not installed")
	}
	p, err := e.point(ctx, ref, reader.Options{FillUnreadable: o.fill})
	if err != nil {
		return err
	}
	defer p.Close()
	dir, err := os.MkdirTemp("", "vitrine-boot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &machine{e: e, o: o, dir: dir, qemu: qemu}
	firmware, err := m.firmware(p)
	if err != nil {
		return err
	}
	lasting(ctx, p)
	return m.run(ctx, p, firmware)
}

// machine is one virtual machine and the files that it needs.
type machine struct {
	e    *env
	o    *bootOptions
	dir  string
	qemu string
}

// ovmf are the places of UEFI's code and variables in the distributions.
var ovmf = [][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"},
}

// firmware are the arguments for UEFI; none for BIOS.
func (m *machine) firmware(p *reader.Point) ([]string, error) {
	if m.o.firmware == "bios" || m.o.firmware == "auto" && !hasESP(p) {
		return nil, nil
	}
	for _, f := range ovmf {
		vars, err := os.ReadFile(f[1])
		if _, cerr := os.Stat(f[0]); err != nil || cerr != nil {
			continue
		}
		own := filepath.Join(m.dir, "vars.fd")
		return []string{
			"-drive", "if=pflash,format=raw,readonly=on,file=" + commas(f[0]),
			"-drive", "if=pflash,format=raw,file=" + commas(own),
		}, os.WriteFile(own, vars, 0o600)
	}
	return nil, failed(exitDriver, "install it (Debian, Ubuntu: apt install ovmf), or try --firmware bios", "the disk boots by UEFI, and its firmware for qemu (OVMF) is not installed")
}

// hasESP says that the disk has an EFI system partition.
func hasESP(p *reader.Point) bool {
	for _, pt := range p.Disks()[0].Partitions {
		if strings.EqualFold(pt.Meta.Type, vdisk.TypeEFISystem) || strings.EqualFold(pt.Meta.Type, "ef") {
			return true
		}
	}
	return false
}

// commas doubles commas, as qemu's options want it.
func commas(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// run serves the disk and runs the machine over it.
func (m *machine) run(ctx context.Context, p *reader.Point, firmware []string) error {
	list, err := servedOf(p, 0)
	if err != nil {
		return err
	}
	ov, err := overlay.New(list[0].dev, overlay.Options{})
	if err != nil {
		return err
	}
	defer ov.Close()
	l, err := net.Listen("unix", filepath.Join(m.dir, "disk"))
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	srv := &nbd.Server{Exports: []*nbd.Export{{Name: "disk", Device: ov}}, OnError: m.e.clientError}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serving, l) }()
	m.e.say("starting %s; it is not changed by what the system writes", p.Path())
	err = m.start(ctx, m.args(ov.SectorSize(), firmware))
	stop()
	return errors.Join(err, <-served)
}

// diskDevices are qemu's for each controller.
var diskDevices = map[string]string{"sata": "ide-hd", "nvme": "nvme,serial=vitrine", "virtio": "virtio-blk-pci"}

// disk is the device that the system starts from. SATA disks have sectors of
// 512 bytes.
func (m *machine) disk(sector int) string {
	controller := m.o.controller
	switch {
	case controller != "auto":
	case sector == 512:
		controller = "sata"
	default:
		controller = "nvme"
	}
	d := diskDevices[controller] + ",drive=disk,bootindex=0"
	if sector != 512 {
		d += fmt.Sprintf(",logical_block_size=%d,physical_block_size=%d", sector, sector)
	}
	return d
}

// args are qemu's. The processor has all that it can have: systems of today do
// not start on qemu's default.
func (m *machine) args(sector int, firmware []string) []string {
	args := []string{
		"-name", "vitrine", "-machine", "q35", "-cpu", "max", "-smp", fmt.Sprint(min(4, runtime.NumCPU())),
		"-m", fmt.Sprintf("%dM", max(1, int64(m.o.memory)>>20)), "-nic", "none",
		"-blockdev", "driver=nbd,node-name=disk,export=disk,discard=unmap,server.type=unix,server.path=" + commas(filepath.Join(m.dir, "disk")),
		"-device", m.disk(sector),
		"-qmp", "unix:" + commas(m.qmp()) + ",server=on,wait=off",
	}
	if !m.o.emulate && kvmUsable() {
		args = append(args, "-accel", "kvm")
	}
	args = append(append(args, "-accel", "tcg"), firmware...)
	if m.o.noWindow {
		args = append(args, "-display", "none")
	}
	if m.o.serial != "" {
		args = append(args, "-chardev", "file,id=serial,path="+commas(m.o.serial), "-serial", "chardev:serial")
	}
	return args
}

func kvmUsable() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return err == nil
}

func (m *machine) qmp() string { return filepath.Join(m.dir, "qmp") }

// start runs qemu to its end and takes the screenshot meanwhile.
func (m *machine) start(ctx context.Context, args []string) error {
	running, end := context.WithCancel(ctx)
	defer end()
	var said strings.Builder
	c := exec.CommandContext(running, m.qemu, args...)
	c.Stderr, c.WaitDelay = &said, 5*time.Second
	runtime.LockOSThread() // see notAlone
	defer runtime.UnlockOSThread()
	notAlone(c)
	if err := c.Start(); err != nil {
		return err
	}
	shot := make(chan error, 1)
	go func() { shot <- m.later(running, end) }()
	err := c.Wait()
	asked := running.Err() != nil
	end()
	if serr := <-shot; serr != nil {
		return serr
	}
	if err != nil && !asked {
		return failed(exitFailed, "the image is untouched; qemu's own words may help, or --no-window where there is no display", "qemu: %v: %s", err, oneLine(said.String()))
	}
	return nil
}

// later waits for the time of --after, takes the screenshot, and ends a machine
// that nobody sees.
func (m *machine) later(ctx context.Context, end func()) error {
	if m.o.after <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		if m.o.screenshot != "" {
			return failed(exitFailed, "take it earlier: --after 5s", "the machine ended before the screenshot")
		}
		return nil
	case <-time.After(m.o.after):
	}
	if m.o.noWindow {
		defer end()
	}
	if m.o.screenshot == "" {
		return nil
	}
	if err := screenshot(ctx, m.qmp(), m.o.screenshot); err != nil {
		return at("screenshot", err)
	}
	m.e.say("the screen after %s is in %s", m.o.after, m.o.screenshot)
	return nil
}

// screenshot has qemu save the screen, by its machine protocol (QMP).
func screenshot(ctx context.Context, socket, file string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	replies := json.NewDecoder(io.LimitReader(c, 1<<20))
	if err := qmpCommand(c, replies, "qmp_capabilities", struct{}{}); err != nil {
		return err
	}
	return qmpCommand(c, replies, "screendump", map[string]string{"filename": file, "format": "png"})
}

// qmpCommand sends one command and waits for its answer among events.
func qmpCommand(c net.Conn, replies *json.Decoder, name string, args any) error {
	err := json.NewEncoder(c).Encode(map[string]any{"execute": name, "arguments": args})
	for err == nil {
		var r struct {
			Return json.RawMessage `json:"return"`
			Error  *struct {
				Desc string `json:"desc"`
			} `json:"error"`
		}
		err = replies.Decode(&r)
		switch {
		case err != nil:
		case r.Error != nil:
			return errors.New(r.Error.Desc)
		case r.Return != nil:
			return nil
		}
	}
	return err
}
