package reader

import (
	"container/list"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
)

// file is an open file. os.File satisfies it through osFile.
type file interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// directReader is a file that can be read past the system's cache.
type directReader interface {
	readDirect(buf []byte, off int64, n int, awake bool) (b []byte, ok bool)
}

// Size is the file's length in bytes.
func (f *osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// openFile opens a regular file. Others are refused before they are opened:
// opening a pipe or a tape would wait or have effects.
func openFile(path string) (file, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return newOSFile(f), nil
}

// maxHandles bounds the open files of a pool: enough for a long chain, and at
// most a quarter of what the system allows the process. More are open only
// while more reads run at once.
var maxHandles = min(max(openFiles()/4, 128), 1024)

// handles keeps recently used files open.
type handles struct {
	open func(path string) (file, error)
	mu   sync.Mutex
	m    map[string]*handle
	idle *list.List // of *handle without users, oldest first
}

type handle struct {
	file
	path  string
	users int
	elem  *list.Element // in idle
}

func newHandles(open func(string) (file, error)) *handles {
	return &handles{open: open, m: map[string]*handle{}, idle: list.New()}
}

// use calls fn with the open file.
func (h *handles) use(path string, fn func(file) error) error {
	hd, err := h.get(path)
	if err != nil {
		return err
	}
	defer h.put(hd)
	return fn(hd.file)
}

func (h *handles) get(path string) (*handle, error) {
	if hd := h.cached(path); hd != nil {
		return hd, nil
	}
	h.mu.Lock()
	h.trim(maxHandles - 1)
	h.mu.Unlock()
	f, err := h.open(path)
	if err != nil {
		return nil, err
	}
	return h.add(path, f), nil
}

func (h *handles) cached(path string) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	hd := h.m[path]
	if hd != nil {
		h.pin(hd)
	}
	return hd
}

func (h *handles) pin(hd *handle) {
	if hd.elem != nil {
		h.idle.Remove(hd.elem)
		hd.elem = nil
	}
	hd.users++
}

// add enters a file that was just opened, unless another goroutine was faster.
func (h *handles) add(path string, f file) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hd := h.m[path]; hd != nil {
		f.Close()
		h.pin(hd)
		return hd
	}
	hd := &handle{file: f, path: path, users: 1}
	h.m[path] = hd
	h.trim(maxHandles)
	return hd
}

func (h *handles) put(hd *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hd.users--; hd.users == 0 {
		hd.elem = h.idle.PushBack(hd)
		h.trim(maxHandles)
	}
}

// trim closes idle files until at most n are open.
func (h *handles) trim(n int) {
	for len(h.m) > n && h.idle.Len() > 0 {
		hd := h.idle.Remove(h.idle.Front()).(*handle)
		delete(h.m, hd.path)
		hd.file.Close()
	}
}

func (h *handles) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trim(0)
}
