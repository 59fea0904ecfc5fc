package cli

import (
	"errors"
	"io"
	"math/rand/v2"
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

// readPace is how fast something is read that is being written. Writing may
// stand in the way of trials, so the best one counts; and hardly a medium reads
// slower than it writes. Rates are bytes a second.
type readPace struct {
	best  float64 // of the trials, and of writing
	began time.Time
}

// wrote is told how much has been written.
func (r *readPace) wrote(n int64) {
	if n <= 0 {
		return
	}
	if r.began.IsZero() {
		r.began = time.Now()
	}
	if d := time.Since(r.began); d > sureAfter {
		r.best = max(r.best, float64(n)/d.Seconds())
	}
}

func (r *readPace) tried(rate float64) { r.best = max(r.best, rate) }

// forecast says how long it will take to read an image back, from trials on
// what there is of it. It is safe for parallel use.
type forecast struct {
	older int64 // bytes of the members in front of the one that is written

	mu    sync.Mutex
	read  readPace
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
	f.read.wrote(ev.Stored)
	if f.read.best <= 0 || ev.Done <= 0 {
		return 0
	}
	grow := float64(ev.Total) / float64(ev.Done)
	secs := (float64(f.older) + grow*float64(ev.Stored)) / f.read.best
	if f.prove > 0 {
		workers := min(runtime.GOMAXPROCS(0), 8)
		secs = max(secs, grow*float64(ev.Data)/f.prove/float64(workers))
	}
	return secs
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
	read, prove := reading(file, size), proving(file, min(size, trialBytes))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read.tried(read)
	if prove > 0 {
		f.prove = prove
	}
}

// reading reads a little somewhere below size and gives the bytes a second.
func reading(r io.ReaderAt, size int64) float64 {
	n := min(size, trialBytes)
	if n <= 0 {
		return 0
	}
	b := make([]byte, 1<<20)
	at, began := rand.Int64N(size-n+1), time.Now()
	for done := int64(0); done < n; {
		k, err := r.ReadAt(b[:min(int64(len(b)), n-done)], at+done)
		done += int64(k)
		if err != nil {
			return 0
		}
	}
	return float64(n) / max(time.Since(began).Seconds(), 1e-6)
}

// proving proves the chunks in the first bytes of a member and gives the plain
// bytes a second, reading apart.
func proving(r io.ReaderAt, size int64) float64 {
	h, err := index.ReadHeader(r)
	if err != nil {
		return 0
	}
	c := chunkClock{r: r, pool: reader.NewPool(1, 1), buf: make([]byte, index.MaxStored)}
	defer c.pool.Close()
	err = index.Scan(r, size, size, h, index.ScanVisitor{Segment: func(_ index.SegmentPtr, s *index.Segment, bad []int) error {
		if len(bad) > 0 { // the end of what is there
			return errEnough
		}
		return c.segment(s)
	}})
	if err != nil && !errors.Is(err, errEnough) || c.spent <= 0 {
		return 0
	}
	return float64(c.bytes) / c.spent.Seconds()
}

var errEnough = errors.New("enough was tried")

// chunkClock measures how long it takes to prove chunks.
type chunkClock struct {
	r     io.ReaderAt
	pool  *reader.Pool
	buf   []byte
	bytes int64
	spent time.Duration
}

func (c *chunkClock) segment(s *index.Segment) error {
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
		c.spent += time.Since(began)
		c.bytes += index.BlockSize
	}
	return nil
}
