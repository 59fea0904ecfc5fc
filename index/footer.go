package index

import "io"

// Footer is the commit mark at the end of a finished member's last part.
type Footer struct {
	Part     uint16 // number of the last part
	Root     Hash
	Length   int64 // of the member's address space, footer included
	Trailing int64 // bytes of foreign data behind the footer
	Repaired bool  // the footer is damaged; the superblock told the rest
}

// ReadFooter looks for the footer of the part with header h, which is size
// bytes long: one small read, larger ones only when it is not at the very end.
// A part without one is ErrUnfinished. It proves nothing but the footer's own
// checksum, or that two superblocks agree where it is damaged; [ReadTail] proves
// what the footer names.
func ReadFooter(h *Header, part io.ReaderAt, size int64) (*Footer, error) {
	t := &tailReader{part: part, size: size, h: h}
	if err := t.lastFooter(); err != nil {
		if err := t.findFooter(); err != nil {
			return nil, err
		}
	}
	return &Footer{t.ft.part, t.ft.root, t.ft.addr + FooterSize, t.trailing, len(t.repaired) > 0}, nil
}

// lastFooter takes the footer from the part's last bytes.
func (t *tailReader) lastFooter() error {
	at := t.size - FooterSize
	if at < HeaderSize {
		return corrupt("footer", -1, "the file is too short")
	}
	b := make([]byte, FooterSize)
	if err := readFull(t.part, b, at); err != nil {
		return err
	}
	ft, ok := decodeFooter(b)
	if !ok || !t.matches(ft, at) {
		return corrupt("footer", at, "there is none")
	}
	t.ft = ft
	return nil
}

// CheckTail proves what [ReadTail] leaves out when all is well: the copies of
// the tail's objects and the zeros behind them. It gives the address where the
// objects begin and what is damaged.
func CheckTail(part io.ReaderAt, size int64) (start int64, damaged []error, err error) {
	t, err := openTail(part, size)
	if err != nil {
		return 0, nil, err
	}
	s, err := t.superblock()
	if err != nil {
		return 0, nil, err
	}
	return min(s.meta.off, s.members.off), t.checkObjects(s), nil
}

func (t *tailReader) checkObjects(s *super) (damaged []error) {
	for _, delta := range []int64{0, t.ft.copyDelta} {
		for _, o := range []struct {
			what string
			c    hashContext
			span
		}{{"metadata", ctxMeta, s.meta}, {"member table", ctxMembers, s.members},
			{"superblock", ctxSuper, span{off: t.ft.super, len: t.ft.superLen, hash: t.ft.root}}} {
			if b, err := t.bytes(o.off+delta, o.len); err != nil || o.c.sum(b) != o.hash {
				damaged = append(damaged, corrupt(o.what, o.off+delta, "one of its two copies is damaged"))
			}
		}
	}
	end := t.ft.super + int64(t.ft.superLen) + t.ft.copyDelta
	if n := t.ft.addr - end; n > 0 && n < Align {
		if b, err := t.bytes(end, uint32(n)); err != nil || !allZero(b) {
			damaged = append(damaged, corrupt("padding", end, "it is not zero"))
		}
	}
	return damaged
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
