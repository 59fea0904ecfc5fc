package shellext

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const classes = `Software\Classes\`

func root(allUsers bool) registry.Key {
	if allUsers {
		return registry.LOCAL_MACHINE
	}
	return registry.CURRENT_USER
}

// Install writes the keys for this user, or for all (which needs an
// administrator). It gives the keys written.
func Install(p Program, allUsers bool) (paths, notes []string, err error) {
	for _, k := range WindowsKeys(p) {
		if err := writeKey(root(allUsers), k); err != nil {
			return paths, nil, fmt.Errorf("registry key %s: %w", k.Path, err)
		}
		paths = append(paths, k.Path)
	}
	notify()
	return paths, nil, nil
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
	return paths, notes, nil
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
