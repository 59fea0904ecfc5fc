package wine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Prefix is a folder that holds a Windows: its drive C: and its registry.
type Prefix struct {
	Dir string
}

// Shared gives the prefix that the tests of this work tree have in common, made
// when it is missing: bin/wine/prefix.
func Shared(ctx context.Context) (Prefix, error) {
	dir, err := workDir()
	if err != nil {
		return Prefix{}, err
	}
	p := Prefix{filepath.Join(dir, "prefix")}
	if _, err := os.Stat(p.Dir); err == nil {
		return p, nil
	}
	made, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return Prefix{}, err
	}
	if err := (Prefix{made}).make(ctx); err != nil {
		os.RemoveAll(made)
		return Prefix{}, err
	}
	// Another process may have been faster; its prefix is as good.
	if err := os.Rename(made, p.Dir); err != nil {
		os.RemoveAll(made)
		if _, err := os.Stat(p.Dir); err != nil {
			return Prefix{}, err
		}
	}
	return p, nil
}

// workDir is bin/wine of the module's root, made when it is missing.
func workDir() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	dir := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "bin", "wine")
	return dir, os.MkdirAll(dir, 0o755)
}

// make fills the prefix: a Windows 10 with what programs of Go need.
func (p Prefix) make(ctx context.Context) error {
	if err := p.run(ctx, "wineboot", "--init"); err != nil {
		return err
	}
	if err := p.run(ctx, "reg", "add", `HKCU\Software\Wine`, "/v", "Version", "/d", "win10", "/f"); err != nil {
		return err
	}
	if err := p.Stop(ctx); err != nil {
		return err
	}
	dll := p.Path(`C:\windows\system32\bcryptprimitives.dll`)
	if _, err := os.Stat(dll); err == nil {
		return nil // a newer Wine
	}
	return os.WriteFile(dll, forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o644)
}

func (p Prefix) run(ctx context.Context, args ...string) error {
	if out, err := p.Command(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("wine %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Stop ends all that runs in the prefix and writes its registry.
func (p Prefix) Stop(ctx context.Context) error {
	for _, flag := range []string{"-k", "-w"} {
		c := exec.CommandContext(ctx, server(), flag)
		c.Env = p.Env()
		out, err := c.CombinedOutput()
		if err != nil && flag == "-w" {
			return fmt.Errorf("wineserver %s: %w\n%s", flag, err, out)
		}
	}
	return nil
}

// Clone makes a prefix of its own in dir, which must not exist. Windows' own
// files are shared with p where the file system can do that.
func (p Prefix) Clone(dir string) (Prefix, error) {
	err := filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.Dir, path)
		if err != nil {
			return err
		}
		return clone(path, filepath.Join(dir, rel), d, filepath.Dir(rel) == ".")
	})
	return Prefix{dir}, err
}

func clone(from, to string, d fs.DirEntry, registry bool) error {
	switch {
	case d.IsDir():
		return os.MkdirAll(to, 0o755)
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !registry && os.Link(from, to) == nil:
		return nil
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// Command is a Windows program that runs in the prefix: a file of this system,
// or the name of one of Wine's own.
func (p Prefix) Command(ctx context.Context, exe string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, Loader(), append([]string{exe}, args...)...)
	c.Env = p.Env()
	return c
}

// Env is the environment for [Loader]: no debugging output, no screen, no
// questions about add-ons.
func (p Prefix) Env() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DISPLAY=") && !strings.HasPrefix(v, "WAYLAND_DISPLAY=") {
			env = append(env, v)
		}
	}
	return append(env, "WINEPREFIX="+p.Dir, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=", "WINEARCH=win64")
}

// Path is where this system has a file of drive C: in the prefix.
func (p Prefix) Path(windows string) string {
	rest, ok := strings.CutPrefix(windows, `C:\`)
	if !ok {
		panic("wine: not on drive C: " + windows)
	}
	return filepath.Join(p.Dir, "drive_c", filepath.FromSlash(strings.ReplaceAll(rest, `\`, "/")))
}

// Drive links a file, a device or a folder of this system to a drive letter, as
// what the letter's volume holds (raw) or as its files.
func (p Prefix) Drive(letter byte, target string, raw bool) error {
	os.Remove(p.drive(letter, raw))
	return os.Symlink(target, p.drive(letter, raw))
}

func (p Prefix) drive(letter byte, raw bool) string {
	name := strings.ToLower(string(letter)) + ":"
	if raw {
		name += ":"
	}
	return filepath.Join(p.Dir, "dosdevices", name)
}

// Windowed lets programs make windows, which nobody sees: there is no screen.
func (p Prefix) Windowed(ctx context.Context) error {
	return p.run(ctx, "reg", "add", `HKCU\Software\Wine\Drivers`, "/v", "Graphics", "/d", "null", "/f")
}

// RemoveDrive takes a letter away.
func (p Prefix) RemoveDrive(letter byte) {
	os.Remove(p.drive(letter, false))
	os.Remove(p.drive(letter, true))
}

// Loader is Wine's program that starts Windows programs. The wrapper that
// Debian puts in front of it says on each start that 32-bit programs do not run.
//
// Its preloader, a package of its own, must be there: without it the system puts
// Wine's heap at random, now and then where Windows has data at a fixed address,
// and then a program ends with 1 before it begins.
func Loader() string { return findTool("/usr/lib/wine/wine64", "wine64", "wine") }

func server() string { return findTool("/usr/lib/wine/wineserver64", "wineserver") }

func findTool(names ...string) string {
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	return names[len(names)-1] // whose start then says that it is missing
}

// Remove deletes the prefix; [Prefix.Stop] comes first.
func (p Prefix) Remove() error { return os.RemoveAll(p.Dir) }
