package cli

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"vitrine/capture"
	"vitrine/device"
	"vitrine/index"
	"vitrine/reader"
)

// trialBytes is how much is read on trial, at most.
const trialBytes = 8 << 20

// trialUnsure is the share by which trials come out slower than the proof: other
// work, the capture's own too, holds them up, and the best of them counts.
const trialUnsure = 0.25

// forecast says how long it will take to read an image back, from trials on
// what there is of it. It is safe for parallel use.
type forecast struct {
	older int64 // bytes of the members in front of the one that is written

	mu    sync.Mutex
	read  float64 // bytes a second, the best of the trials; 0: none yet
	prove float64 // plain bytes a second that one processor decodes and hashes; 0: not known
}

// newForecast begins with trials on the parent's largest file, if there is one.
func newForecast(parent *reader.Point) *forecast {
	f := &forecast{}
	if parent == nil {
		return f
	}
	largest, most := "", int64(0)
	for _, file := range filesOf(parent) {
		if st, err := os.Stat(file); err == nil {
			f.older += st.Size()
			if st.Size() > most {
				largest, most = file, st.Size()
			}
		}
	}
	f.try(largest, most)
	return f
}

// seconds is how long it takes to prove what ev says will be there at the end
// of the capture; 0: not known.
func (f *forecast) seconds(ev capture.Event) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read <= 0 || ev.Done <= 0 {
		return 0
	}
	grow := float64(ev.Total) / float64(ev.Done)
	secs := (float64(f.older) + grow*float64(ev.Stored)) / f.read
	if f.prove > 0 {
		workers := min(runtime.GOMAXPROCS(0), 8)
		secs = max(secs, grow*float64(ev.Data)/f.prove/float64(workers))
	}
	return secs
}

// lumps is by how many seconds what is taken may be ahead of what has reached the
// disk: it is taken to write as fast as it reads. For a trial the one waits for
// the other, and then rushes on.
func (f *forecast) lumps(ev capture.Event) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read <= 0 {
		return 0
	}
	return float64(min(ev.Stored, onItsWay)) / f.read
}

// try measures how fast a member is read, below size, and its chunks are
// proved. What cannot be measured stays as it was.
func (f *forecast) try(path string, size int64) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	defer device.DropCache(file, 0, 0) // the proof itself shall not profit
	c := timeProof(file, min(size, trialBytes))
	f.mu.Lock()
	defer f.mu.Unlock()
	if c != nil {
		f.read = max(f.read, float64(c.read)/c.reading.Seconds())
		f.prove = float64(c.plain) / c.proving.Seconds()
	}
}

// timeProof reads the first bytes of a member as a proof does, and proves the
// chunks in them; nil when there is nothing to measure.
func timeProof(r io.ReaderAt, size int64) *proofClock {
	h, err := index.ReadHeader(r)
	if err != nil {
		return nil
	}
	c := &proofClock{r: r, pool: reader.NewPool(1, 1), buf: make([]byte, index.MaxStored)}
	defer c.pool.Close()
	began := time.Now()
	err = index.Scan(r, size, size, h, index.ScanVisitor{Segment: func(p index.SegmentPtr, s *index.Segment, bad []int) error {
		if len(bad) > 0 { // the end of what is there
			return errEnough
		}
		c.read = p.Off + int64(p.Len)
		defer func(t time.Time) { c.aside += time.Since(t) }(time.Now())
		return c.segment(s)
	}})
	c.reading = time.Since(began) - c.aside
	if err != nil && !errors.Is(err, errEnough) || c.plain == 0 || c.reading <= 0 {
		return nil
	}
	return c
}

var errEnough = errors.New("enough was tried")

// proofClock measures how long it takes to read records and to prove chunks.
type proofClock struct {
	r    io.ReaderAt
	pool *reader.Pool
	buf  []byte

	read, plain      int64 // bytes
	reading, proving time.Duration
	aside            time.Duration // in the visitor
}

func (c *proofClock) segment(s *index.Segment) error {
	for i := range s.Slots {
		at, slot, err := s.Chunk(i)
		if err != nil {
			return err
		}
		if _, err := c.r.ReadAt(c.buf[:slot.Len], at); err != nil {
			return err
		}
		began := time.Now()
		if err := c.pool.ProveChunk(&slot, c.buf[:slot.Len]); err != nil {
			return err
		}
		c.proving += time.Since(began)
		c.plain += index.BlockSize
	}
	return nil
}
