package reader

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"vitrine/index"
)

// Bounds of the caches when nothing else is said.
const (
	DefaultCacheBytes     = 48 << 20
	DefaultPageCacheBytes = 16 << 20
)

// Pool holds what several points can share: decoded chunks, index pages, open
// files, decoders. Its bounds hold for all of them together.
type Pool struct {
	files   *handles
	pages   *pageCache
	chunks  *chunkCache
	zstd    *zstd.Decoder
	stored  sync.Pool     // *[]byte of groupChunks*MaxStored and directRoom
	plain   sync.Pool     // *[]byte of bufferSize
	help    chan struct{} // one token per goroutine that helps a read
	ahead   aheadQueue
	fresh   fresh
	loading atomic.Int32 // loads into the cache that are under way, and jobs of read-ahead

	mu   sync.Mutex
	dirs map[index.Hash]uint32
}

// NewPool makes a pool. Bounds of 0 are the defaults. Close it after all its
// points.
func NewPool(cacheBytes, pageCacheBytes int64) *Pool {
	return newPool(cacheBytes, pageCacheBytes, openFile)
}

func newPool(cacheBytes, pageCacheBytes int64, open func(string) (file, error)) *Pool {
	if cacheBytes <= 0 {
		cacheBytes = DefaultCacheBytes
	}
	if pageCacheBytes <= 0 {
		pageCacheBytes = DefaultPageCacheBytes
	}
	cpus := runtime.GOMAXPROCS(0)
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(cpus), zstd.WithDecoderLowmem(false),
		zstd.WithDecoderMaxMemory(index.BlockSize), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // constant options
	}
	p := &Pool{files: newHandles(open), pages: newPageCache(pageCacheBytes), chunks: newChunkCache(cacheBytes), zstd: dec,
		help: make(chan struct{}, max(cpus-1, 1)), dirs: map[index.Hash]uint32{}}
	p.stored.New = func() any {
		b := make([]byte, groupChunks*index.MaxStored+directRoom)
		return &b
	}
	p.plain.New = func() any {
		b := make([]byte, bufferSize)
		return &b
	}
	p.ahead.init(p, 2*cpus)
	return p
}

// Close ends read-ahead, closes files and frees the caches. No point of the
// pool may be in use any more.
func (p *Pool) Close() error {
	p.ahead.close()
	p.files.close()
	p.zstd.Close()
	p.chunks.arena.free()
	return nil
}

// Stats tells what the pool did so far.
func (p *Pool) Stats() Stats {
	p.chunks.mu.Lock()
	s := p.chunks.stats
	s.Buffers = p.chunks.made
	p.chunks.mu.Unlock()
	p.pages.mu.Lock()
	defer p.pages.mu.Unlock()
	s.PageReads, s.Pages = p.pages.loads, p.pages.demand
	return s
}

// dir numbers a segment directory. Its hash proves every chunk below it, so the
// number and a chunk's number name contents, whichever point asks.
func (p *Pool) dir(h index.Hash) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.dirs[h]
	if !ok {
		n = uint32(len(p.dirs))
		p.dirs[h] = n
	}
	return n
}

var (
	errCRC    = fmt.Errorf("the stored bytes do not match their checksum (%w)", index.ErrCorrupt)
	errDecode = fmt.Errorf("the stored bytes do not decompress to a block (%w)", index.ErrCorrupt)
	errHash   = fmt.Errorf("the block does not match its hash (%w)", index.ErrCorrupt)
)

// decode expands a chunk's stored bytes into the first BlockSize bytes of buf,
// and proves them. What lies behind them may be overwritten; with bufferSize
// bytes in all it is faster.
func (p *Pool) decode(buf []byte, sl *index.Slot, stored []byte) error {
	if index.CRC(stored) != sl.CRC {
		return errCRC
	}
	return p.prove(buf, sl, stored)
}

// prove is decode for stored bytes whose checksum was compared.
func (p *Pool) prove(buf []byte, sl *index.Slot, stored []byte) error {
	if err := p.expand(buf, sl.Codec, stored); err != nil {
		return err
	}
	if index.BlockHash(buf[:index.BlockSize]) != sl.Hash {
		return errHash
	}
	return nil
}

// expandZstd expands beside buf, and copies, where there is no room behind the
// block: a tenth of what the decoder would lose.
func (p *Pool) expandZstd(buf, stored []byte) error {
	room := buf
	if len(buf) < bufferSize {
		b := p.plain.Get().(*[]byte)
		defer p.plain.Put(b)
		room = *b
	}
	out, err := p.zstd.DecodeAll(stored, room[:0:bufferSize])
	if err != nil || len(out) != index.BlockSize {
		return errDecode
	}
	if len(buf) < bufferSize {
		copy(buf, out)
	}
	return nil
}

func (p *Pool) expand(buf []byte, codec index.Codec, stored []byte) error {
	dst := buf[:index.BlockSize]
	switch codec {
	case index.Raw:
		if copy(dst, stored) != index.BlockSize || len(stored) != index.BlockSize {
			return errDecode
		}
	case index.Zstd:
		return p.expandZstd(buf, stored)
	case index.S2:
		if n, err := s2.DecodedLen(stored); err != nil || n != index.BlockSize {
			return errDecode
		}
		if _, err := s2.Decode(dst, stored); err != nil {
			return errDecode
		}
	default:
		return errors.Join(errDecode, index.ErrUnsupported)
	}
	return nil
}
