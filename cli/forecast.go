package cli

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"vitrine/capture"
	"vitrine/device"
	"vitrine/index"
	"vitrine/reader"
)

// trialBytes is how much is read on trial, at most. Trials are made again
// whenever twice as much has been written, so that they cost next to nothing.
const trialBytes = 8 << 20

// forecast says how long it will take to read an image back, from trials on
// what there is of it.
type forecast struct {
	read  float64 // bytes a second from the medium; 0: not known
	prove float64 // plain bytes a second that one processor decodes and hashes; 0: not known
	older int64   // bytes of the members in front of the one that is written
	next  int64   // stored bytes at which the next trial is made
	began time.Time
}

// newForecast begins with trials on the parent's largest file, if there is one.
func newForecast(parent *reader.Point) *forecast {
	f := &forecast{}
	if parent == nil {
		return f
	}
	largest, most := "", int64(0)
	for _, m := range parent.Chain() {
		f.older += m.Size
		if m.Size > most && len(m.Parts) > 0 {
			largest, most = m.Parts[0], m.Size
		}
	}
	f.try(largest)
	return f
}

// seconds is how long it takes to prove what ev says will be there at the end
// of the capture; 0: not known.
func (f *forecast) seconds(ev capture.Event) float64 {
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

// watch makes a trial on the file that is written, if it is time to. Writing
// may be in the way of a trial, but reading is hardly ever slower than writing.
func (f *forecast) watch(ev capture.Event) {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	if ev.Path == "" || ev.Stored < max(f.next, trialBytes/4) {
		return
	}
	f.next = 2 * ev.Stored
	f.try(ev.Path)
	f.read = max(f.read, float64(ev.Stored)/time.Since(f.began).Seconds())
}

// try measures how fast a member is read and its chunks are proved. What
// cannot be measured stays as it was.
func (f *forecast) try(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	defer device.DropCache(file, 0, 0) // the proof itself shall not profit
	st, err := file.Stat()
	if err != nil {
		return
	}
	// What was written last may still be in memory, on its way to the medium.
	if pace := reading(file, max(st.Size()-4*trialBytes, st.Size()/2)); pace > 0 {
		f.read = pace
	}
	if pace := proving(file, min(st.Size(), trialBytes)); pace > 0 {
		f.prove = pace
	}
}

// reading reads a little somewhere below size and gives the bytes a second.
func reading(r io.ReaderAt, size int64) float64 {
	n := min(size, trialBytes)
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
