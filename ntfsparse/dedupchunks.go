package ntfsparse

// Chunk is a piece of a deduplicated file, as the chunk store has it.
type Chunk struct {
	Container, Number  uint32 // of a container of data, and of the chunk in it
	Generation, Offset uint32 // where it was when it was written down
	Begin, End         int64  // the piece of the file
	Hash               [32]byte

	store *chunkStore
	len   uint32
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
			k.Begin, k.End, k.Hash, k.len = k.End, e.end, e.hash, e.len
			k.Container, k.Number, k.Generation, k.Offset = e.container, e.number, e.generation, e.offset
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
	return k.store.readChunk(chunkRef{chunkPlace{k.Number, k.Container, k.Offset, k.Generation, k.len}, k.End, k.Hash}, p)
}
