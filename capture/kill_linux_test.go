package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/volume"
)

// The test program runs itself as a child that captures and is killed, or
// measured.
const childEnv = "VITRINE_CAPTURE_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		if err := child(strings.Split(job, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child captures source into a folder, onto a parent if one is named.
func child(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	o := Options{Dir: args[1], Level: Fastest, Split: 4 << 20}
	if args[2] != "" {
		p, err := openPointErr(&testing.T{}, args[2])
		if err != nil {
			return err
		}
		o.Parent = p
	}
	switch {
	case len(args) > 3 && args[3] == "fragments":
		u := &shadowFS{stores: 225, runs: 20000, room: 20000 * 1024}
		u.used = []extent{{Off: 0, Len: st.Size()}}
		return measured(f, o, u.open)
	case len(args) > 3:
		return measured(f, o, volume.OpenUsed)
	}
	_, err = Run(context.Background(), fileSource{f, st.Size()}, o)
	return err
}

func childCommand(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"))
	cmd.Stderr = &bytes.Buffer{}
	return cmd
}

// kill runs n captures that are killed at random moments.
func kill(t *testing.T, n int, seed uint64) {
	dir, work := t.TempDir(), t.TempDir()
	src := thin(70<<20, seed)
	path := filepath.Join(work, "source")
	os.WriteFile(path, src, 0o600)
	began := time.Now()
	full, p := runTake(t, path, Options{Dir: dir, Level: Fastest})
	typical := time.Since(began)
	now := bytes.Clone(src)
	for i := 0; i < len(now); i += 90 << 10 {
		now[i] ^= 1
	}
	newer := filepath.Join(work, "newer")
	os.WriteFile(newer, now, 0o600)
	before, _ := os.ReadFile(full.Path)
	r := rand.New(rand.NewPCG(seed, 1))
	finished, rescued := 0, 0
	for i := range n {
		source, parent, was, is := newer, full.Path, []byte(src), now
		if i%2 == 1 { // a full of its own set
			source, parent, was, is = path, "", nil, src
		}
		cmd := childCommand(t, source, dir, parent)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(typical) * 5 / 4)))
		cmd.Process.Kill()
		cmd.Wait()
		f, s := afterKill(t, dir, full.Path, p, was, is)
		finished, rescued = finished+f, rescued+s
		if after, _ := os.ReadFile(full.Path); !bytes.Equal(before, after) {
			t.Fatal("the member before was changed")
		}
	}
	t.Logf("%d captures killed: %d had finished, %d could be rescued", n, finished, rescued)
}

// afterKill looks at what a killed capture left, and clears it away.
func afterKill(t *testing.T, dir, keep string, p *testPoint, was, now []byte) (finished, rescued int) {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		h := headerOf(name)
		if name == keep || h == nil || h.Part > 0 {
			continue
		}
		q, err := openPointErr(t, name)
		switch {
		case err == nil:
			finished++
			if !bytes.Equal(q.readDisk(t), now) {
				t.Fatal("a finished member has another content")
			}
		case !errors.Is(err, index.ErrUnfinished) || !strings.HasSuffix(name, index.UnfinishedSuffix):
			t.Fatalf("%s: %v", name, err)
		default:
			parent := p
			if was == nil {
				parent = nil
			}
			if res := checkRescue(t, name, parent, was, now); res != nil {
				rescued++
			}
		}
	}
	for _, name := range names {
		if name != keep {
			os.Remove(name)
		}
	}
	extra, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range extra { // the salvage members
		if name != keep {
			os.Remove(name)
		}
	}
	return finished, rescued
}

func TestKill(t *testing.T) { kill(t, 20, 21) }
