//go:build !linux && !windows

package shellext

// Install says that there is nothing to install here.
func Install(Program, bool) (paths, notes []string, err error) { return nil, nil, ErrUnsupported }

// Uninstall says that there is nothing to uninstall here.
func Uninstall(Program, bool) (paths, notes []string, err error) { return nil, nil, ErrUnsupported }

// Place has nothing to add on this system.
func Place(p Program, _ bool) (Program, error) { return p, nil }
