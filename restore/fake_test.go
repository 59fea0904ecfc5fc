package restore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"sync"

	"vitrine/index"
)

// image is a view in memory whose blocks have kinds, counted from base.
type image struct {
	data  []byte
	kinds []index.Kind // of each block; of the whole disk
	bad   int64        // offset of a block that is damaged; -1: none
}

const testBlock = 64 << 10

// newImage fills size bytes with a mix of kinds. Blocks that are no data read
// as zeros.
func newImage(size int64, seed int64) *image {
	im := &image{data: make([]byte, size), bad: -1}
	rng := rand.New(rand.NewSource(seed))
	rng.Read(im.data)
	for off := int64(0); off < size; off += testBlock {
		k := [...]index.Kind{index.Data, index.Data, index.Hole, index.Zero, index.NotCaptured, index.Data, index.Unreadable}[rng.Intn(7)]
		im.kinds = append(im.kinds, k)
	}
	im.settle()
	return im
}

// dataImage holds all of b.
func dataImage(b []byte) *image {
	im := &image{data: b, bad: -1}
	for range (len(b) + testBlock - 1) / testBlock {
		im.kinds = append(im.kinds, index.Data)
	}
	return im
}

func (im *image) block(i int) []byte {
	return im.data[i*testBlock : min((i+1)*testBlock, len(im.data))]
}

// settle zeroes what is no data.
func (im *image) settle() {
	for i, k := range im.kinds {
		if k != index.Data {
			clear(im.block(i))
		}
	}
}

func (im *image) Size() int64 { return int64(len(im.data)) }

var errDamaged = errors.New("damaged chunk")

func (im *image) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if im.bad >= 0 && im.bad < off+int64(len(p)) && im.bad+testBlock > off {
		return 0, errDamaged
	}
	n := copy(p, im.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (im *image) Extents(ctx context.Context, off, n int64, yield func(Extent) bool) error {
	for end := min(off+n, im.Size()); off < end; {
		to := min((off/testBlock+1)*testBlock, end)
		for to < end && im.kinds[to/testBlock] == im.kinds[off/testBlock] {
			to = min(to+testBlock, end)
		}
		if !yield(Extent{Off: off, Len: to - off, Kind: im.kinds[off/testBlock]}) {
			return nil
		}
		off = to
	}
	return ctx.Err()
}

// memTarget is a target in memory that can fail.
type memTarget struct {
	mu       sync.Mutex
	data     []byte
	file     bool // a plain file
	absent   bool // which does not exist yet
	sector   int
	start    int64
	ops      int // operations so far
	failAt   int // this one fails; 0: none
	failOnly string
	flip     int64 // a byte that reads back wrong; -1: none
	log      []string
}

var errInjected = errors.New("injected fault")

func newMem(size int64) *memTarget {
	return &memTarget{data: bytes.Repeat([]byte{0xaa}, int(size)), sector: 512, start: -1, flip: -1}
}

func newMemFile() *memTarget {
	return &memTarget{file: true, absent: true, start: -1, flip: -1}
}

// step counts an operation and fails the chosen one.
func (m *memTarget) step(what string) error {
	if m.failOnly != "" && m.failOnly != what {
		return nil
	}
	if m.ops++; m.ops == m.failAt {
		return errInjected
	}
	return nil
}

func (m *memTarget) Path() string    { return "target" }
func (m *memTarget) Model() string   { return "Model" }
func (m *memTarget) Serial() string  { return "Serial" }
func (m *memTarget) Size() int64     { return int64(len(m.data)) }
func (m *memTarget) SectorSize() int { return m.sector }
func (m *memTarget) Start() int64    { return m.start }
func (m *memTarget) Fixed() bool     { return !m.file }
func (m *memTarget) Exists() bool    { return !m.absent }
func (m *memTarget) Free() int64     { return -1 }

func (m *memTarget) SetSize(n int64, empty bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("size"); err != nil {
		return err
	}
	m.absent = false
	if empty {
		m.data = nil
	}
	b := make([]byte, n)
	copy(b, m.data)
	m.data = b
	return nil
}

func (m *memTarget) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[off:])
	if m.flip >= off && m.flip < off+int64(n) {
		p[m.flip-off] ^= 1
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memTarget) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("write"); err != nil {
		return copy(m.data[off:], p[:len(p)/2]), err
	}
	if off < 0 || off+int64(len(p)) > int64(len(m.data)) {
		return 0, errors.New("write beyond the end")
	}
	m.note("w", off, int64(len(p)))
	return copy(m.data[off:], p), nil
}

func (m *memTarget) Zero(off, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("zero"); err != nil {
		return err
	}
	m.note("z", off, n)
	clear(m.data[off : off+n])
	return nil
}

func (m *memTarget) Discard(off, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("discard"); err != nil {
		return err
	}
	copy(m.data[off:off+n], bytes.Repeat([]byte{0xdd}, int(n)))
	return nil
}

func (m *memTarget) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("s", 0, 0)
	return m.step("sync")
}

func (m *memTarget) WriteBehind(off, n int64) {}

func (m *memTarget) Reserve(off, n int64) error {
	if !m.file || off < 0 || n <= 0 || off+n > m.Size() {
		return errInjected
	}
	return nil
}

func (m *memTarget) RereadTable() error { return m.step("reread") }
