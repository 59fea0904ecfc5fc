// Command fuzz runs the fuzz targets of packages, each for a while and as often
// as asked, and adds what it did to the tally in docs/fuzzing.md.
//
//	go run ./scripts/fuzz -time 10s            every target once
//	go run ./scripts/fuzz -time 2m -rounds 0 -parallel 1 -record ./ntfsparse/...
//	go run ./scripts/fuzz -run 'Volume|Used' ./ntfsparse/...
//
// What is found interesting is kept in Go's build cache, as by go test, and with
// -record in corpus.tar.gz beside this file, with which the next one begins, here
// or elsewhere; an input that fails is written to the package's testdata/fuzz, where it is a test from
// then on. The programs are built once: start again after a change.
//
// Go gives up an input after 10 seconds of the wall clock, which work in the
// background often needs to get its few milliseconds of a processor. The
// programs built here wait for 10 minutes; the targets bound their processor
// time themselves.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	spell    = flag.Duration("time", 10*time.Second, "of each target a round")
	rounds   = flag.Int("rounds", 1, "how often all targets are run; 0: until interrupted")
	parallel = flag.Int("parallel", 0, "workers of each target; 0: as many as processors")
	only     = flag.String("run", ".", "`REGEXP` of the targets that are run")
	record   = flag.Bool("record", false, "add the work to "+tallyFile+", and what was found to "+corpusFile)
)

const tallyFile = "docs/fuzzing.md"

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, patterns []string) error {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	bin, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	targets, err := build(ctx, bin, patterns)
	if err != nil {
		return err
	}
	if err := unpackCorpus(); err != nil {
		return err
	}
	version := output("git", "describe", "--always", "--dirty")
	failed := 0
	for round := 0; (*rounds == 0 || round < *rounds) && ctx.Err() == nil; round++ {
		for _, t := range targets {
			if ctx.Err() != nil {
				break
			}
			w, ok := t.run(ctx)
			if !ok {
				failed++
			}
			w.version = version
			if err := tally(w); err != nil {
				return err
			}
		}
	}
	if *record {
		if err := packCorpus(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d runs failed; the inputs are in testdata/fuzz of their packages", failed)
	}
	return nil
}

// target is a fuzz function and the program that has it.
type target struct{ pkg, dir, name, program string }

// build makes a program of each package that has fuzz targets.
func build(ctx context.Context, bin string, patterns []string) (targets []target, err error) {
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return nil, err
	}
	list := append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}} {{.TestGoFiles}} {{.XTestGoFiles}}"}, patterns...)
	overlay, err := patience(bin)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(output("go", list...), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		names := functions(f[1])
		names = slices.DeleteFunc(names, func(n string) bool { return !wanted.MatchString(n) })
		if len(names) == 0 {
			continue
		}
		program := filepath.Join(bin, strconv.Itoa(i))
		if msg, err := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-fuzz", ".", "-o", program, f[0]).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", f[0], err, msg)
		}
		for _, n := range names {
			targets = append(targets, target{f[0], f[1], n, program})
		}
	}
	return targets, nil
}

// patience writes an overlay for go test in which an input has 10 minutes.
func patience(dir string) (overlay string, err error) {
	const short, long = "time.AfterFunc(10*time.Second, func() {", "time.AfterFunc(10*time.Minute, func() {"
	worker := filepath.Join(output("go", "env", "GOROOT"), "src", "internal", "fuzz", "worker.go")
	src, err := os.ReadFile(worker)
	if err != nil {
		return "", err
	}
	if bytes.Count(src, []byte(short)) != 1 {
		return "", fmt.Errorf("%s is not as it is known: it has no %q", worker, short)
	}
	patched := filepath.Join(dir, "worker.go")
	if err := os.WriteFile(patched, bytes.Replace(src, []byte(short), []byte(long), 1), 0o644); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{worker: patched}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o644)
}

var function = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// functions lists the fuzz targets in a folder's tests.
func functions(dir string) (names []string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, m := range function.FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}

// work is what was done for a target.
type work struct {
	target  string
	cpu     time.Duration
	execs   int64
	version string
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// run fuzzes one target; ok is false when an input failed.
func (t target) run(ctx context.Context) (w work, ok bool) {
	fmt.Printf("fuzz: %s %s\n", t.pkg, t.name)
	args := []string{"-test.run", "^$", "-test.fuzz", "^" + t.name + "$", "-test.fuzztime", spell.String(), "-test.fuzzminimizetime", "200x",
		"-test.fuzzcachedir", filepath.Join(output("go", "env", "GOCACHE"), "fuzz", t.pkg)}
	if *parallel > 0 {
		args = append(args, "-test.parallel", strconv.Itoa(*parallel))
	}
	cmd := exec.CommandContext(ctx, t.program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Dir = t.dir
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stdout, &out)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	w.target = strings.TrimPrefix(t.pkg, "vitrine/") + " " + t.name
	if p := cmd.ProcessState; p != nil {
		w.cpu = p.UserTime() + p.SystemTime()
	}
	if m := execs.FindAllSubmatch(out.Bytes(), -1); m != nil {
		w.execs, _ = strconv.ParseInt(string(m[len(m)-1][1]), 10, 64)
	}
	// A worker that is still busy when the time is up is no failure, though go
	// test calls it one.
	late := bytes.Contains(out.Bytes(), []byte("context deadline exceeded"))
	return w, err == nil || late || ctx.Err() != nil
}

// output is what a command prints, "" when it fails.
func output(name string, args ...string) string {
	b, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(b))
}
