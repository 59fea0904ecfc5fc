package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Snapshots of LVM's logical volumes, taken with its own program. A thin one
// takes its space from the pool as it is needed; a classic one has a store of a
// fixed size, which is watched and made larger while there is room.
//
// Each snapshot bears tags with the process and the boot that made it, so that
// the next capture removes what a process that was killed left behind.

// lvmTool runs LVM's program; a test's stand-in.
type lvmTool func(ctx context.Context, args ...string) ([]byte, error)

// runLVM runs the real thing.
func runLVM(ctx context.Context, args ...string) ([]byte, error) {
	name := "lvm"
	for _, p := range []string{"/usr/sbin/lvm", "/sbin/lvm"} { // not in everybody's PATH
		if _, err := os.Stat(p); err == nil {
			name = p
			break
		}
	}
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1")
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		why := strings.Join(strings.Fields(said.String()), " ")
		return nil, fmt.Errorf("lvm %s: %w: %s", args[0], err, why)
	}
	return out.Bytes(), nil
}

// logicalVolume is what LVM tells of a volume. Sizes are bytes.
type logicalVolume struct {
	VG      string `json:"vg_name"`
	Name    string `json:"lv_name"`
	Size    string `json:"lv_size"`
	Type    string `json:"segtype"`
	Free    string `json:"vg_free"`
	Extent  string `json:"vg_extent_size"`
	Pool    string `json:"pool_lv"`
	Attr    string `json:"lv_attr"`
	Percent string `json:"data_percent"`
	Meta    string `json:"metadata_percent"`
	Tags    string `json:"lv_tags"`
}

const lvFields = "vg_name,lv_name,lv_size,segtype,vg_free,vg_extent_size,pool_lv,lv_attr,data_percent,metadata_percent,lv_tags"

// list asks for volumes: of one name or group, or such as match.
func (l lvmTool) list(ctx context.Context, what ...string) ([]logicalVolume, error) {
	args := append([]string{"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", lvFields}, what...)
	out, err := l(ctx, args...)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Report []struct {
			LV []logicalVolume `json:"lv"`
		} `json:"report"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("lvm lvs: its answer is not understood: %w", err)
	}
	var all []logicalVolume
	for _, r := range doc.Report {
		all = append(all, r.LV...)
	}
	return all, nil
}

func (l lvmTool) one(ctx context.Context, name string) (logicalVolume, error) {
	all, err := l.list(ctx, name)
	if err != nil {
		return logicalVolume{}, err
	}
	if len(all) != 1 {
		return logicalVolume{}, fmt.Errorf("lvm lvs: %d volumes are called %s", len(all), name)
	}
	return all[0], nil
}

func (v *logicalVolume) full() string { return v.VG + "/" + v.Name }

func bytesOf(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func percentOf(s string) float64 {
	p, _ := strconv.ParseFloat(s, 64)
	return p
}

// onLVM reports whether d is a logical volume.
func (s system) onLVM(d devNum) bool { return strings.HasPrefix(s.file(d, "dm/uuid"), "LVM-") }

// lvmSnapshot is a snapshot of a logical volume, opened. It is safe for
// parallel reading.
type lvmSnapshot struct {
	*rawFile
	lvm    lvmTool
	of     logicalVolume
	dev    string // "/dev"
	name   string // VG/NAME
	file   *os.File
	stop   context.CancelFunc
	ended  sync.WaitGroup
	mu     sync.Mutex
	filled error // sticky
}

// newLVMSnapshot takes and opens a snapshot of the logical volume at path. It
// wraps ErrNoSnapshot when there is none to be had.
func newLVMSnapshot(ctx context.Context, lvm lvmTool, dev, path string) (*lvmSnapshot, error) {
	v, err := lvm.one(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSnapshot, err)
	}
	lvm.sweep(ctx, v.VG)
	s := &lvmSnapshot{lvm: lvm, of: v, dev: dev, name: fmt.Sprintf("%s/vitrine-%s-%08x", v.VG, v.Name, uint32(time.Now().UnixNano()))}
	size, err := lvm.room(ctx, &v)
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx, size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSnapshot, err)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	s.watch(size > 0)
	return s, nil
}

// room is the size of a classic snapshot's store: a fifth of the volume, or
// what is left; 0 for a thin one.
func (l lvmTool) room(ctx context.Context, v *logicalVolume) (int64, error) {
	if v.Type == "thin" {
		return 0, l.poolHasRoom(ctx, v)
	}
	extent := max(bytesOf(v.Extent), 1)
	size := min(bytesOf(v.Size)/5, bytesOf(v.Free)) / extent * extent
	if size <= 0 {
		return 0, fmt.Errorf("%w: the volume group %s has %s bytes free, a snapshot of %s needs some", ErrNoSnapshot, v.VG, v.Free, v.full())
	}
	return size, nil
}

// fullPool is how full a thin pool may be, in percent: one that fills up stops
// everything that is on it.
const fullPool = 95

func (l lvmTool) poolHasRoom(ctx context.Context, v *logicalVolume) error {
	p, err := l.one(ctx, v.VG+"/"+v.Pool)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSnapshot, err)
	}
	if percentOf(p.Percent) > fullPool || percentOf(p.Meta) > fullPool {
		return fmt.Errorf("%w: the thin pool %s is nearly full (data %s %%, metadata %s %%)", ErrNoSnapshot, p.full(), p.Percent, p.Meta)
	}
	return nil
}

func (s *lvmSnapshot) create(ctx context.Context, size int64) error {
	_, name, _ := strings.Cut(s.name, "/")
	args := []string{"lvcreate", "--yes", "--snapshot", "--permission", "r", "--setactivationskip", "n", "--name", name}
	for _, t := range ownTags() {
		args = append(args, "--addtag", t)
	}
	if size > 0 {
		args = append(args, "--size", fmt.Sprintf("%db", size))
	}
	_, err := s.lvm(ctx, append(args, s.of.full())...)
	return err
}

func (s *lvmSnapshot) open() error {
	path := filepath.Join(s.dev, s.name)
	f, info, err := openSource(path)
	if err != nil {
		return err
	}
	s.file, s.rawFile = f, newRawFile(f, info)
	return nil
}

// ReadAt reads as the volume was. Once the store is full nothing can be read.
func (s *lvmSnapshot) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.rawFile.ReadAt(p, off)
	if err != nil && n < len(p) && off+int64(n) < s.size {
		s.look(context.Background())
	}
	if full := s.overrun(); full != nil {
		return 0, full
	}
	return n, err
}

func (s *lvmSnapshot) overrun() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filled
}

const (
	watchEvery = 2 * time.Second
	growAt     = 60 // percent of the store in use
)

// watch looks after a classic snapshot's store until Close.
func (s *lvmSnapshot) watch(classic bool) {
	ctx, stop := context.WithCancel(context.Background())
	if s.stop = stop; !classic {
		return
	}
	s.ended.Go(func() {
		for t := time.NewTicker(watchEvery); ; {
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
				s.grow(ctx)
			}
		}
	})
}

// grow gives the store more of the group's free space when it fills up.
func (s *lvmSnapshot) grow(ctx context.Context) {
	v := s.look(ctx)
	if v == nil || percentOf(v.Percent) < growAt || s.overrun() != nil {
		return
	}
	extent := max(bytesOf(v.Extent), 1)
	if more := min(bytesOf(s.of.Size)/5, bytesOf(v.Free)) / extent * extent; more > 0 {
		s.lvm(ctx, "lvextend", "--size", fmt.Sprintf("+%db", more), s.name) // what fails now is tried again
	}
}

// look asks how full the store is, and remembers when it overran.
func (s *lvmSnapshot) look(ctx context.Context) *logicalVolume {
	v, err := s.lvm.one(ctx, s.name)
	if err != nil {
		return nil
	}
	// The fifth letter is the state: I and S are invalid snapshots.
	if invalid := len(v.Attr) > 4 && strings.ContainsRune("IS", rune(v.Attr[4])); invalid || s.of.Type != "thin" && percentOf(v.Percent) >= 100 {
		s.mu.Lock()
		// ENODEV: no other byte of it will be read either.
		s.filled = &fullError{s.of.full()}
		s.mu.Unlock()
	}
	return &v
}

// fullError is ErrSnapshotFull; since nothing can be read any more, it is also
// a device that is gone.
type fullError struct{ volume string }

func (e *fullError) Error() string {
	return fmt.Sprintf("more was written to %s meanwhile than its snapshot holds", e.volume)
}

func (e *fullError) Unwrap() []error { return []error{ErrSnapshotFull, syscall.ENODEV} }

// Close closes and removes the snapshot.
func (s *lvmSnapshot) Close() error {
	s.stop()
	s.ended.Wait()
	return errors.Join(s.file.Close(), s.remove())
}

func (s *lvmSnapshot) remove() error {
	var err error
	for range 5 { // something may be looking at the new device for a moment
		if _, err = s.lvm(context.Background(), "lvremove", "--yes", s.name); err == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

const snapshotTag = "vitrine"

// ownTags tell which process of which boot made a snapshot.
func ownTags() []string {
	return []string{snapshotTag, snapshotTag + ".pid." + strconv.Itoa(os.Getpid()), snapshotTag + ".boot." + bootID()}
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// sweep removes snapshots of processes that are no more. It does what it can.
func (l lvmTool) sweep(ctx context.Context, vg string) {
	all, err := l.list(ctx, "--select", "lv_tags="+snapshotTag, vg)
	if err != nil {
		return
	}
	for _, v := range all {
		if orphan(strings.Split(v.Tags, ",")) {
			l(ctx, "lvremove", "--yes", v.full())
		}
	}
}

func orphan(tags []string) bool {
	if !slices.Contains(tags, snapshotTag) {
		return false
	}
	gone := false
	for _, t := range tags {
		if boot, ok := strings.CutPrefix(t, snapshotTag+".boot."); ok && boot != bootID() {
			return true
		}
		if pid, ok := strings.CutPrefix(t, snapshotTag+".pid."); ok {
			_, err := os.Stat("/proc/" + pid)
			gone = os.IsNotExist(err)
		}
	}
	return gone
}
