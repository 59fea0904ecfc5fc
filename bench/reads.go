//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

type extent struct{ off, end int64 }

// dataOf lists where a sparse file has data.
func dataOf(path string) (list []extent, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for at := int64(0); ; {
		data, err := f.Seek(at, unix.SEEK_DATA)
		if err != nil {
			return list, nil
		}
		if at, err = f.Seek(data, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		list = append(list, extent{data, at})
	}
}

// reads is one run of reading a file where its sparse twin has data.
type reads struct {
	used   []extent
	starts []int64 // used bytes before each extent
	total  int64
	size   int64 // of one read
	depth  int
	limit  time.Duration
	n      int
	rounds int
	f      readerAtCloser
	mu     sync.Mutex
	rnd    *rand.Rand
	left   int
	next   int
	pos    int64
	seq    bool
	lat    []time.Duration
	bytes  int64
}

// readArgs is the command "read": it prints operations and MB per second, and
// the median and the 99th percentile of the time of one in µs.
func readArgs(args []string) error {
	r := reads{}
	f := flag.NewFlagSet("read", flag.ExitOnError)
	twin := f.String("twin", "", "sparse file whose data says where to read")
	f.BoolVar(&r.seq, "seq", false, "front to back")
	f.Int64Var(&r.size, "bs", 4096, "bytes of a read")
	f.IntVar(&r.depth, "depth", 1, "readers")
	f.IntVar(&r.n, "n", 0, "reads; 0: by time")
	warm := f.Bool("warm", false, "the same places before, untimed; the file is then opened anew")
	drop := f.Bool("drop", false, "take them out of the system's cache in between")
	f.IntVar(&r.rounds, "rounds", 1, "how often the same places are read")
	f.DurationVar(&r.limit, "time", 2*time.Second, "how long")
	seed := f.Uint64("seed", 7, "of the places")
	f.Parse(args)
	var err error
	if r.used, err = dataOf(*twin); err != nil {
		return err
	}
	for _, e := range r.used {
		r.starts, r.total = append(r.starts, r.total), r.total+e.end-e.off
	}
	if r.f, err = openToRead(f.Arg(0)); err != nil {
		return err
	}
	defer func() { r.f.Close() }()
	if *warm {
		if err := r.warmUp(f.Arg(0), *seed, *drop); err != nil {
			return err
		}
	}
	return r.report(*seed)
}

// warmUp reads the places once and opens a file anew, as another program would.
func (r *reads) warmUp(name string, seed uint64, drop bool) error {
	if err := r.all(seed); err != nil {
		return err
	}
	file, ok := r.f.(*os.File)
	if !ok {
		return nil
	}
	if drop {
		unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	r.f.Close()
	var err error
	r.f, err = openToRead(name)
	return err
}

type readerAtCloser interface {
	io.ReaderAt
	io.Closer
}

// openToRead opens a file, or an NBD export by its address.
func openToRead(name string) (readerAtCloser, error) {
	if strings.HasPrefix(name, "nbd") && strings.Contains(name, "://") {
		return dialNBD(name)
	}
	return os.Open(name)
}

func (r *reads) report(seed uint64) error {
	began := time.Now()
	var lat []time.Duration
	var bytes int64
	for range r.rounds {
		if err := r.all(seed); err != nil {
			return err
		}
		lat, bytes = append(lat, r.lat...), bytes+r.bytes
	}
	r.lat, r.bytes = lat, bytes
	secs := time.Since(began).Seconds()
	slices.Sort(r.lat)
	at := func(q float64) float64 { return float64(r.lat[int(q*float64(len(r.lat)-1))].Nanoseconds()) / 1e3 }
	fmt.Printf("value %.1f %.2f %.1f %.1f\n", float64(len(r.lat))/secs, float64(r.bytes)/1e6/secs, at(.5), at(.99))
	return nil
}

func (r *reads) all(seed uint64) error {
	r.rnd, r.left, r.next, r.pos, r.lat, r.bytes = rand.New(rand.NewPCG(seed, 0)), r.n, 0, 0, nil, 0
	end := time.Now().Add(r.limit)
	errs := make(chan error, r.depth)
	for range r.depth {
		go func() { errs <- r.one(end) }()
	}
	var err error
	for range r.depth {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

func (r *reads) one(end time.Time) error {
	b := make([]byte, r.size)
	for {
		off, n, ok := r.place()
		if !ok || time.Now().After(end) {
			return nil
		}
		began := time.Now()
		k, err := r.f.ReadAt(b[:n], off)
		if err != nil && err != io.EOF {
			return err
		}
		r.mu.Lock()
		r.lat, r.bytes = append(r.lat, time.Since(began)), r.bytes+int64(k)
		r.mu.Unlock()
	}
}

func (r *reads) place() (off, n int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n > 0 {
		if r.left--; r.left < 0 {
			return 0, 0, false
		}
	}
	if r.seq {
		return r.forward()
	}
	p := r.rnd.Int64N(r.total)
	i := sort.Search(len(r.starts), func(i int) bool { return r.starts[i] > p }) - 1
	return (r.used[i].off + p - r.starts[i]) / r.size * r.size, r.size, true
}

func (r *reads) forward() (off, n int64, ok bool) {
	if r.next == len(r.used) {
		return 0, 0, false
	}
	e := r.used[r.next]
	off = max(r.pos, e.off)
	n = min(r.size, e.end-off)
	if r.pos = off + n; r.pos == e.end {
		r.next++
	}
	return off, n, true
}

// evict is the command "evict": it takes files out of the page cache.
func evict(paths []string) error {
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		f.Sync()
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		if f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// patchArgs is the command "patch FILE SEED N": N blocks of 64 KiB get other
// contents that compress to a half. With -list it prints commands for qemu-io
// that do as much where the sparse FILE has data.
func patchArgs(args []string) error {
	list := args[0] == "-list"
	if list {
		args = args[1:]
	}
	seed, _ := strconv.ParseUint(args[1], 10, 64)
	n, _ := strconv.Atoi(args[2])
	st, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	if list {
		for range n {
			fmt.Printf("write -q -c -P %d %d 65536\n", rnd.IntN(256), rnd.Int64N(st.Size()>>16)<<16)
		}
		return nil
	}
	return patchBlocks(args[0], st.Size(), n, rnd, seed)
}

func patchBlocks(path string, size int64, n int, rnd *rand.Rand, seed uint64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b, src := make([]byte, 64<<10), source(byte(seed))
	for range n {
		src.Read(b[:32<<10])
		if _, err := f.WriteAt(b, rnd.Int64N(size>>16)<<16); err != nil {
			return err
		}
	}
	return f.Close()
}
