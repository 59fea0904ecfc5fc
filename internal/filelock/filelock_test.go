package filelock

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestHold(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("files cannot be marked on this system")
	}
	path := filepath.Join(t.TempDir(), "file")
	if Held(path) || Hold(path) != nil {
		t.Error("a file that is not there is held")
	}
	os.WriteFile(path, []byte("content"), 0o600)
	if Held(path) {
		t.Error("held before Hold")
	}
	l := Hold(path)
	if l == nil || !Held(path) || !Held(path) {
		t.Error("not held")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "content" {
		t.Errorf("the lock hinders reading: %q, %v", b, err)
	}
	if Hold(path) != nil {
		t.Error("held twice")
	}
	l.Release()
	if Held(path) {
		t.Error("held after Release")
	}
}
