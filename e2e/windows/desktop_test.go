package windows

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/internal/wine"
)

// desktop is a machine of one test's own, whose registry and drives it may
// change.
type desktop struct {
	wine.Prefix
	exe string
	env []string
}

func newDesktop(t testing.TB) *desktop {
	t.Helper()
	base, err := wine.Shared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := &desktop{exe: shared.Path(`C:\vitrine.exe`)}
	if d.Prefix, err = base.Clone(filepath.Join(t.TempDir(), "prefix")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Stop(context.Background()) })
	must(t, d.Windowed(t.Context()))
	return d
}

// command is the program with these arguments.
func (d *desktop) command(t testing.TB, args ...string) *exec.Cmd {
	c := d.Command(t.Context(), d.exe, args...)
	c.Env = append(c.Env, d.env...)
	c.WaitDelay = 2 * time.Second // a process in the background may hold the pipes
	return c
}

// try runs the program.
func (d *desktop) try(t testing.TB, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	c := d.command(t, args...)
	c.Stdout, c.Stderr = &o, &e
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	return unix(o.String()), unix(e.String()), c.ProcessState.ExitCode()
}

// vitrine runs the program and fails the test unless it exits with 0.
func (d *desktop) vitrine(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, code := d.try(t, args...)
	if code != 0 {
		t.Fatalf("vitrine.exe %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// run runs another Windows program.
func (d *desktop) run(t testing.TB, exe string, args ...string) string {
	t.Helper()
	c := d.Command(t.Context(), exe, args...)
	c.Env = append(c.Env, d.env...)
	c.WaitDelay = 2 * time.Second
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != 0 {
		t.Fatalf("%s %s: %v\n%s", exe, strings.Join(args, " "), err, out)
	}
	return unix(string(out))
}
