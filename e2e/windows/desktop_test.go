package windows

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	stop, err := d.Serve(t.Context())
	must(t, err)
	t.Cleanup(stop)
	must(t, d.Windowed(t.Context()))
	return d
}

// command is the program with these arguments.
func (d *desktop) command(t testing.TB, args ...string) *exec.Cmd { return d.other(t, d.exe, args...) }

// other is another Windows program.
func (d *desktop) other(t testing.TB, exe string, args ...string) *exec.Cmd {
	c := d.Command(t.Context(), exe, args...)
	c.Env = append(c.Env, d.env...)
	return c
}

// try runs the program.
func (d *desktop) try(t testing.TB, args ...string) (out, errs string, code int) {
	t.Helper()
	r := runs(t, d.command(t, args...))
	return r.out, r.errs, r.code
}

// vitrine runs the program and fails the test unless it exits with 0.
func (d *desktop) vitrine(t testing.TB, args ...string) string {
	t.Helper()
	return d.run(t, d.exe, args...)
}

// run runs another Windows program, and fails the test unless it exits with 0.
func (d *desktop) run(t testing.TB, exe string, args ...string) string {
	t.Helper()
	r := runs(t, d.other(t, exe, args...))
	if r.code != 0 {
		t.Fatalf("%s %s: exit %d\n%s%s", exe, strings.Join(args, " "), r.code, r.out, r.errs)
	}
	return r.out
}
