package shellext

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// dataDir is where desktop files go: the user's own data folder, or the
// machine's.
func dataDir(allUsers bool) (string, error) {
	if allUsers {
		return "/usr/local/share", nil
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return d, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "share"), nil
}

// Install writes the desktop files for this user, or for all. It gives the
// paths written and what could not be refreshed (tools that are missing).
func Install(p Program, allUsers bool) (paths, notes []string, err error) {
	dir, err := dataDir(allUsers)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range DesktopFiles(p) {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := writeFile(path, f); err != nil {
			return paths, nil, err
		}
		paths = append(paths, path)
	}
	return paths, refresh(dir), nil
}

func writeFile(path string, f File) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
		return err
	}
	return os.Chmod(path, f.Mode)
}

// Uninstall removes the files that Install wrote. A file that somebody has
// changed since is left alone and named in notes.
func Uninstall(p Program, allUsers bool) (paths, notes []string, err error) {
	dir, err := dataDir(allUsers)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range DesktopFiles(p) {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		b, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return paths, notes, err
		case !ours(b, f.Data):
			notes = append(notes, path+" was changed by somebody else and is left alone")
			continue
		}
		if err := os.Remove(path); err != nil {
			return paths, notes, err
		}
		paths = append(paths, path)
	}
	return paths, append(notes, refresh(dir)...), nil
}

// ours says whether b is what some version of the program wrote: all but the
// program's path must be the same.
func ours(b, want []byte) bool {
	return bytes.Equal(withoutExec(b), withoutExec(want))
}

func withoutExec(b []byte) []byte {
	var out [][]byte
	for _, line := range bytes.Split(b, []byte("\n")) {
		if !bytes.HasPrefix(line, []byte("Exec=")) {
			out = append(out, line)
		}
	}
	return bytes.Join(out, []byte("\n"))
}

// refresh has the desktop's caches rebuilt, where the tools for it are.
func refresh(dir string) (notes []string) {
	for _, c := range [][]string{
		{"update-mime-database", filepath.Join(dir, "mime")},
		{"update-desktop-database", filepath.Join(dir, "applications")},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			notes = append(notes, fmt.Sprintf("%s did not run (%v): the desktop may notice the change only after the next log-in %s", c[0], err, out))
		}
	}
	return notes
}

// Place has nothing to add on this system.
func Place(p Program, _ bool) (Program, error) { return p, nil }
