package volume

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// tool runs a program that the test needs; its absence is a failure.
func tool(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs the program %s", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// loop shows a file as a disk with sectors of the given size.
func loop(t *testing.T, path string, sector int) string {
	t.Helper()
	dev := strings.TrimSpace(tool(t, "", "losetup", "-f", "--show", "-b", fmt.Sprint(sector), path))
	t.Cleanup(func() { exec.Command("losetup", "-d", dev).Run() })
	return dev
}
