package wine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The line of Go's own sources that the overlay changes.
const (
	overlaid = "src/internal/syscall/windows/at_windows.go"
	asIs     = "var TestDeleteatFallback bool\n"
	forWine  = "var TestDeleteatFallback = true\n"
)

// Overlay writes the file for "go build -overlay" that has Go delete files in a
// way that Wine 8 knows, made from the installed Go, and gives its name.
func Overlay() (string, error) {
	dir, err := workDir()
	if err != nil {
		return "", err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), overlaid)
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(text), asIs, forWine, 1)
	if changed == string(text) {
		return "", fmt.Errorf("%s has no line %q: this Go is unknown here", source, strings.TrimSpace(asIs))
	}
	replacement := filepath.Join(dir, "at_windows") // no .go: it is none of our packages
	if err := writeOnce(replacement, []byte(changed)); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: replacement}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, writeOnce(name, overlay)
}

// writeOnce writes a file in one step, and not at all when it is there
// already: others may be reading it.
func writeOnce(name string, b []byte) error {
	if have, err := os.ReadFile(name); err == nil && string(have) == string(b) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Build builds a package of Go into the Windows program exe. Flags go to "go
// build".
func Build(ctx context.Context, exe, pkg string, flags ...string) error {
	overlay, err := Overlay()
	if err != nil {
		return err
	}
	args := append([]string{"build", "-overlay", overlay, "-o", exe}, flags...)
	c := exec.CommandContext(ctx, "go", append(args, pkg)...)
	c.Env = GoEnv()
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for windows: %w\n%s", err, out)
	}
	return nil
}

// GoEnv is the environment in which go builds for Windows.
func GoEnv() []string {
	return append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
}

// BuildDLL compiles C sources into the DLL named by dll: stand-ins for what Wine
// does not have. Flags go to the compiler, after the sources.
func BuildDLL(ctx context.Context, dll string, sources []string, flags ...string) error {
	return compile(ctx, dll, sources, append([]string{"-shared", "-static-libgcc"}, flags...)...)
}

// BuildEXE compiles C sources into the program named by exe.
func BuildEXE(ctx context.Context, exe string, sources ...string) error {
	return compile(ctx, exe, sources, "-municode", "-static-libgcc")
}

// BuildDriver compiles C sources into the driver named by sys, whose entry is
// DriverEntry.
func BuildDriver(ctx context.Context, sys string, sources ...string) error {
	return compile(ctx, sys, sources, "-I/usr/share/mingw-w64/include/ddk", "-shared", "-nostdlib",
		"-Wl,--subsystem,native", "-Wl,--entry,DriverEntry", "-lntoskrnl")
}

func compile(ctx context.Context, out string, sources []string, flags ...string) error {
	args := append([]string{"-O1", "-Wall", "-Werror", "-o", out}, sources...)
	c := exec.CommandContext(ctx, "x86_64-w64-mingw32-gcc", append(args, flags...)...)
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s: %w\n%s", filepath.Base(out), err, text)
	}
	return nil
}
