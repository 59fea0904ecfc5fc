package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"vitrine/volume"
)

// fakeFS is a file system in memory whose names may be anything.
type fakeFS struct {
	nodes map[volume.ID]*fakeNode
	next  volume.ID
}

type fakeNode struct {
	attr    volume.Attr
	data    []byte
	target  string
	names   []volume.Entry
	streams map[string][]byte
	holes   [][2]int64
	fail    error      // of Open
	failAt  int64      // ReadAt fails from here on; 0: never
	gaps    [][2]int64 // bytes that cannot be read
	blunt   bool       // ReadAt over a gap gives nothing
	hides   int        // entries that the next listing leaves out, with an error
	reads   atomic.Int64
}

var fakeTime = time.Unix(0, 1_700_000_000_123_456_700)

func newFakeFS() *fakeFS {
	f := &fakeFS{nodes: map[volume.ID]*fakeNode{}}
	f.add(volume.Dir)
	return f
}

func (f *fakeFS) add(k volume.Kind) *fakeNode {
	f.next++
	n := &fakeNode{attr: volume.Attr{ID: f.next, Kind: k, Links: 1, ModTime: fakeTime.Add(time.Duration(f.next) * time.Second), AccessTime: fakeTime, ChangeTime: fakeTime, BirthTime: fakeTime}}
	f.nodes[f.next] = n
	return n
}

func (f *fakeFS) root() *fakeNode { return f.nodes[1] }

func (f *fakeFS) put(dir *fakeNode, name string, n *fakeNode) *fakeNode {
	dir.names = append(dir.names, volume.Entry{Name: name, Cookie: uint64(len(dir.names) + 1), ID: n.attr.ID, Kind: n.attr.Kind})
	return n
}

func (f *fakeFS) dir(in *fakeNode, name string) *fakeNode { return f.put(in, name, f.add(volume.Dir)) }

func (f *fakeFS) file(in *fakeNode, name, data string) *fakeNode {
	n := f.put(in, name, f.add(volume.File))
	n.data, n.attr.Size, n.attr.Alloc = []byte(data), int64(len(data)), int64(len(data))
	return n
}

func (f *fakeFS) link(in *fakeNode, name, target string) *fakeNode {
	n := f.put(in, name, f.add(volume.Symlink))
	n.target = target
	return n
}

func (f *fakeFS) Root() volume.ID { return 1 }

func (f *fakeFS) node(id volume.ID) (*fakeNode, error) {
	if n := f.nodes[id&(1<<volume.IDRecordBits-1)]; n != nil {
		return n, nil
	}
	return nil, fs.ErrNotExist
}

func (f *fakeFS) Attr(_ context.Context, id volume.ID) (volume.Attr, error) {
	n, err := f.node(id)
	if err != nil {
		return volume.Attr{}, err
	}
	return n.attr, nil
}

func (f *fakeFS) Lookup(ctx context.Context, dir volume.ID, name string) (volume.Attr, error) {
	return f.lookup(dir, func(s string) bool { return s == name })
}

func (f *fakeFS) LookupFold(ctx context.Context, dir volume.ID, name string) (a volume.Attr, spelled string, err error) {
	a, err = f.lookup(dir, func(s string) bool { spelled = s; return strings.EqualFold(s, name) })
	return a, spelled, err
}

func (f *fakeFS) lookup(dir volume.ID, same func(string) bool) (volume.Attr, error) {
	n, err := f.node(dir)
	if err != nil {
		return volume.Attr{}, err
	}
	for _, e := range n.names {
		if same(e.Name) {
			return f.nodes[e.ID].attr, nil
		}
	}
	return volume.Attr{}, fs.ErrNotExist
}

func (f *fakeFS) ReadDir(_ context.Context, dir volume.ID, after uint64, want bool, yield func(*volume.Entry) bool) error {
	n, err := f.node(dir)
	if err != nil {
		return err
	}
	names := n.names[n.hides:]
	if n.hides > 0 {
		err, n.hides = volume.ErrCorrupt, 0
	}
	for _, e := range names {
		if e.Cookie <= after {
			continue
		}
		a := f.nodes[e.ID].attr
		e.Attr = &a
		if !yield(&e) {
			return nil
		}
	}
	return err
}

// lostFS is a fakeFS with files that no folder leads to.
type lostFS struct {
	*fakeFS
	lost []lostEntry
}

type lostEntry struct {
	dir  volume.ID
	name string
	node *fakeNode
}

func (f *lostFS) LookupLost(context.Context, string) (volume.Attr, string, error) {
	return volume.Attr{}, "", fs.ErrNotExist
}

func (f *lostFS) WalkLost(_ context.Context, root volume.ID, visit func(dir volume.ID, e *volume.Entry) error) error {
	for _, l := range f.lost {
		if root != f.Root() {
			return nil
		}
		a := l.node.attr
		if err := visit(l.dir, &volume.Entry{Name: l.name, ID: a.ID, Kind: a.Kind, Attr: &a}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeFS) ReadLink(_ context.Context, id volume.ID) (string, error) {
	n, err := f.node(id)
	if err != nil {
		return "", err
	}
	return n.target, nil
}

func (f *fakeFS) Streams(_ context.Context, id volume.ID) (list []volume.Stream, err error) {
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	for i, name := range n.streamNames() {
		list = append(list, volume.Stream{Name: name, ID: id | volume.ID(i+1)<<volume.IDRecordBits, Size: int64(len(n.streams[name]))})
	}
	return list, nil
}

func (n *fakeNode) streamNames() (names []string) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzZ" {
		for s := range n.streams {
			if strings.HasPrefix(s, string(c)) {
				names = append(names, s)
			}
		}
	}
	return names
}

func (f *fakeFS) StatFS(context.Context) (volume.StatFS, error) { return volume.StatFS{}, nil }

func (f *fakeFS) Open(_ context.Context, id volume.ID) (volume.OpenFile, error) {
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	if n.fail != nil {
		return nil, n.fail
	}
	if i := id >> volume.IDRecordBits; i > 0 {
		return &fakeFile{n, n.streams[n.streamNames()[i-1]]}, nil
	}
	return &fakeFile{n, n.data}, nil
}

type fakeFile struct {
	n    *fakeNode
	data []byte
}

var errFakeRead = errors.New("sector gone")

func (f *fakeFile) Size() int64  { return int64(len(f.data)) }
func (f *fakeFile) Close() error { return nil }

func (f *fakeFile) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	f.n.reads.Add(1)
	if f.n.failAt > 0 && off+int64(len(p)) > f.n.failAt {
		return 0, errFakeRead
	}
	for _, g := range f.n.gaps {
		if off < g[1] && off+int64(len(p)) > g[0] {
			if f.n.blunt {
				return 0, errFakeRead
			}
			return copy(p[:max(0, g[0]-off)], f.data[off:]), errFakeRead
		}
	}
	return bytes.NewReader(f.data).ReadAt(p, off)
}

func (f *fakeFile) NextExtent(_ context.Context, off int64) (int64, bool, error) {
	for _, h := range f.n.holes {
		switch {
		case off < h[0]:
			return h[0], false, nil
		case off < h[1]:
			return h[1], true, nil
		}
	}
	return f.Size(), false, nil
}

// testEnv talks to buffers.
func testEnv() (e *env, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return &env{Streams: &Streams{In: strings.NewReader(""), Out: out, Err: err}}, out, err
}

// fakePlace is the root of f.
func fakePlace(f volume.FileSystem, path string) place {
	p := &part{number: 1, fs: f}
	return place{finder: finder{fs: f}, shelf: &shelf{name: "fake", parts: []*part{p}}, part: p, path: path}
}

var _ io.Reader = (*fileReader)(nil)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func (c *clock) String() string       { return fmt.Sprint(c.t) }
