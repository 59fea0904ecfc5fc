package mount

import (
	"context"
	"fmt"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"vitrine/volume"
)

// flat is one folder of many files.
type flat struct{ volume.FileSystem }

func (flat) Root() volume.ID { return 5 }

func (flat) ReadDir(_ context.Context, _ volume.ID, after uint64, attrs bool, yield func(*volume.Entry) bool) error {
	var e volume.Entry
	a := volume.Attr{Kind: volume.File, Links: 1, Size: 1000}
	for i := after; i < 10_000; i++ {
		e = volume.Entry{Name: "file of middling length.txt", Cookie: i + 1, ID: volume.ID(i + 64), Kind: volume.File}
		if attrs {
			a.ID = e.ID
			e.Attr = &a
		}
		if !yield(&e) {
			return nil
		}
	}
	return nil
}

// BenchmarkListing measures what the tree and the driver add to a listing.
func BenchmarkListing(b *testing.B) {
	t := NewTree()
	if err := t.AddVolume("", flat{}); err != nil {
		b.Fatal(err)
	}
	d := newDriver(b.Context(), t, Options{})
	for _, plus := range []bool{false, true} {
		b.Run(fmt.Sprint("plus=", plus), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 32<<10)
			for b.Loop() {
				for off := uint64(0); off < 10_000; {
					in := fuse.ReadIn{InHeader: fuse.InHeader{NodeId: 1}, Offset: off}
					out := fuse.NewDirEntryList(buf, off)
					if plus {
						d.ReadDirPlus(nil, &in, out)
					} else {
						d.ReadDir(nil, &in, out)
					}
					off = out.Offset
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/entry")
		})
	}
}
