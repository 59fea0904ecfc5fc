package windows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The calls of a capture that goes well, in order.
const vssCalls = `CreateVssBackupComponents
InitializeForBackup 0000000000000000
SetBackupState 0 1 5 0
GatherWriterMetadata
IsVolumeSupported any X:\
StartSnapshotSet
AddToSnapshotSet X:\ any
PrepareForBackup
DoSnapshotSet
FreeWriterMetadata
GatherWriterStatus
FreeWriterStatus
GetSnapshotProperties 0
VssFreeSnapshotProperties
BackupComplete
DeleteSnapshots set 2 1
Release, 0 left
`

// frozen makes a volume as X:, and as it was a moment ago as Y:, which stands for
// its shadow copy.
func frozen(t *testing.T, m *machine) (dir string, settings []string) {
	dir = t.TempDir()
	now, then := filepath.Join(dir, "now.img"), filepath.Join(dir, "then.img")
	newVolume(t, now)
	change(t, now, "then")
	b, err := os.ReadFile(now)
	must(t, err)
	must(t, os.WriteFile(then, b, 0o600))
	change(t, now, "now")
	m.drive(t, 'x', now)
	m.drive(t, 'y', then)
	return dir, []string{`VITRINE_STANDIN_VSS=X:\=\\.\Y:`}
}

// What is captured is the shadow copy, and all calls come in their order.
func TestShadowCopy(t *testing.T) {
	m := &shared
	dir, settings := frozen(t, m)
	images := filepath.Join(dir, "images")
	m.ok(t, settings, "capture", `\\.\X:`, "-o", at(images), "--snapshot", "vss")
	if got := m.calls(); got != vssCalls {
		t.Errorf("calls:\n%s\nwant\n%s", got, vssCalls)
	}
	if got := native(t, "cat", images+":/changed.txt"); got != "then" {
		t.Errorf("captured %q", got)
	}
	if info := native(t, "info", images); !strings.Contains(info, "snapshot") {
		t.Error(info)
	}
	m.ok(t, settings, "capture", `\\.\X:`, "-o", at(images), "--snapshot", "none")
	if got := m.calls(); got != "" {
		t.Errorf("calls without a snapshot:\n%s", got)
	}
}

// Wherever the service refuses, the capture stops, nothing is written, and what
// was begun is undone: nothing is left alive.
func TestShadowCopyFails(t *testing.T) {
	m := &shared
	dir, settings := frozen(t, m)
	images := filepath.Join(dir, "images")
	for _, c := range []struct {
		fail        string
		abort, gone bool // AbortBackup, DeleteSnapshots
	}{
		{"CreateVssBackupComponents", false, false},
		{"InitializeForBackup", false, false},
		{"SetBackupState", false, false},
		{"GatherWriterMetadata", false, false},
		{"GatherWriterMetadata.later", false, false},
		{"IsVolumeSupported", false, false},
		{"StartSnapshotSet", false, false},
		{"AddToSnapshotSet", false, false},
		{"PrepareForBackup", true, false},
		{"PrepareForBackup.later", true, false},
		{"DoSnapshotSet", true, true},
		{"DoSnapshotSet.later", true, true},
		{"GetSnapshotProperties", true, true},
	} {
		r := m.run(t, append(settings, "VITRINE_STANDIN_FAIL="+c.fail), "capture", `\\.\X:`, "-o", at(images), "--snapshot", "vss")
		calls := m.calls()
		name := strings.TrimSuffix(c.fail, ".later")
		if r.code != 1 || !strings.Contains(r.errs, "shadow copy: "+name+": ") || !strings.Contains(r.errs, "0x8004230F") {
			t.Errorf("%s: exit %d\n%s", c.fail, r.code, r.errs)
		}
		if strings.Contains(calls, "AbortBackup") != c.abort || strings.Contains(calls, "DeleteSnapshots") != c.gone {
			t.Errorf("%s: calls\n%s", c.fail, calls)
		}
		if strings.Contains(calls, "GatherWriterMetadata") != strings.Contains(calls, "FreeWriterMetadata") {
			t.Errorf("%s: what the applications told was not freed\n%s", c.fail, calls)
		}
		if name != "CreateVssBackupComponents" && !strings.HasSuffix(calls, "Release, 0 left\n") {
			t.Errorf("%s: something is left alive\n%s", c.fail, calls)
		}
		if _, err := os.Stat(images); err == nil {
			t.Errorf("%s: something was written", c.fail)
		}
	}
}

// A failure that only concerns the end, or what applications say of themselves,
// does not spoil the image.
func TestShadowCopyGoesOn(t *testing.T) {
	m := &shared
	dir, settings := frozen(t, m)
	for i, c := range []struct{ setting, want string }{
		{"VITRINE_STANDIN_FAIL=GatherWriterStatus", ""},
		{"VITRINE_STANDIN_FAIL=GatherWriterStatus.later", ""},
		{"VITRINE_STANDIN_FAIL=BackupComplete", ""},
		{"VITRINE_STANDIN_FAIL=BackupComplete.later", ""},
		{"VITRINE_STANDIN_FAIL=DeleteSnapshots", ""},
		{"VITRINE_STANDIN_BUSY=1", ""},
		{"VITRINE_STANDIN_WRITER=SqlServerWriter", "SqlServerWriter did not bring its files into order"},
	} {
		images := filepath.Join(dir, fmt.Sprint("images", i))
		m.ok(t, append(settings, c.setting), "capture", `\\.\X:`, "-o", at(images), "--snapshot", "vss")
		if calls := m.calls(); !strings.HasSuffix(calls, "Release, 0 left\n") {
			t.Errorf("%s: calls\n%s", c.setting, calls)
		}
		if info := native(t, "info", images); !strings.Contains(info, c.want) {
			t.Errorf("%s: the image does not say %q:\n%s", c.setting, c.want, info)
		}
		if got := native(t, "cat", images+":/changed.txt"); got != "then" {
			t.Errorf("%s: captured %q", c.setting, got)
		}
	}
}

// A capture that fails by itself lets go of its shadow copy.
func TestShadowCopyReleased(t *testing.T) {
	m := &shared
	dir, settings := frozen(t, m)
	r := m.run(t, settings, "capture", `\\.\X:`, "-o", at(filepath.Join(dir, "missing", "images")), "--snapshot", "vss")
	if r.code != 1 || !strings.Contains(r.errs, "does not exist") {
		t.Errorf("exit %d\n%s", r.code, r.errs)
	}
	if got := m.calls(); got != vssCalls {
		t.Errorf("calls:\n%s", got)
	}
}

// A volume that cannot have a shadow copy fails when one is demanded.
func TestShadowCopyRefused(t *testing.T) {
	m := &shared
	dir, _ := frozen(t, m)
	images := filepath.Join(dir, "images")
	r := m.run(t, nil, "capture", `\\.\X:`, "-o", at(images), "--snapshot", "vss")
	if r.code != 1 || !strings.Contains(r.errs, "none of the volumes can have a shadow copy") {
		t.Errorf("exit %d\n%s", r.code, r.errs)
	}
	if calls := m.calls(); !strings.HasSuffix(calls, "Release, 0 left\n") || strings.Contains(calls, "StartSnapshotSet") {
		t.Error(calls)
	}
	m.ok(t, nil, "capture", `\\.\X:`, "-o", at(images), "--snapshot", "auto")
}
