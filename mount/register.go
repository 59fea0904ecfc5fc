package mount

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Record is one mount in the register.
type Record struct {
	PID   int    `json:"pid"`             // 0: the process is not known
	Start string `json:"start,omitempty"` // tells the process from a later one with its number
	Dir   string `json:"dir"`
	// Device is set instead of Dir for an attached disk: /dev/loop3.
	Device string    `json:"device,omitempty"`
	Image  string    `json:"image"`
	Point  string    `json:"point,omitempty"`
	Since  time.Time `json:"since"`
	Dead   bool      `json:"dead,omitempty"` // the process was killed; [Unmount] takes it away
	// Everybody: it is not only this user's, see [Everybody].
	Everybody bool `json:"everybody,omitempty"`

	file string // in the register
}

// entry is this process's file in the register.
type entry struct{ path string }

func (e *entry) remove() {
	if e != nil {
		os.Remove(e.path)
	}
}

// enter writes r into the register.
func enter(r Record) (*entry, error) {
	dir, err := registerDir()
	if err != nil {
		return nil, err
	}
	r.Start = startTime(r.PID)
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, fmt.Sprintf("%d-*.tmp", r.PID))
	if err != nil {
		return nil, err
	}
	_, err = f.Write(append(b, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	path := strings.TrimSuffix(f.Name(), ".tmp") + ".json"
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &entry{path}, nil
}

// Register enters what this process serves without a mount of its own, such as
// an attached disk, into the list that [Mounts] gives, until remove is called or
// the process ends.
func Register(r Record) (remove func(), err error) {
	r.PID, r.Since = os.Getpid(), time.Now()
	e, err := enter(r)
	return e.remove, err
}

// Mounts lists what this user has mounted, and what of Vitrine's the system
// shows besides, oldest first. Records whose mount has ended are removed.
func Mounts() ([]Record, error) {
	dir, err := registerDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var list []Record
	for _, f := range files {
		r, err := readRecord(f)
		if err != nil || !alive(&r) {
			os.Remove(f)
			continue
		}
		list = append(list, r)
	}
	list = addUnregistered(list)
	slices.SortStableFunc(list, func(a, b Record) int { return a.Since.Compare(b.Since) })
	return list, nil
}

// maxRecord bounds a file of the register, in bytes.
const maxRecord = 64 << 10

func readRecord(path string) (r Record, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	if info.Size() > maxRecord {
		return r, fmt.Errorf("%s: not a record of a mount", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(b, &r)
	r.file = path
	return r, err
}

// registerDir is a folder that only this user can write to and that does not
// outlive the system's run, made when it is missing.
func registerDir() (string, error) {
	dir := filepath.Join(runtimeDir(), "mounts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, checkPrivate(filepath.Dir(dir))
}

// OpenedDir is the folder for mounts whose folders nobody chose, made when it is
// missing. It belongs to this user alone.
func OpenedDir() (string, error) {
	if _, err := registerDir(); err != nil {
		return "", err
	}
	dir := filepath.Join(runtimeDir(), "open")
	return dir, os.MkdirAll(dir, 0o700)
}

// LogFile names the file that a background mount started by this process logs
// to. Logs of mounts that have ended go when they are empty or a week old.
func LogFile() string {
	logs, _ := filepath.Glob(filepath.Join(runtimeDir(), "mount-*.log"))
	for _, l := range logs {
		info, err := os.Stat(l)
		if err == nil && (info.Size() == 0 || time.Since(info.ModTime()) > keepLogs) {
			removeUnused(l)
		}
	}
	return filepath.Join(runtimeDir(), fmt.Sprintf("mount-%d.log", os.Getpid()))
}

// keepLogs is how long the log of a mount that has ended is kept.
const keepLogs = 7 * 24 * time.Hour
