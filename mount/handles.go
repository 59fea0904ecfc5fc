package mount

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"vitrine/volume"
)

// handles are the files that a system has open.
type handles struct {
	mu    sync.RWMutex
	files map[uint64]volume.OpenFile
	last  uint64
}

// keep gives an open file a number.
func (h *handles) keep(f volume.OpenFile) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files == nil {
		h.files = map[uint64]volume.OpenFile{}
	}
	h.last++
	h.files[h.last] = f
	return h.last
}

// get finds an open file; nil when there is none of that number.
func (h *handles) get(n uint64) volume.OpenFile {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.files[n]
}

func (h *handles) close(n uint64) {
	h.mu.Lock()
	f := h.files[n]
	delete(h.files, n)
	h.mu.Unlock()
	if f != nil {
		f.Close()
	}
}

func (h *handles) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n, f := range h.files {
		f.Close()
		delete(h.files, n)
	}
}

// readWhole reads all of buf that lies within the file, or fails: systems take a
// short answer for the end of the file and would show zeros.
func readWhole(ctx context.Context, f volume.OpenFile, buf []byte, off int64) (n int, err error) {
	left := f.Size() - off
	if off < 0 || left <= 0 {
		return 0, nil
	}
	buf = buf[:min(left, int64(len(buf)))]
	n, err = f.ReadAt(ctx, buf, off)
	switch {
	case n >= len(buf):
		return len(buf), nil
	case err == nil || err == io.EOF:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// maxComplaints bounds the lines that a broken image can put into the log.
const maxComplaints = 1000

// complaints tells the log what systems cannot be told.
type complaints struct {
	said    atomic.Int32
	damaged sync.Map // folders of which it was said that they are
}

// listed tells the log, once for each folder, that what is listed of it is not
// all that it had; systems that are told so show nothing of it. Other errors it
// gives back.
func (c *complaints) listed(o *Options, where any, err error) error {
	if !errors.Is(err, volume.ErrCorrupt) && !errors.Is(err, volume.ErrUnsupported) {
		return err
	}
	if c.said.Load() >= maxComplaints {
		return nil
	}
	if _, known := c.damaged.LoadOrStore(where, true); !known {
		c.said.Add(1)
		o.log("folder %v is damaged and listed as far as it can be: %v", where, err)
	}
	return nil
}

// class classifies an error; one without a class of its own is logged.
func (c *complaints) class(o *Options, what string, where any, err error) class {
	k := classOf(err)
	if k == classIO && c.said.Add(1) <= maxComplaints {
		o.log("%s %v: %v", what, where, err)
	}
	return k
}

// seek goes from extent to extent until one is what is wanted; size when none is.
func seek(ctx context.Context, f volume.OpenFile, off, size int64, wantHole bool) (int64, error) {
	for off < size {
		end, hole, err := nextExtent(ctx, f, size, off)
		if err != nil {
			return 0, err
		}
		if hole == wantHole {
			return off, nil
		}
		if end <= off {
			return 0, volume.ErrCorrupt
		}
		off = end
	}
	return size, nil
}
