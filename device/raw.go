package device

import (
	"io"
	"sync"
	"unsafe"
)

// Sizes of direct I/O, in bytes.
const (
	bounceSize  = 1 << 20  // one transfer through a bounce buffer
	windowSize  = 64 << 10 // what small reads are widened to
	windowCount = 16       // windows kept
	alignment   = 4096     // of buffers in memory
)

// readWriterAt is the part of *os.File that direct I/O needs.
type readWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// rawFile does direct I/O: sizes, offsets and buffers that do not suit the
// device go through aligned buffers. Small reads are served from a few windows,
// since file-system readers ask for many little things; nothing else is cached.
type rawFile struct {
	f      readWriterAt
	size   int64
	sector int64

	pool chan []byte // bounce buffers; nil: not allocated yet

	mu    sync.Mutex
	cache [windowCount]window
	tick  int64
}

type window struct {
	off  int64
	data []byte
	used int64 // tick of the last use; 0: empty
}

func newRawFile(f readWriterAt, info Info) *rawFile {
	r := &rawFile{f: f, size: info.Size, sector: int64(max(info.SectorSize, 512)), pool: make(chan []byte, 4)}
	for range cap(r.pool) {
		r.pool <- nil
	}
	return r
}

// AlignedBuffer is a buffer of n bytes that direct I/O can use as it is.
func AlignedBuffer(n int) []byte {
	b := make([]byte, n+alignment)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (alignment - 1)
	return b[skip : skip+n : skip+n]
}

// suits reports whether p at off is whole sectors.
func (r *rawFile) suits(p []byte, off int64) bool {
	return int64(len(p))%r.sector == 0 && off%r.sector == 0
}

// aligned reports whether p at off suits the device as it is.
func (r *rawFile) aligned(p []byte, off int64) bool {
	return len(p) > 0 && int64(len(p))%r.sector == 0 && off%r.sector == 0 &&
		uintptr(unsafe.Pointer(&p[0]))%uintptr(max(r.sector, 512)) == 0
}

func (r *rawFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= r.size {
		return 0, io.EOF
	}
	if rest := r.size - off; int64(len(p)) > rest {
		n, err := r.ReadAt(p[:rest], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	switch {
	case len(p) < windowSize:
		return r.readSmall(p, off)
	case r.aligned(p, off):
		return r.f.ReadAt(p, off)
	}
	return r.readBounced(p, off)
}

// readBounced reads through a bounce buffer, piece by piece.
func (r *rawFile) readBounced(p []byte, off int64) (done int, err error) {
	b := r.get()
	defer r.put(b)
	for done < len(p) {
		at := off + int64(done)
		skip := at % r.sector
		want := min(r.up(skip+int64(len(p)-done)), bounceSize)
		n, err := r.f.ReadAt(b[:min(want, r.up(r.size-at+skip))], at-skip)
		done += copy(p[done:], b[min(skip, int64(n)):n])
		if done < len(p) && (err != nil || int64(n) <= skip) {
			return done, orEOF(err)
		}
	}
	return done, nil
}

// orEOF makes a missing error one.
func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// readSmall serves p, which may touch two windows.
func (r *rawFile) readSmall(p []byte, off int64) (done int, err error) {
	for done < len(p) {
		at := off + int64(done)
		start := at &^ (windowSize - 1)
		n, ok := r.cached(p[done:], at, start)
		if !ok {
			if r.load(start) != nil {
				n, err = r.readBounced(p[done:], at)
				return done + n, err
			}
			continue
		}
		done += n
	}
	return done, nil
}

// cached copies from the window that begins at start.
func (r *rawFile) cached(p []byte, at, start int64) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.cache {
		w := &r.cache[i]
		if w.used != 0 && w.off == start && at-start < int64(len(w.data)) {
			r.tick++
			w.used = r.tick
			return copy(p, w.data[at-start:]), true
		}
	}
	return 0, false
}

// load reads a window and puts it in the place of the one unused longest.
func (r *rawFile) load(start int64) error {
	b := AlignedBuffer(int(min(windowSize, r.up(r.size-start))))
	if n, err := r.f.ReadAt(b, start); n < len(b) {
		return orEOF(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := &r.cache[0]
	for i := range r.cache {
		if r.cache[i].used < oldest.used {
			oldest = &r.cache[i]
		}
	}
	r.tick++
	*oldest = window{start, b, r.tick}
	return nil
}

// forget drops all windows.
func (r *rawFile) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache = [windowCount]window{}
}

// WriteAt writes p anywhere inside the device. Of sectors that it covers in part
// the rest is read first; nobody else may write them meanwhile.
func (r *rawFile) WriteAt(p []byte, off int64) (done int, err error) {
	head := min(r.up(off)-off, int64(len(p)))
	whole := (int64(len(p)) - head) / r.sector * r.sector
	for _, part := range []struct {
		p     []byte
		write func([]byte, int64) (int, error)
	}{{p[:head], r.writePart}, {p[head : head+whole], r.writeWhole}, {p[head+whole:], r.writePart}} {
		if len(part.p) == 0 {
			continue
		}
		n, err := part.write(part.p, off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// writePart writes inside one sector.
func (r *rawFile) writePart(p []byte, off int64) (int, error) {
	b := r.get()
	defer r.put(b)
	start := off / r.sector * r.sector
	b = b[:r.sector]
	if n, err := r.f.ReadAt(b, start); int64(n) < r.sector && start+int64(n) < r.size {
		return 0, orEOF(err)
	}
	copy(b[off-start:], p)
	if _, err := r.f.WriteAt(b, start); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeWhole writes whole sectors.
func (r *rawFile) writeWhole(p []byte, off int64) (int, error) {
	if r.aligned(p, off) {
		return r.f.WriteAt(p, off)
	}
	return r.writeBounced(p, off)
}

// writeBounced writes p, whose offset and length suit the device.
func (r *rawFile) writeBounced(p []byte, off int64) (done int, err error) {
	b := r.get()
	defer r.put(b)
	for done < len(p) {
		n := copy(b, p[done:])
		w, err := r.f.WriteAt(b[:n], off+int64(done))
		done += w
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// up rounds to whole sectors.
func (r *rawFile) up(n int64) int64 { return (n + r.sector - 1) / r.sector * r.sector }

func (r *rawFile) get() []byte {
	if b := <-r.pool; b != nil {
		return b
	}
	return AlignedBuffer(bounceSize)
}

func (r *rawFile) put(b []byte) { r.pool <- b }
