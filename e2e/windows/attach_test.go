package windows

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// diskSeven is the disk that the stand-ins make.
const diskSeven = `\\.\PhysicalDrive7`

// attachable makes an image of one volume, and gives the volume too.
func attachable(t *testing.T) (volume, images string) {
	dir := t.TempDir()
	volume, images = filepath.Join(dir, "volume.img"), filepath.Join(dir, "images")
	newVolume(t, volume)
	native(t, "capture", volume, "-o", images, "--all-sectors")
	return volume, images
}

// await waits for calls that another process makes.
func (m *machine) await(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !strings.Contains(m.calls(), what); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no call of %s:\n%s", what, m.calls())
		}
	}
}

// names are the calls without what they were given.
func names(calls string) (list []string) {
	for _, line := range strings.Split(strings.TrimSpace(calls), "\n") {
		if name, _, _ := strings.Cut(line, " "); !strings.HasPrefix(line, "login ") && !strings.HasPrefix(line, "file ") {
			list = append(list, strings.TrimSuffix(name, ","))
		}
	}
	return list
}

func sameList(a []string, b ...string) bool { return strings.Join(a, " ") == strings.Join(b, " ") }

func setDisk(more ...string) []string { return append([]string{"VITRINE_STANDIN_DISK=7"}, more...) }

var loginLine = regexp.MustCompile(`LoginIScsiTarget (\S+) 127\.0\.0\.1 (\d+) (\S+) (\S+)`)

// The initiator is told of a target that really serves the partition, in a table
// of our own, to who knows the secret; detach logs out again.
func TestAttachISCSI(t *testing.T) {
	m := &shared
	volume, images := attachable(t)
	out := m.ok(t, setDisk(), "attach", at(images))
	if strings.TrimSpace(out) != diskSeven {
		t.Errorf("attach printed %q", out)
	}
	login := loginLine.FindStringSubmatch(m.calls())
	if login == nil {
		t.Fatal(m.calls())
	}
	if !strings.Contains(m.calls(), "login options 0 e0 1, informational 0, persistent 0") {
		t.Error(m.calls())
	}
	if want := "AddIScsiStaticTarget " + login[1] + ", flags 0, persist 0\n"; !strings.Contains(m.calls(), want) {
		t.Errorf("no %s:\n%s", want, m.calls())
	}
	url := fmt.Sprintf("iscsi://%s%%%s@127.0.0.1:%s/%s/0", login[3], login[4], login[2], login[1])
	disk := filepath.Join(t.TempDir(), "disk.raw")
	tool(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", url, disk)
	whole, err := os.ReadFile(disk)
	must(t, err)
	want, err := os.ReadFile(volume)
	must(t, err)
	if len(whole) < 1<<20+len(want) || string(whole[1<<20:1<<20+len(want)]) != string(want) {
		t.Error("the partition is not what was captured")
	}
	tool(t, "sgdisk", "--verify", disk)
	if mounts := m.ok(t, setDisk(), "mounts"); !strings.Contains(mounts, diskSeven) {
		t.Error(mounts)
	}
	calls := m.calls()
	if calls != "" {
		t.Errorf("mounts called %s", calls)
	}
	m.ok(t, setDisk(), "detach", diskSeven)
	if got := names(m.calls()); !sameList(got, "LogoutIScsiTarget", "RemoveIScsiStaticTarget") {
		t.Errorf("detach: %s", m.calls())
	}
	if mounts := m.ok(t, setDisk(), "mounts"); strings.Contains(mounts, diskSeven) {
		t.Error(mounts)
	}
}

// When the process that serves the disk is killed, the guard logs out.
func TestAttachKilled(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	for _, settings := range [][]string{setDisk(), setDisk("VITRINE_STANDIN_FAIL=LogoutIScsiTarget")} {
		out := m.ok(t, settings, "attach", at(images), "--json")
		var r struct{ PID int }
		must(t, json.Unmarshal([]byte(out), &r))
		if k := runs(t, m.Command(t.Context(), "taskkill", "/f", "/pid", fmt.Sprint(r.PID))); k.code != 0 {
			t.Fatalf("taskkill: exit %d\n%s%s", k.code, k.out, k.errs)
		}
		m.await(t, "RemoveIScsiStaticTarget")
		if mounts := m.ok(t, settings, "mounts"); strings.Contains(mounts, diskSeven) {
			t.Error(mounts)
		}
	}
}

// At the end of the session, and when it is asked to close, the process that
// serves the disk logs out.
func TestAttachClosed(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	out := m.ok(t, setDisk(), "attach", at(images), "--json")
	var r struct{ PID int }
	must(t, json.Unmarshal([]byte(out), &r))
	if k := runs(t, m.Command(t.Context(), "taskkill", "/pid", fmt.Sprint(r.PID))); k.code != 0 {
		t.Fatalf("taskkill: exit %d\n%s%s", k.code, k.out, k.errs)
	}
	m.await(t, "RemoveIScsiStaticTarget")
	if mounts := m.ok(t, setDisk(), "mounts"); strings.Contains(mounts, diskSeven) {
		t.Error(mounts)
	}
}

// A session that somebody else has ended is no hindrance.
func TestSessionGone(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	m.ok(t, setDisk("VITRINE_STANDIN_FAIL=LogoutIScsiTarget.gone"), "attach", at(images))
	m.ok(t, nil, "detach", at(images))
	if got := names(m.calls()); !sameList(got, "LogoutIScsiTarget", "RemoveIScsiStaticTarget") {
		t.Error(m.calls())
	}
}

// A log-out that fails at first is tried again.
func TestLogoutAgain(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	m.ok(t, setDisk("VITRINE_STANDIN_FAIL=LogoutIScsiTarget"), "attach", at(images))
	m.ok(t, nil, "detach", at(images))
	if got := names(m.calls()); !sameList(got, "LogoutIScsiTarget", "LogoutIScsiTarget", "RemoveIScsiStaticTarget") {
		t.Error(m.calls())
	}
}

// Where the initiator refuses, nothing of it is left, and a copy in a VHDX file is
// attached instead; where that is refused too, nothing is left either.
func TestAttachCopy(t *testing.T) {
	m := &shared
	volume, images := attachable(t)
	for fail, before := range map[string][]string{
		"AddIScsiStaticTarget": {"AddIScsiStaticTarget"},
		"LoginIScsiTarget":     {"AddIScsiStaticTarget", "LoginIScsiTarget", "RemoveIScsiStaticTarget"},
	} {
		m.ok(t, setDisk("VITRINE_STANDIN_FAIL="+fail), "attach", at(images))
		want := append(before, "OpenVirtualDisk", "AttachVirtualDisk", "GetVirtualDiskPhysicalPath")
		if got := names(m.calls()); !sameList(got, want...) {
			t.Errorf("%s: %s", fail, m.calls())
		}
		if !strings.Contains(m.calls(), "OpenVirtualDisk 3 Microsoft d0000 0") || !strings.Contains(m.calls(), "AttachVirtualDisk 1") {
			t.Errorf("not read-only: %s", m.calls())
		}
		copies, _ := filepath.Glob(filepath.Join(images, ".vitrine-attached-*.vhdx"))
		if len(copies) != 1 {
			t.Fatalf("copies: %v", copies)
		}
		raw := filepath.Join(t.TempDir(), "disk.raw")
		tool(t, "qemu-img", "convert", "-f", "vhdx", "-O", "raw", copies[0], raw)
		whole, err := os.ReadFile(raw)
		must(t, err)
		want2, err := os.ReadFile(volume)
		must(t, err)
		if string(whole[1<<20:1<<20+len(want2)]) != string(want2) {
			t.Error("the copy is not what was captured")
		}
		m.ok(t, setDisk(), "detach", diskSeven)
		if got := names(m.calls()); !sameList(got, "DetachVirtualDisk") {
			t.Errorf("detach: %s", m.calls())
		}
		noCopies(t, images)
	}
	for _, fail := range []string{"OpenVirtualDisk", "AttachVirtualDisk", "GetVirtualDiskPhysicalPath"} {
		r := m.run(t, setDisk("VITRINE_STANDIN_FAIL=LoginIScsiTarget,"+fail), "attach", at(images))
		if r.code == 0 || !strings.Contains(r.errs, fail) {
			t.Errorf("%s: exit %d\n%s", fail, r.code, r.errs)
		}
		noCopies(t, images)
	}
}

func noCopies(t *testing.T, dir string) {
	t.Helper()
	if copies, _ := filepath.Glob(filepath.Join(dir, ".vitrine-attached-*")); len(copies) > 0 {
		t.Errorf("left behind: %v", copies)
	}
}

// A copy whose process is killed goes too.
func TestCopyKilled(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	out := m.ok(t, setDisk("VITRINE_STANDIN_FAIL=AddIScsiStaticTarget"), "attach", at(images), "--overlay", "--json")
	if !strings.Contains(m.calls(), "OpenVirtualDisk 3 Microsoft f0000 0") || !strings.Contains(m.calls(), "AttachVirtualDisk 0") {
		t.Errorf("not writable: %s", m.calls())
	}
	var r struct{ PID int }
	must(t, json.Unmarshal([]byte(out), &r))
	if k := runs(t, m.Command(t.Context(), "taskkill", "/f", "/pid", fmt.Sprint(r.PID))); k.code != 0 {
		t.Fatalf("taskkill: exit %d\n%s%s", k.code, k.out, k.errs)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		copies, _ := filepath.Glob(filepath.Join(images, ".vitrine-attached-*"))
		if len(copies) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("left behind: %v", copies)
		}
	}
}

// chkdsk attaches, and detaches whatever comes of it. Under Wine no volume
// appears on the disk.
func TestChkdskDetaches(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	r := m.run(t, setDisk(), "chkdsk", at(images))
	if r.code != 1 || !strings.Contains(r.errs, "Windows found no volume") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.errs)
	}
	if got := names(m.calls()); !sameList(got[len(got)-2:], "LogoutIScsiTarget", "RemoveIScsiStaticTarget") {
		t.Error(m.calls())
	}
}
