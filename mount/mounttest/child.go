package mounttest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"vitrine/mount"
	"vitrine/volume"
)

// childEnv names the server that the test program is to be.
const childEnv = "VITRINE_MOUNTTEST"

// Server is a tree to be mounted by a child process.
type Server func() (volume.FileSystem, mount.Options)

// Main runs the tests, or, in the child process of [Serve], the server of that
// name. Call it from TestMain.
func Main(m *testing.M, servers map[string]Server) {
	if name := os.Getenv(childEnv); name != "" {
		if err := serve(servers[name], os.Getenv(childEnv+"_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve mounts until standard input ends, and makes sure that nothing is left.
func serve(s Server, dir string) error {
	before := runtime.NumGoroutine()
	tree, opts := s()
	opts.Log = func(line string) { fmt.Println("log:", line) }
	opts.Name = "mounttest"
	unmount, err := drivers[Driver()](context.Background(), tree, dir, opts)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	if err := unmount(); err != nil {
		return err
	}
	return noLeak(before)
}

// driverEnv chooses the driver of all servers.
const driverEnv = "VITRINE_TEST_DRIVER"

// Driver is the name of the driver under test: "" for the system's own,
// "cgofuse" for that of Windows over libfuse (build tag cgofuse).
func Driver() string { return os.Getenv(driverEnv) }

var drivers = map[string]func(context.Context, volume.FileSystem, string, mount.Options) (unmount func() error, err error){
	"": func(ctx context.Context, t volume.FileSystem, dir string, o mount.Options) (func() error, error) {
		s, err := mount.Mount(ctx, t, dir, o)
		if err != nil {
			return nil, err
		}
		return s.Unmount, nil
	},
}

// noLeak waits for goroutines to end.
func noLeak(before int) error {
	for range 200 {
		if runtime.NumGoroutine() <= before+1 { // os/signal keeps one
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stack := make([]byte, 1<<20)
	return fmt.Errorf("%d goroutines left of %d:\n%s", runtime.NumGoroutine(), before, stack[:runtime.Stack(stack, true)])
}

// Child is a mount served by another process.
type Child struct {
	Dir   string
	Cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
	log   strings.Builder
	ended bool
}

// Start starts the server of that name on folder dir, which is unmounted when
// the test ends.
func Start(t testing.TB, name, dir string) (*Child, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &Child{Dir: dir, Cmd: exec.Command(exe, "-test.run=^$")}
	c.Cmd.Env = append(os.Environ(), childEnv+"="+name, childEnv+"_DIR="+dir)
	return c, c.Run(t)
}

// Run starts the prepared child.
func (c *Child) Run(t testing.TB) (err error) {
	t.Helper()
	if c.stdin, err = c.Cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Cmd.Stderr = os.Stderr
	c.out = bufio.NewScanner(out)
	if err := c.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(t) })
	for c.out.Scan() {
		if c.out.Text() == "ready" {
			return nil
		}
		c.log.WriteString(c.out.Text() + "\n")
	}
	c.Cmd.Wait()
	c.ended = true
	return fmt.Errorf("the server ended: %s", c.log.String())
}

// Serve is [Start] on a new folder; it must work.
func Serve(t testing.TB, name string) *Child {
	t.Helper()
	c, err := Start(t, name, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Stop unmounts and returns what the server logged.
func (c *Child) Stop(t testing.TB) string {
	t.Helper()
	if c.ended {
		return c.log.String()
	}
	c.ended = true
	c.stdin.Close()
	for c.out.Scan() {
		c.log.WriteString(c.out.Text() + "\n")
	}
	if err := c.Cmd.Wait(); err != nil {
		t.Errorf("server: %v\n%s", err, c.log.String())
	}
	return c.log.String()
}

// Kill ends the server without letting it unmount.
func (c *Child) Kill() {
	c.ended = true
	c.Cmd.Process.Kill()
	c.Cmd.Wait()
}
