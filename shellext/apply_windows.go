package shellext

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

//go:embed vitrine.ico
var windowsIcon []byte

const classes = `Software\Classes\`

func root(allUsers bool) registry.Key {
	if allUsers {
		return registry.LOCAL_MACHINE
	}
	return registry.CURRENT_USER
}

// Place says where the launcher and the icon of p go: into a folder of Vitrine's
// own, in the user's profile or, for all users, among the programs.
func Place(p Program, allUsers bool) (Program, error) {
	folder := windows.FOLDERID_LocalAppData
	if allUsers {
		folder = windows.FOLDERID_ProgramFiles
	}
	dir, err := windows.KnownFolderPath(folder, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return p, err
	}
	dir = filepath.Join(dir, "Vitrine", "shell")
	p.Launcher, p.Icon = filepath.Join(dir, "vitrinew.exe"), filepath.Join(dir, "vitrine.ico")
	return p, nil
}

// Install writes the launcher, the icon and the keys for this user, or for all
// (which needs an administrator). It gives the files and keys written.
func Install(p Program, allUsers bool) (paths, notes []string, err error) {
	if paths, err = writeFiles(p); err != nil {
		return paths, nil, err
	}
	for _, k := range WindowsKeys(p) {
		if err := writeKey(root(allUsers), k); err != nil {
			return paths, nil, fmt.Errorf("registry key %s: %w", k.Path, err)
		}
		paths = append(paths, k.Path)
	}
	notify()
	return paths, nil, nil
}

func writeFiles(p Program) (paths []string, err error) {
	exe, err := os.ReadFile(p.Exe)
	if err != nil {
		return nil, err
	}
	launcher, err := windowless(exe)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Exe, err)
	}
	if err := os.MkdirAll(filepath.Dir(p.Launcher), 0o755); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{p.Launcher, launcher}, {p.Icon, windowsIcon}} {
		if err := os.WriteFile(f.path, f.data, 0o755); err != nil {
			return paths, err
		}
		paths = append(paths, f.path)
	}
	return paths, nil
}

// removeFiles removes what writeFiles wrote, and the folders when they are empty
// then.
func removeFiles(p Program) (paths, notes []string) {
	for _, path := range []string{p.Launcher, p.Icon} {
		err := os.Remove(path)
		switch {
		case err == nil:
			paths = append(paths, path)
		case !errors.Is(err, fs.ErrNotExist):
			notes = append(notes, err.Error())
		}
	}
	dir := filepath.Dir(p.Launcher)
	os.Remove(dir)
	os.Remove(filepath.Dir(dir))
	return paths, notes
}

func writeKey(root registry.Key, k Key) error {
	key, _, err := registry.CreateKey(root, classes+k.Path, registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer key.Close()
	for _, v := range k.Values {
		if err := key.SetStringValue(v.Name, v.Data); err != nil {
			return err
		}
	}
	return nil
}

// Uninstall removes the values that Install wrote and the keys that are then
// empty, children first. Values that somebody changed stay.
func Uninstall(p Program, allUsers bool) (paths, notes []string, err error) {
	keys := WindowsKeys(p)
	for i := len(keys) - 1; i >= 0; i-- {
		gone, note, err := removeKey(root(allUsers), keys[i])
		if err != nil {
			return paths, notes, fmt.Errorf("registry key %s: %w", keys[i].Path, err)
		}
		if gone {
			paths = append(paths, keys[i].Path)
		}
		if note != "" {
			notes = append(notes, note)
		}
	}
	notify()
	files, more := removeFiles(p)
	return append(paths, files...), append(notes, more...), nil
}

func removeKey(root registry.Key, k Key) (gone bool, note string, err error) {
	key, err := registry.OpenKey(root, classes+k.Path, registry.QUERY_VALUE|registry.SET_VALUE|registry.ENUMERATE_SUB_KEYS)
	if errors.Is(err, registry.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	defer key.Close()
	for _, v := range k.Values {
		have, _, err := key.GetStringValue(v.Name)
		if err == nil && (!k.Shared || have == v.Data) {
			if err := key.DeleteValue(v.Name); err != nil {
				return false, "", err
			}
		}
	}
	info, err := key.Stat()
	if err != nil {
		return false, "", err
	}
	if info.SubKeyCount > 0 || info.ValueCount > 0 {
		if !k.Shared {
			note = k.Path + " holds entries of somebody else and is left"
		}
		return false, note, nil
	}
	return true, "", registry.DeleteKey(root, classes+k.Path)
}

// notify tells Explorer that associations changed.
func notify() {
	const assocChanged = 0x08000000
	p := windows.NewLazySystemDLL("shell32.dll").NewProc("SHChangeNotify")
	if p.Find() == nil {
		syscall.SyscallN(p.Addr(), assocChanged, 0, 0, 0)
	}
}
