package ntfsparse

// Chunk is a piece of a deduplicated file, as the chunk store has it.
type Chunk struct {
	Container  uint32 // of data, in which it is
	Begin, End int64  // the piece of the file

	store *chunkStore
	ref   chunkRef
}

// ChunkKey has all that [Chunk.Prove] depends on: of two chunks with the same, one
// proves the other.
type ChunkKey struct {
	store [16]byte
	place chunkPlace
	size  int64
	hash  [32]byte
}

// Key is the chunk's key.
func (k *Chunk) Key() ChunkKey {
	return ChunkKey{k.store.guid, k.ref.chunkPlace, k.End - k.Begin, k.ref.hash}
}

// Chunks visits the chunks of a deduplicated file in their order until yield
// returns false. Other files have none, nor has one that keeps all its contents
// itself. The chunk given is valid during the call.
func (f *File) Chunks(yield func(*Chunk) bool) error {
	s, err := f.Open()
	if err != nil {
		return err
	}
	blocks, ok := s.blocks.(*dedupBlocks)
	if !ok {
		return nil
	}
	for i := range blocks.parts {
		m, err := blocks.open(int64(i))
		more := true
		if err == nil {
			more, err = m.each(yield)
		}
		if err != nil {
			return inRecord(err, f.rec.N)
		}
		if !more {
			break
		}
	}
	return nil
}

// each visits the chunks of a map that was verified.
func (m *smap) each(yield func(*Chunk) bool) (more bool, err error) {
	buf := make([]byte, min(m.n*smapEntry, 64<<10))
	k := Chunk{store: m.store, End: m.begin}
	for i := 0; i < m.n; {
		b := buf[:min(m.n-i, len(buf)/smapEntry)*smapEntry]
		if err := readFull(m.src, b, m.at+int64(i)*smapEntry); err != nil {
			return false, err
		}
		for ; len(b) > 0; b = b[smapEntry:] {
			e := parseChunkRef(b)
			if err := e.checkLen(k.End); err != nil {
				return false, err
			}
			k.Container, k.Begin, k.End, k.ref = e.container, k.End, e.end, e
			if !yield(&k) {
				return false, nil
			}
			i++
		}
	}
	return true, nil
}

// Stored tells whether the chunk's container is there at all.
func (k *Chunk) Stored() bool { return len(k.store.kinds[chunkData][k.Container]) > 0 }

// Prove reads the chunk and fails unless its hash proves what is read.
func (k *Chunk) Prove() error {
	keep, p := borrow(k.End - k.Begin)
	defer scratch.Put(keep)
	return k.store.readChunk(k.ref, p)
}
