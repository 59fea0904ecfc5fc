package volume

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vitrine/internal/testvol"
)

// TestLeftOutStreams refuses each stream that was left out, and no other.
func TestLeftOutStreams(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 32 << 20})
	long := bytes.Repeat([]byte("secret"), 30000)
	testvol.With(t, img, func(dir string) {
		for name, b := range map[string][]byte{"a": long, "a:long": long, "a:short": []byte("s"), "b": []byte("b"), "b:long": long} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}, "streams_interface=windows")
	f, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := OpenCaptured(f, 32<<20, []Omission{{"/a", "", "x"}, {"/a", "long", "y"}, {"/b", "long", "z"}})
	if err != nil {
		t.Fatal(err)
	}
	n := v.(*ntfsFS)
	for name, want := range map[string]string{"a": "x", "a:long": "y", "a:short": "", "b": "", "b:long": "z"} {
		id := idOf(t, n, name)
		o, err := n.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.ReadAt(t.Context(), make([]byte, 1), 0)
		out, refused := errors.AsType[*LeftOutError](err)
		if reason, yes := n.LeftOut(t.Context(), id); reason != want || yes != (want != "") || refused != yes || refused && out.Reason != want {
			t.Errorf("%s: %q, %v; reading: %v", name, reason, yes, err)
		}
	}
	all, err := n.FileExtents(t.Context(), "/a")
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, c := range all {
		if c.Resident != (c.Stream == "short") || c.Resident == (len(c.Extents) > 0) {
			t.Errorf("%+v", c)
		}
	}
}

// idOf finds a file, or a named stream of one.
func idOf(t *testing.T, n *ntfsFS, name string) ID {
	t.Helper()
	a, err := n.Lookup(t.Context(), n.Root(), name[:1])
	if err != nil {
		t.Fatal(err)
	}
	list, err := n.Streams(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if name == name[:1]+":"+s.Name {
			return s.ID
		}
	}
	return a.ID
}

// TestLeftOutCompact refuses CompactOS files, whose contents lie in a named stream.
func TestLeftOutCompact(t *testing.T) {
	img, n := richVolume(t)
	var out []Omission
	ids := map[string]ID{}
	for name, a := range everything(t, n) {
		all, err := n.FileExtents(t.Context(), name)
		if err != nil {
			continue // a folder
		}
		for _, c := range all {
			if c.Stream == wofStream && len(c.Extents) > 0 && a.Size > 0 {
				out, ids[name] = append(out, Omission{name, wofStream, "x"}), a.ID
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("no compressed file")
	}
	f, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := OpenCaptured(f, 256<<20, out)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		o, err := v.Open(t.Context(), id)
		if err == nil {
			_, err = o.ReadAt(t.Context(), make([]byte, 1), 0)
		}
		if !errors.Is(err, ErrNotCaptured) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
