package volume

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

func TestDetectNothing(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 512), make([]byte, 1<<20), bytes.Repeat([]byte{0xff}, 300<<10)} {
		if info := Detect(bytes.NewReader(b), int64(len(b))); info != (FSInfo{}) {
			t.Errorf("%d bytes: %+v", len(b), info)
		}
	}
}

// detectOn looks at what Detect does with any device, besides its answer.
func detectOn(t *testing.T, r *rotten) FSInfo {
	info := Detect(r, r.size)
	if r.reads > 160 || r.bytes > 256<<10 {
		t.Fatalf("%d of %d bytes, sector %d bad: %d reads of %d bytes", len(r.b), r.size, r.bad, r.reads, r.bytes)
	}
	if info.Cluster < 0 || !utf8.ValidString(info.Label) || info.Kind == "" && info != (FSInfo{}) || info.sector != 0 && !saneSector(int64(info.sector)) {
		t.Fatalf("%d of %d bytes, sector %d bad: %+v", len(r.b), r.size, r.bad, info)
	}
	return info
}

// partOf reports whether info says nothing but what full says.
func partOf(info, full FSInfo) bool {
	same := func(a, b string) bool { return a == "" || a == b }
	return info == (FSInfo{}) || info.Kind == full.Kind && same(info.Label, full.Label) && same(info.ID, full.ID) &&
		(info.Cluster == 0 || info.Cluster == full.Cluster) && (info.sector == 0 || info.sector == full.sector)
}

// TestDetectRotten: a sector that cannot be read, and a volume cut anywhere, make a
// volume unknown at most, and what does not lie there changes nothing.
func TestDetectRotten(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			b := f.bytes()
			if info := detectOn(t, &rotten{b: b, size: f.size, bad: -1}); info != f.want {
				t.Fatalf("%+v, want %+v", info, f.want)
			}
			for size := range min(f.size, 4096) {
				if info := detectOn(t, &rotten{b: b, size: size, bad: -1}); !partOf(info, f.want) {
					t.Fatalf("cut to %d bytes: %+v", size, info)
				}
			}
			for bad := range f.size / 512 {
				r := &rotten{b: b, size: f.size, bad: bad}
				info := detectOn(t, r)
				if bad < headBytes/512 {
					r.failed-- // once as a part of the head
				}
				if !partOf(info, f.want) || r.failed <= 0 && info != f.want {
					t.Fatalf("sector %d of %d bad: %+v", bad, f.size/512, info)
				}
				if r.failed <= 0 {
					continue
				}
				for size := 512 * (bad + 1); size < min(f.size, headBytes+4096); size += 512 {
					if info := detectOn(t, &rotten{b: b, size: size, bad: bad}); !partOf(info, f.want) {
						t.Fatalf("cut to %d bytes, sector %d bad: %+v", size, bad, info)
					}
				}
			}
		})
	}
}

// TestDetectMarkAlone: marks whose structure is cut off or cannot be read.
func TestDetectMarkAlone(t *testing.T) {
	swap, nilfs, minix := []Piece{putText(4086, "SWAPSPACE2")}, []Piece{put16(1030, 0x3434)}, []Piece{put16(1040, 0x137f)}
	for _, c := range []struct {
		pieces    []Piece
		size, bad int64
		want      FSInfo
	}{
		{swap, 1 << 20, 2, FSInfo{Kind: "swap", Cluster: 4096}},
		{nilfs, 1 << 20, 3, FSInfo{}},
		{nilfs, 1536, -1, FSInfo{}},
		{nilfs, 1036, -1, FSInfo{}},
		{minix, 1 << 20, 3, FSInfo{}},
		{minix, 1536, -1, FSInfo{}},
	} {
		f := format{pieces: c.pieces}
		if info := detectOn(t, &rotten{b: f.bytes(), size: c.size, bad: c.bad}); info != c.want {
			t.Errorf("%d bytes, sector %d bad: %+v, want %+v", c.size, c.bad, info, c.want)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, v := range formats() {
		if v.size <= 256<<10 {
			f.Add(v.bytes(), uint32(v.size), int32(-1))
			f.Add(v.bytes(), uint32(v.size), int32(2))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint32, bad int32) {
		if len(b) <= 256<<10 && size <= 512<<10 {
			detectOn(t, &rotten{b: b, size: int64(size), bad: int64(bad)})
		}
	})
}
