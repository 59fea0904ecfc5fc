package reader

import "vitrine/index"

// ProveChunk expands one chunk's stored bytes and compares the block with its
// checksum and hash, as every read does. It shows how long that takes.
func (p *Pool) ProveChunk(sl *index.Slot, stored []byte) error {
	return p.decode(make([]byte, bufferSize), sl, stored)
}
