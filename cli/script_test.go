package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"vitrine/scripts/demo/disk"
)

// TestMain lets the scripts run the program in this process's binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"vitrine": func() { os.Exit(Main(os.Args[1:], OSStreams())) },
	})
}

// TestScripts plays the scripts in testdata/script. Beside the usual commands
// they have:
//
//	sample FILE N...     bring the sample disk in FILE to the states N
//	exit CODE COMMAND... run a command that must end with this exit code
//	flip FILE OFF        invert a byte; a negative OFF counts from the end
//	cut FILE SIZE        cut a file to SIZE bytes; a negative SIZE takes as much off
//	nofile PATTERN       fail when a file matches
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			dir, err := filepath.Abs("../testdata/demo")
			e.Setenv("SAMPLE", dir)
			e.Setenv("TZ", "UTC")
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir+"/.run")
			return errors.Join(err, os.Mkdir(e.WorkDir+"/.run", 0o700))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sample": sampleCmd, "exit": exitCmd, "flip": flipCmd, "cut": cutCmd, "nofile": nofileCmd,
		},
	})
}

func sampleCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, n := range args[1:] {
		state, err := strconv.Atoi(n)
		ts.Check(err)
		ts.Check(disk.Apply(ts.Getenv("SAMPLE"), ts.MkAbs(args[0]), state))
	}
}

func exitCmd(ts *testscript.TestScript, neg bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ee interface{ ExitCode() int }
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func flipCmd(ts *testscript.TestScript, neg bool, args []string) {
	name, off := ts.MkAbs(args[0]), offset(ts, args)
	b, err := os.ReadFile(name)
	ts.Check(err)
	if off < 0 {
		off += len(b)
	}
	b[off] ^= 0xff
	ts.Check(os.WriteFile(name, b, 0o666))
}

func cutCmd(ts *testscript.TestScript, neg bool, args []string) {
	name, size := ts.MkAbs(args[0]), offset(ts, args)
	info, err := os.Stat(name)
	ts.Check(err)
	if size < 0 {
		size += int(info.Size())
	}
	ts.Check(os.Truncate(name, int64(size)))
}

func offset(ts *testscript.TestScript, args []string) int {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	return n
}

func nofileCmd(ts *testscript.TestScript, neg bool, args []string) {
	m, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(m) > 0 {
		ts.Fatalf("there are %q", m)
	}
}
