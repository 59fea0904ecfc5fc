package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"vitrine/blockdev"
)

// maxTold is how many errors of one device are told: clients try again, and a
// damaged image has many places.
const maxTold = 8

// watched is a device whose errors are told here as well as to the client.
type watched struct {
	blockdev.Device
	e    *env
	name string
	n    *atomic.Int64
}

type watchedWritable struct {
	watched
	w blockdev.Writable
}

// watch tells the errors of what is served.
func (e *env) watch(s served) blockdev.Device {
	d := watched{s.dev, e, s.name, new(atomic.Int64)}
	if w, ok := s.dev.(blockdev.Writable); ok {
		return watchedWritable{d, w}
	}
	return d
}

func (d watched) tell(what string, off int64, err error) {
	fault := err != nil && err != io.EOF && !errors.Is(err, context.Canceled) && !errors.Is(err, blockdev.ErrRange) && !errors.Is(err, blockdev.ErrReadOnly)
	if !fault {
		return
	}
	switch n := d.n.Add(1); {
	case n <= maxTold:
		d.e.note(note{Text: fmt.Sprintf("%s: %s at %d: %v", d.name, what, off, err)})
	case n == maxTold+1:
		d.e.note(note{Text: d.name + ": more errors follow and are told to clients alone; 'vitrine verify' lists what is damaged"})
	}
}

func (d watched) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := d.Device.ReadAtContext(ctx, p, off)
	d.tell("reading", off+int64(n), err)
	return n, err
}

func (d watchedWritable) WriteAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := d.w.WriteAtContext(ctx, p, off)
	d.tell("writing", off, err)
	return n, err
}

func (d watchedWritable) ZeroRange(ctx context.Context, off, n int64, hole bool) error {
	err := d.w.ZeroRange(ctx, off, n, hole)
	d.tell("zeroing", off, err)
	return err
}

func (d watchedWritable) Flush(ctx context.Context) error {
	err := d.w.Flush(ctx)
	d.tell("flushing", 0, err)
	return err
}
