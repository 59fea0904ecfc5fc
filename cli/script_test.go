package cli

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
//	noise FILE SIZE      write random bytes
//	take [-m] PATTERN DEST   copy, or move, the one file that matches
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
			"sample": sampleCmd, "exit": exitCmd, "flip": flipCmd, "cut": cutCmd, "nofile": nofileCmd, "take": takeCmd, "noise": noiseCmd,
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
	name, off := theOne(ts, args[0]), offset(ts, args)
	b, err := os.ReadFile(name)
	ts.Check(err)
	if off < 0 {
		off += len(b)
	}
	b[off] ^= 0xff
	ts.Check(os.WriteFile(name, b, 0o666))
}

func cutCmd(ts *testscript.TestScript, neg bool, args []string) {
	name, size := theOne(ts, args[0]), offset(ts, args)
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

func takeCmd(ts *testscript.TestScript, neg bool, args []string) {
	move := args[0] == "-m"
	if move {
		args = args[1:]
	}
	from := theOne(ts, args[0])
	dest := ts.MkAbs(args[1])
	if info, err := os.Stat(dest); err == nil && info.IsDir() {
		dest = filepath.Join(dest, filepath.Base(from))
	}
	if move {
		ts.Check(os.Rename(from, dest))
		return
	}
	b, err := os.ReadFile(from)
	ts.Check(err)
	ts.Check(os.WriteFile(dest, b, 0o666))
}

// theOne is the one file that matches.
func theOne(ts *testscript.TestScript, pattern string) string {
	m, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(m) != 1 {
		ts.Fatalf("%d files match %s: %q", len(m), pattern, m)
	}
	return m[0]
}

func noiseCmd(ts *testscript.TestScript, neg bool, args []string) {
	b := make([]byte, offset(ts, args))
	rand.NewChaCha8([32]byte{1}).Read(b)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}
