package windows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/wine"
)

// machine is a Windows of its own with our program on it.
type machine struct {
	wine.Prefix
	log string // what the stand-ins tell, on this system
}

var (
	linux   string // the program for this system
	shared  machine
	scratch string
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "windows:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	ctx := context.Background()
	var err error
	if scratch, err = os.MkdirTemp("", "vitrine-windows"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(scratch)
	linux = filepath.Join(scratch, "vitrine")
	if out, err := exec.Command("go", "build", "-o", linux, "vitrine/cmd/vitrine").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	if err := wine.BuildEXE(ctx, filepath.Join(scratch, "run.exe"), "testdata/run/run.c"); err != nil {
		return 1, err
	}
	base, err := wine.Shared(ctx)
	if err != nil {
		return 1, err
	}
	p, err := base.Clone(filepath.Join(scratch, "prefix"))
	if err != nil {
		return 1, err
	}
	shared = machine{p, p.Path(`C:\standin.log`)}
	stop, err := p.Serve(ctx)
	if err != nil {
		return 1, err
	}
	defer stop()
	if err := shared.Windowed(ctx); err != nil {
		return 1, err
	}
	if err := shared.equip(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// equip puts the program and the stand-ins on the machine.
func (m *machine) equip(ctx context.Context) error {
	if err := wine.Build(ctx, m.Path(`C:\vitrine.exe`), "vitrine/cmd/vitrine"); err != nil {
		return err
	}
	for name, libs := range standins {
		dll := m.Path(`C:\windows\system32\` + name + ".dll")
		os.Remove(dll) // it may be shared with other prefixes
		if err := wine.BuildDLL(ctx, dll, []string{"testdata/standin/" + name + ".c"}, libs...); err != nil {
			return err
		}
	}
	return nil
}

// standins are the DLLs, and flags for their compiler.
var standins = map[string][]string{
	"vssapi":   {"-lole32", "-loleaut32"},
	"iscsidsc": nil,
	"virtdisk": {"-D_WIN32_WINNT=0x0A00", "-Wno-attributes"}, // the header declares imports
}

// result is what a program did.
type result struct {
	out, errs string
	code      int
}

// run runs the Windows program with settings for the stand-ins.
func (m *machine) run(t *testing.T, settings []string, args ...string) result {
	t.Helper()
	os.Remove(m.log)
	return runs(t, m.command(settings, args...))
}

// runs runs a Windows program to its end. What it prints goes to files: the end of
// pipes would come only when what it leaves in the background has ended too. Its
// exit code comes from testdata/run: Wine kills a program of which this system
// does not see the end half a second after Windows has, on a machine that stands
// still meanwhile, and then its code is lost here.
func runs(t testing.TB, c *exec.Cmd) result {
	t.Helper()
	dir := t.TempDir()
	out, errs, code := filepath.Join(dir, "out"), filepath.Join(dir, "err"), filepath.Join(dir, "code")
	for name, to := range map[string]*io.Writer{out: &c.Stdout, errs: &c.Stderr} {
		f, err := os.Create(name)
		must(t, err)
		defer f.Close()
		*to = f
	}
	program := c.Args[1]
	if strings.HasPrefix(program, "/") {
		program = at(program)
	}
	c.Args = append([]string{c.Args[0], filepath.Join(scratch, "run.exe"), at(code), program}, c.Args[2:]...)
	err := c.Run()
	r := result{out: text(t, out), errs: text(t, errs)}
	if _, serr := fmt.Sscan(text(t, code), &r.code); serr != nil {
		t.Fatalf("%s: %v, %v\n%s%s", strings.Join(c.Args, " "), serr, err, r.out, r.errs)
	}
	return r
}

// text is what a Windows program has written into a file; "" when it is missing.
func text(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func (m *machine) command(settings []string, args ...string) *exec.Cmd {
	c := m.Command(context.Background(), m.Path(`C:\vitrine.exe`), args...)
	c.Env = append(c.Env, "WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=;vssapi,virtdisk,iscsidsc=n", `VITRINE_STANDIN_LOG=C:\standin.log`)
	c.Env = append(c.Env, settings...)
	return c
}

// ok runs it and fails the test unless it exits with 0.
func (m *machine) ok(t *testing.T, settings []string, args ...string) string {
	t.Helper()
	r := m.run(t, settings, args...)
	if r.code != 0 {
		t.Fatalf("vitrine.exe %s: exit %d\n%s%s\ncalls:\n%s", strings.Join(args, " "), r.code, r.out, r.errs, m.calls())
	}
	return r.out
}

// calls are what the stand-ins were asked in the last run.
func (m *machine) calls() string {
	b, _ := os.ReadFile(m.log)
	return string(b)
}

// native runs the program for this system.
func native(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(linux, args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("vitrine %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hashes are the files below dir, by their paths.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		rel, _ := filepath.Rel(dir, path)
		sums[rel] = hex.EncodeToString(sum[:8])
		return err
	}))
	return sums
}

func sum(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// newVolume makes an NTFS volume in a file, with names that are hard on Windows'
// programs, and gives their hashes.
func newVolume(t *testing.T, path string) map[string]string {
	t.Helper()
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Truncate(path, 48<<20))
	tool(t, "mkntfs", "-q", "-F", "-L", "Daten Ü", "-p", "2048", "-s", "512", path)
	mnt := t.TempDir()
	tool(t, "ntfs-3g", path, mnt)
	defer tool(t, "umount", mnt)
	long := filepath.Join("lang", strings.Repeat("d", 90), strings.Repeat("e", 90), strings.Repeat("f", 90), "tief.txt")
	for name, n := range map[string]int{
		"hello.txt": 5,
		"Users/änn/日本 語/file with spaces.bin": 3 << 20,
		"Users/änn/leer": 0,
		long:             100 << 10,
	} {
		file := filepath.Join(mnt, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, bytes.Repeat([]byte(name+"\n"), n/len(name)+1)[:n], 0o644))
	}
	return hashes(t, mnt)
}

// drive puts a file in the place of the volume with a letter.
func (m *machine) drive(t *testing.T, letter byte, file string) {
	t.Helper()
	must(t, m.Drive(letter, file, true))
	t.Cleanup(func() { os.Remove(filepath.Join(m.Dir, "dosdevices", strings.ToLower(string(letter))+"::")) })
}

// at is the name that a file of this system has there.
func at(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }
