package windows

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vitrine/internal/wine"
	"vitrine/scripts/demo/disk"
)

// standIn puts testdata/standin/winfsp.c in the place of WinFsp.
func (m *desktop) standIn(t testing.TB) {
	t.Helper()
	bin := m.Path(`C:\Program Files (x86)\WinFsp\bin`)
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := wine.BuildDLL(t.Context(), filepath.Join(bin, "winfsp-x64.dll"), []string{"testdata/standin/winfsp.c"}); err != nil {
		t.Fatal(err)
	}
	m.run(t, "reg", "add", `HKLM\Software\WinFsp`, "/v", "InstallDir", "/d", `C:\Program Files (x86)\WinFsp\`, "/f", "/reg:32")
}

// play prepares a script for the stand-in and gives the function that reads what
// happened, once the script is through or the log has a text.
func (m *desktop) play(t testing.TB, lines ...string) (log func(until ...string) string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.env = []string{"VITRINE_STANDIN=Z:" + script}
	go m.letters(t.Context(), script+".log")
	return func(until ...string) string {
		t.Helper()
		return waitText(t, script+".log", append(until, "\ndone\n")[0])
	}
}

// letters has the drives come and go that the stand-in tells of.
func (m *desktop) letters(ctx context.Context, log string) {
	said := regexp.MustCompile(`(?m)^(appear|vanish) (?:\\\\\.\\)?([A-Z]):$`)
	for done := 0; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		b, _ := os.ReadFile(log)
		all := said.FindAllStringSubmatch(string(b), -1)
		for _, x := range all[done:] {
			if x[1] == "appear" {
				m.Drive(x[2][0], "../drive_c/windows", false)
			} else {
				m.RemoveDrive(x[2][0])
			}
		}
		done = len(all)
	}
}

// waitText waits until a file has a text, and reads it.
func waitText(t testing.TB, path, text string) string {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil && strings.Contains("\n"+string(b), text) {
			return string(b)
		}
	}
	b, _ := os.ReadFile(path)
	t.Fatalf("%s does not come:\n%s", text, b)
	return ""
}

// sampleImage captures the sample disk.
func sampleImage(t *testing.T) (image, raw string) {
	t.Helper()
	dir := t.TempDir()
	raw = filepath.Join(dir, "disk.img")
	samples, err := filepath.Abs("../../testdata/demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.Apply(samples, raw, 1); err != nil {
		t.Fatal(err)
	}
	image = filepath.Join(dir, "my images ü")
	native(t, "capture", raw, "-o", image)
	return image, raw
}

// TestWineMount drives the real program through a mount: what it asks of WinFsp,
// what it answers, and that the files are those that Linux shows.
func TestWineMount(t *testing.T) {
	image, _ := sampleImage(t)
	m := newDesktop(t)
	m.standIn(t)
	log := m.play(t, "statfs", "stat /", "stat /USERS/ann/DOCUMENTS/REPORT.TXT", "path /USERS/ann/DOCUMENTS/REPORT.TXT", "stat /nothing", "path /nothing",
		"list /users", "change /Users/Ann/Documents/report.txt", "change /Users", "change /nothing", "tree /")
	c := m.command(t, "mount", `Z:`+image+":2", "x:")
	said := start(t, c)
	got := log()
	said.text(t, "is mounted on X:")
	said.text(t, "X: is there for everybody who uses this machine")
	label := regexp.MustCompile(`(?m)^arg volname=(.*)$`).FindStringSubmatch(got)
	if label == nil || label[1] != "Windows" {
		t.Errorf("label %q", label)
	}
	for _, want := range []string{
		`(?m)^arg \\\\\.\\X:$`, // Wine's user is an administrator
		`(?m)^arg uid=-1$`, `(?m)^arg gid=-1$`, `(?m)^arg umask=0$`, `(?m)^arg FileInfoTimeout=-1$`, `(?m)^arg KeepFileCache=1$`,
		`(?m)^arg ExactFileSystemName=Vitrine$`, `(?m)^arg VolumeSerialNumber=[0-9a-f]{8}$`, `(?m)^arg VolumeCreationTime=\d+$`, `(?m)^arg SectorSize=512$`,
		`(?m)^want 21e00000$`, // case-insensitive, attributes, delete access, read-only, listing with attributes
		`(?m)^statfs: 0 block=4096 `,
		`(?m)^stat /: dir mode=777 `,
		`(?m)^stat /USERS/ann/DOCUMENTS/REPORT.TXT: file mode=777 size=\d+ flags=[0-9a-f]+ birth=1\d{9}\.\d{9} modified=1790841600\.0{9} `,
		`(?m)^path /USERS/ann/DOCUMENTS/REPORT.TXT: 0 /Users/Ann/Documents/report.txt$`,
		`(?m)^stat /nothing: -2$`, `(?m)^path /nothing: -2 $`,
		`(?m)^list /users: 0 \|\. \|\.\. \|Ann \|Bob$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("the log has no %s:\n%s", want, strings.Split(got, "\ndir\t")[0])
		}
	}
	refused := regexp.MustCompile(`(?m)^change .*$`).FindAllString(got, -1)
	if len(refused) != 3 {
		t.Errorf("%d lines about changes", len(refused))
	}
	for _, line := range refused {
		for _, answer := range strings.Fields(line)[2:] {
			if !strings.HasSuffix(answer, "=-30") && answer != "ftruncate=-30" { // EROFS
				t.Errorf("%s in %s", answer, line)
			}
		}
	}
	sameTree(t, image, got)

	// The list of mounts, and the end at another process's word.
	if list := m.vitrine(t, "mounts"); !strings.Contains(list, "X:") || !strings.Contains(list, ".vtr") {
		t.Errorf("mounts: %s", list)
	}
	if out, errs, code := m.try(t, "mount", `Z:`+image, "X:"); code != 1 || !strings.Contains(errs, "X:") {
		t.Errorf("a taken letter: exit %d\n%s%s", code, out, errs)
	}
	m.vitrine(t, "unmount", "x:")
	log("\nended\n")
	waitEnd(t, c)
	if list := m.vitrine(t, "mounts"); strings.Contains(list, "X:") {
		t.Errorf("mounts at the end: %s", list)
	}
}

// sameTree compares what the stand-in saw with a mount on this system.
func sameTree(t *testing.T, image, log string) {
	t.Helper()
	dir := t.TempDir()
	native(t, "mount", image+":2", dir, "--background")
	defer native(t, "unmount", dir)
	want := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel := strings.TrimPrefix(path, dir)
		switch {
		case d.IsDir():
			want[rel] = "dir\t" + rel
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			want[rel] = "link\t" + rel + "\t0\t" + target
			return err
		default:
			want[rel] = linuxFile(rel, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(log) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 2 {
			continue
		}
		if n++; want[f[1]] != strings.TrimRight(line, "\n") {
			t.Errorf("Windows %s\nLinux   %s", line, want[f[1]])
		}
	}
	if n != len(want) || n < 100 {
		t.Errorf("%d entries, on Linux %d", n, len(want))
	}
}

// linuxFile is a file as the stand-in describes it.
func linuxFile(rel, path string) string {
	h := fnv.New64a()
	b, err := os.ReadFile(path)
	code, size := 0, int64(len(b))
	if err != nil { // the page file: its contents are not in the image
		code = -120 // ENODATA
		info, _ := os.Stat(path)
		size = info.Size()
	}
	h.Write(b)
	return fmt.Sprintf("file\t%s\t%d\t%d\t%016x", rel, code, size, h.Sum64())
}

// TestWineMountPlaces mounts on a free letter, on a folder and in the
// background, and ends by Ctrl-C and by force.
func TestWineMountPlaces(t *testing.T) {
	image, _ := sampleImage(t)
	m := newDesktop(t)
	m.standIn(t)

	log := m.play(t, "statfs")
	c := m.command(t, "mount", `Z:`+image, "*", "--json")
	out := start(t, c)
	if log(); !strings.Contains(out.text(t, `"mounted"`), `"dir":"Y:"`) { // Z: is this system's root
		t.Errorf("a free letter: %s", out.text(t, ""))
	}
	c.Process.Signal(syscall.SIGINT)
	waitEnd(t, c)
	log("\nended\n")

	log = m.play(t, "statfs")
	folder := `C:\users\Public\mnt ü`
	c = m.command(t, "mount", `Z:`+image, folder)
	start(t, c).text(t, "is mounted on")
	if got := log(); !strings.Contains(got, "arg "+folder+"\n") {
		t.Errorf("a folder:\n%s", got)
	}
	m.vitrine(t, "unmount", folder)
	waitEnd(t, c)
	if _, err := os.Stat(m.Path(folder)); err == nil {
		t.Error("the folder is left")
	}

	log = m.play(t, "statfs")
	m.vitrine(t, "mount", `Z:`+image, "X:", "--background")
	log()
	m.vitrine(t, "unmount", "X:")
	log("\nended\n")

	// At log-off a mount in the background, which has no console, unmounts.
	log = m.play(t, "statfs")
	m.vitrine(t, "mount", `Z:`+image, "V:", "--background")
	log()
	if list := m.vitrine(t, "mounts"); !strings.Contains(list, "V: (everybody's)") {
		t.Errorf("mounts: %s", list)
	}
	m.run(t, "wineboot", "--end-session")
	log("\nended\n")
	if list := m.vitrine(t, "mounts"); strings.Contains(list, "V:") {
		t.Errorf("after log-off: %s", list)
	}

	// What a killed process leaves is not listed. (WinFsp's driver takes the
	// letter away; the stand-in cannot.)
	log = m.play(t, "statfs")
	c = m.command(t, "mount", `Z:`+image, "W:")
	start(t, c)
	log()
	c.Process.Kill()
	c.Wait()
	must(t, m.other(t, "wineboot", "--kill").Run()) // kills what reads exit codes too
	if list := m.vitrine(t, "mounts"); strings.Contains(list, "W:") {
		t.Errorf("after kill: %s", list)
	}
}

// TestWineNoWinFsp: without WinFsp, with one that is damaged, old or does not
// run, one sentence tells so and the exit code is 6.
func TestWineNoWinFsp(t *testing.T) {
	image, _ := sampleImage(t)
	m := newDesktop(t)
	tell := func(want string, env ...string) {
		t.Helper()
		m.play(t, "statfs")
		m.env = append(m.env, env...)
		out, errs, code := m.try(t, "mount", `Z:`+image, "X:")
		if code != 6 || !regexp.MustCompile(`(?m)^error: .*`+want).MatchString(errs) || !strings.Contains(errs, "\nhint: ") || strings.Contains(errs, "goroutine") {
			t.Errorf("exit %d, want 6 and %q\n%s%s", code, want, out, errs)
		}
	}
	tell("WinFsp is not installed; get it from https://winfsp.dev")
	m.standIn(t)
	tell("WinFsp 1.9 is too old", "VITRINE_STANDIN_VERSION=10009")
	tell("its driver does not run .*Secure Boot", "VITRINE_STANDIN_DRIVER=c000000e")
	tell("refused to mount on X:", "VITRINE_STANDIN_REFUSE=1")
	dll := m.Path(`C:\Program Files (x86)\WinFsp\bin\winfsp-x64.dll`)
	good, err := os.ReadFile(dll)
	if err != nil {
		t.Fatal(err)
	}
	// A DLL of that name where the program is started from is not taken.
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "winfsp-x64.dll"), good, 0o644); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(dll, []byte("no DLL"), 0o644)
	m.play(t, "statfs")
	c := m.command(t, "mount", `Z:`+image, "X:")
	c.Dir = work
	if r := runs(t, c); r.code != 6 || !strings.Contains(r.errs, "WinFsp is damaged") {
		t.Errorf("a damaged DLL: exit %d\n%s", r.code, r.errs)
	}
	for _, where := range []string{`C:\missing\folder`, `C:\windows`, "C:"} {
		if err := os.WriteFile(dll, good, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, errs, code := m.try(t, "mount", `Z:`+image, where); code != 1 || !strings.Contains(errs, "hint:") {
			t.Errorf("%s: exit %d\n%s", where, code, errs)
		}
	}
}

// output is what a running program has printed.
type output struct{ path string }

func start(t testing.TB, c *exec.Cmd) output {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.Stdout, c.Stderr = f, f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return output{f.Name()}
}

func (o output) text(t testing.TB, want string) string { return waitText(t, o.path, want) }

func waitEnd(t testing.TB, c *exec.Cmd) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%v: %v", c.Args, err)
		}
	case <-time.After(time.Minute):
		c.Process.Kill()
		t.Errorf("%v does not end", c.Args)
	}
}
