package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vitrine/internal/wine"
)

// windows is the Windows program, built once.
var windows = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(filepath.Dir(program), "vitrine.exe")
	return exe, wine.Build(context.Background(), exe, "vitrine/cmd/vitrine")
})

// machine is a Windows with the program on it.
type machine struct {
	wine.Prefix
	exe string
	env []string
}

// newMachine gives a Windows of the test's own.
func newMachine(t testing.TB) *machine {
	t.Helper()
	exe, err := windows()
	if err != nil {
		t.Fatal(err)
	}
	shared, err := wine.Shared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{exe: exe}
	if m.Prefix, err = shared.Clone(filepath.Join(filepath.Dir(shared.Dir), "e2e-"+filepath.Base(t.TempDir())+"-"+strings.ReplaceAll(t.Name(), "/", "-"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Stop(context.Background())
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// command is the program with these arguments.
func (m *machine) command(t testing.TB, args ...string) *exec.Cmd {
	c := m.Command(t.Context(), m.exe, args...)
	c.Env = append(c.Env, m.env...)
	return c
}

// try runs the program.
func (m *machine) try(t testing.TB, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	c := m.command(t, args...)
	c.Stdout, c.Stderr = &o, &e
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), c.ProcessState.ExitCode()
}

// vitrine runs the program and fails the test unless it exits with 0.
func (m *machine) vitrine(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, code := m.try(t, args...)
	if code != 0 {
		t.Fatalf("vitrine.exe %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// run runs another Windows program.
func (m *machine) run(t testing.TB, exe string, args ...string) string {
	t.Helper()
	out, err := m.Command(t.Context(), exe, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", exe, strings.Join(args, " "), err, out)
	}
	return string(out)
}
