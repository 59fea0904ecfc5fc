package index

import (
	"errors"
	"testing"
)

var errFault = errors.New("injected")

// faultOut fails its i-th operation, half-done when it is a write.
type faultOut struct {
	*memOut
	left int
}

func (o *faultOut) op() bool { o.left--; return o.left < 0 }

func (o *faultOut) Write(p []byte) (int, error) {
	if o.op() {
		o.memOut.Write(p[:len(p)/2])
		return len(p) / 2, errFault
	}
	return o.memOut.Write(p)
}

func (o *faultOut) Sync() error {
	if o.op() {
		return errFault
	}
	return nil
}

func (o *faultOut) NextPart(n int) error {
	if o.op() {
		return errFault
	}
	return o.memOut.NextPart(n)
}

// capture writes a small member of several parts.
func capture(out Output) error {
	w, err := NewWriter(out, WriterOptions{Kind: Full, Split: MinSplit})
	if err != nil {
		return err
	}
	s := StreamRoot{ID: 1, Size: 128 << 20}
	w.Plan(&Meta{}, []StreamRoot{s})
	for leaf := range s.Leaves() {
		var refs [LeafBlocks]Ref
		for i := range 40 {
			ref, _ := w.Chunk(Chunk{1, leaf*LeafBlocks + uint64(i), Raw, Hash{}, make([]byte, BlockSize)})
			refs[i] = ref
		}
		w.Leaf(1, leaf, &refs)
	}
	_, err = w.Finish(&Meta{})
	return err
}

func TestEveryOutputFaultIsReported(t *testing.T) {
	for i := 0; ; i++ {
		out := &faultOut{newMemOut(), i}
		err := capture(out)
		if err == nil {
			if i < 20 || len(out.parts) < 3 {
				t.Fatalf("finished after %d operations in %d parts", i, len(out.parts))
			}
			return
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("operation %d: %v", i, err)
		}
	}
}

func TestWriterRefusesNonsense(t *testing.T) {
	for _, o := range []WriterOptions{{Kind: Incremental}, {Kind: Full, Parent: &Parent{}}, {Kind: Full, Split: 1}} {
		if _, err := NewWriter(newMemOut(), o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	bad := []func(w *Writer) error{
		func(w *Writer) error { return w.Leaf(9, 0, &[LeafBlocks]Ref{}) },
		func(w *Writer) error { _, err := w.Chunk(Chunk{Codec: Zstd}); return err },
		func(w *Writer) error { _, err := w.Chunk(Chunk{Codec: Raw, Stored: []byte{1}}); return err },
		func(w *Writer) error { return w.Plan(&Meta{}, []StreamRoot{{Size: -1}}) },
		func(w *Writer) error {
			w.Plan(&Meta{}, []StreamRoot{{ID: 1, Size: 1}})
			w.Leaf(1, 5, &[LeafBlocks]Ref{{Kind: Zero}})
			return w.Checkpoint()
		},
	}
	for i, f := range bad {
		w, err := NewWriter(newMemOut(), WriterOptions{Kind: Full})
		if err != nil {
			t.Fatal(err)
		}
		if err := f(w); err == nil {
			t.Errorf("case %d is accepted", i)
		}
		if _, err := w.Finish(&Meta{}); err == nil {
			t.Errorf("case %d: the error does not stick", i)
		}
	}
}
