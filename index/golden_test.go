package index

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden pins the bytes of the format: a difference in these files is a
// change of the format.
func TestGolden(t *testing.T) {
	full, inc := goldenMembers(t)
	golden(t, "testdata/full.hex", full)
	golden(t, "testdata/incremental.hex", inc)
}

// goldenMembers writes a full of four blocks and an incremental that changes
// one of them.
func goldenMembers(t *testing.T) (full, inc []byte) {
	c := &chain{map[uint32][]byte{}, map[uint32]*Tail{}, 0}
	when := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := []StreamRoot{{ID: 1, Size: 300_000}}
	meta := &Meta{Schema: 1, Tool: "golden", Created: when, Source: "disk.img", Consistency: "offline"}
	write := func(o WriterOptions, refs [LeafBlocks]Ref, change int) (*memOut, [LeafBlocks]Ref) {
		out := newMemOut()
		o.Set, o.Created, o.Tool = ImageID{0xAB, 1, 2, 3, 4, 5, 6, 7}, when.UnixNano(), "golden"
		w, err := NewWriter(out, o)
		if err != nil {
			t.Fatal(err)
		}
		w.Plan(meta, s)
		plain := bytes.Repeat([]byte{byte(o.Number + 1)}, BlockSize)
		refs[change], err = w.Chunk(Chunk{1, uint64(change), Zstd, BlockHash(plain), []byte("stored form")})
		if err != nil {
			t.Fatal(err)
		}
		w.Leaf(1, 0, &refs)
		if _, err := w.Finish(meta); err != nil {
			t.Fatal(err)
		}
		c.add(t, o.Number, out)
		return out, refs
	}
	out0, refs := write(WriterOptions{Number: 0, UID: UID{1}, Kind: Full}, [LeafBlocks]Ref{2: {Kind: Zero}, 3: {Kind: NotCaptured}, 4: {Kind: Unreadable}}, 0)
	out1, _ := write(WriterOptions{Number: 1, UID: UID{2}, Kind: Incremental, Parent: c.parent(0)}, refs, 1)
	return out0.parts[0].Bytes(), out1.parts[0].Bytes()
}

// golden compares b with a hex dump that leaves lines of zeros out.
func golden(t *testing.T, name string, b []byte) {
	t.Helper()
	var dump bytes.Buffer
	for at := 0; at < len(b); at += 16 {
		if line := b[at:min(at+16, len(b))]; !bytes.Equal(line, make([]byte, len(line))) {
			fmt.Fprintf(&dump, "%08x %s\n", at, hex.EncodeToString(line))
		}
	}
	fmt.Fprintf(&dump, "%08x\n", len(b))
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(name, dump.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(dump.Bytes(), want) {
		t.Errorf("%s: the format has changed", name)
	}
}
