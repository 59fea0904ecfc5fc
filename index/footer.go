package index

import "io"

// Footer is the commit mark at the end of a finished member's last part.
type Footer struct {
	Part     uint16 // number of the last part
	Root     Hash
	Length   int64 // of the member's address space, footer included
	Trailing int64 // bytes of foreign data behind the footer
}

// ReadFooter looks for the footer of the part with header h, which is size
// bytes long: one small read, larger ones only when it is not at the very end.
// A part without one is ErrUnfinished. It proves nothing but the footer's own
// checksum; [ReadTail] proves what the footer names.
func ReadFooter(h *Header, part io.ReaderAt, size int64) (*Footer, error) {
	t := &tailReader{part: part, size: size, h: h}
	if err := t.lastFooter(); err != nil {
		if err := t.findFooter(); err != nil {
			return nil, err
		}
	}
	return &Footer{t.ft.part, t.ft.root, t.ft.addr + FooterSize, t.trailing}, nil
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
