package ntfsparse

import (
	"errors"
	"io/fs"
)

// wofStream is the name of the stream that holds a CompactOS file.
const wofStream = "WofCompressedData"

// wofChunks are the plain sizes of a chunk, by algorithm.
var wofChunks = map[uint32]int64{0: 4096, 1: 32768, 2: 8192, 3: 16384}

// wofBlocks are the chunks of a CompactOS file. Its stream begins with the
// offsets of all chunks but the first, counted from the end of that table,
// in 4 bytes each, or 8 for files of 4 GiB and more. A chunk as long as its
// plain contents is stored as it is.
type wofBlocks struct {
	src    *Stream
	plain  int64 // of the file
	chunk  int64
	entry  int64 // bytes of a table entry
	decode func(dst, src []byte) error
}

// openWOF gives the plain contents of a file that Windows compressed.
func (f *File) openWOF(p ReparsePoint, main *Stream) (*Stream, error) {
	w, err := p.WOF()
	if err != nil {
		return nil, inRecord(err, f.rec.N)
	}
	if w.Provider != 2 {
		return nil, classf(ErrUnsupported, f.rec.N, "contents are in a WIM file (WOF provider %d)", w.Provider)
	}
	chunk := wofChunks[w.Algorithm]
	if chunk == 0 {
		return nil, classf(ErrUnsupported, f.rec.N, "WOF algorithm %d", w.Algorithm)
	}
	src, err := f.attrStream(TypeData, string(EncodeName(wofStream)))
	if errors.Is(err, fs.ErrNotExist) {
		err = classf(ErrCorrupt, f.rec.N, "CompactOS file has no stream %s", wofStream)
	}
	if err != nil {
		return nil, err
	}
	return wofStreamOf(src, main, chunk, w.Algorithm), nil
}

func wofStreamOf(src, main *Stream, chunk int64, algorithm uint32) *Stream {
	c := &wofBlocks{src: src, plain: main.size, chunk: chunk, entry: 4, decode: xpress}
	if c.plain > 1<<32-1 {
		c.entry = 8
	}
	if algorithm == 1 {
		c.decode = lzx
	}
	plain := *main
	plain.valid, plain.total = c.plain, src.total
	plain.inBlocks(c)
	return &plain
}

func (c *wofBlocks) find(off int64) (block, error) { return even(off, c.chunk, c.plain), nil }

// chunks is the number of chunks of the file.
func (c *wofBlocks) chunks() int64 { return (c.plain-1)/c.chunk + 1 }

// place finds chunk i in the compressed stream.
func (c *wofBlocks) place(i int64) (off, n int64, err error) {
	table := (c.chunks() - 1) * c.entry
	if table > c.src.size {
		return 0, 0, corrupt("WOF table is longer than the stream", -1)
	}
	start, end := int64(0), c.src.size-table
	var b [16]byte
	first := max(0, i-1)
	want := b[:(min(i+1, c.chunks()-1)-first)*c.entry]
	if err := c.readTable(want, first*c.entry); err != nil {
		return 0, 0, err
	}
	if i > 0 {
		start, want = c.offset(want), want[c.entry:]
	}
	if i+1 < c.chunks() {
		end = c.offset(want)
	}
	if start < 0 || end <= start || end > c.src.size-table {
		return 0, 0, corrupt("WOF table is not in order", int(first*c.entry))
	}
	return table + start, end - start, nil
}

func (c *wofBlocks) offset(b []byte) int64 {
	if c.entry == 8 {
		return int64(le.Uint64(b))
	}
	return int64(le.Uint32(b))
}

// readTable reads through the cache of pages, since each chunk asks for its
// two entries alone.
func (c *wofBlocks) readTable(p []byte, off int64) error {
	table := *c.src
	table.cached = true
	return readFull(&table, p, off)
}

func (c *wofBlocks) part(i int64, p []byte, in int64) (bool, error) {
	off, n, err := c.place(i)
	if err != nil {
		return true, inRecord(err, c.src.file.Record())
	}
	if n == min(c.chunk, c.plain-i*c.chunk) {
		return true, readFull(c.src, p, off+in)
	}
	return false, nil
}

func (c *wofBlocks) read(i int64, p []byte) error {
	off, n, err := c.place(i)
	if err != nil {
		return inRecord(err, c.src.file.Record())
	}
	if n > int64(len(p)) {
		return classf(ErrCorrupt, c.src.file.Record(), "WOF chunk %d is longer than its contents", i)
	}
	keep, src := borrow(n)
	defer scratch.Put(keep)
	if err := readFull(c.src, src, off); err != nil {
		return err
	}
	if err := c.decode(p, src); err != nil {
		return &Error{Class: ErrCorrupt, What: "WOF chunk cannot be decoded", Record: c.src.file.Record(), Off: i * c.chunk, Err: err}
	}
	return nil
}
