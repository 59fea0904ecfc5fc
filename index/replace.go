package index

import (
	"io"
	"slices"
)

// PlannedHeader gives the header of a member's part 0 out of the member's plan,
// when its own is damaged and there is no footer that could tell.
func PlannedHeader(part io.ReaderAt, size int64) (*Header, error) {
	p, err := firstRecord(part, size)
	if err != nil {
		return nil, err
	}
	b := make([]byte, int64(p.TableLen)+int64(p.BodyLen))
	if p.Type != recPlan || p.Addr != HeaderSize || int64(len(b)) > size-HeaderSize-PreambleSize {
		return nil, corrupt("plan", HeaderSize, "there is none here")
	}
	if err := readFull(part, b, HeaderSize+PreambleSize); err != nil {
		return nil, err
	}
	table, body := b[:p.TableLen], b[p.TableLen:]
	if ctxTable.sum(table) != p.Table || CRC(body) != p.BodyCRC {
		return nil, corrupt("plan", HeaderSize, "the checksums do not match")
	}
	doc := decodePlan(table, body)
	if doc == nil || len(doc.Header) != headerUsed || string(doc.Header[:8]) != headerMagic {
		return nil, corrupt("plan", HeaderSize, "it does not tell the header")
	}
	h, err := decodeHeader(withCRC(doc.Header))
	if err != nil {
		return nil, err
	}
	if h.Set != p.Set || [8]byte(h.UID[:8]) != p.UIDHalf || h.Part != 0 {
		return nil, corrupt("plan", HeaderSize, "it tells another member's header")
	}
	return h, nil
}

// withCRC completes a header that is stored without what follows its fields.
func withCRC(used []byte) []byte {
	b := append(slices.Clone(used), make([]byte, HeaderSize-len(used))...)
	le.PutUint32(b[HeaderSize-4:], CRC(b[:HeaderSize-4]))
	return b
}

// PlacedHeader gives the header of a further part when its own is damaged: first
// is that of part 0, number the part's number, as its name tells; where the part
// belongs its first record says.
func PlacedHeader(part io.ReaderAt, size int64, first *Header, number uint16) (*Header, error) {
	p, err := firstRecord(part, size)
	if err != nil {
		return nil, err
	}
	if number == 0 || p.Set != first.Set || p.UIDHalf != [8]byte(first.UID[:8]) || p.Addr <= HeaderSize || p.Addr > maxAddress {
		return nil, corrupt("record", HeaderSize, "it belongs to another file")
	}
	h := *first
	h.Part, h.PartStart = number, p.Addr
	return &h, nil
}

// firstRecord reads the preamble of the record behind a part's header.
func firstRecord(part io.ReaderAt, size int64) (*preamble, error) {
	b := make([]byte, PreambleSize)
	if size < HeaderSize+PreambleSize {
		return nil, &FormatError{"record", HeaderSize, "the file ends before it", ErrUnfinished}
	}
	if err := readFull(part, b, HeaderSize); err != nil {
		return nil, err
	}
	if string(b[:4]) != recordMagic {
		return nil, corrupt("record", HeaderSize, "there is none here")
	}
	return decodePreamble(b, int64(le.Uint64(b[40:])))
}
