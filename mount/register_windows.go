package mount

import (
	"os"
	"path/filepath"
)

func runtimeDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "Vitrine", "run")
}

// checkPrivate has nothing to check: the folder lies in the user's profile.
func checkPrivate(string) error { return nil }

// inUse has nothing to do: Windows does not remove open files.
func inUse(*os.File) {}

func removeUnused(path string) { os.Remove(path) }
