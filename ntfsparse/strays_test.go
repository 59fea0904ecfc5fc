package ntfsparse

import (
	"bytes"
	"context"
	"testing"
)

// TestNoRoomForLostNames: names that listings cannot hold any more are told by WalkLost,
// those in folders without a record, too.
func TestNoRoomForLostNames(t *testing.T) {
	for name, c := range map[string]struct {
		blocks, record bool // what is damaged: all index blocks, a folder's record
		stray, lost    int  // room
		full           bool // of damaged folders
	}{
		"room for all":         {blocks: true, record: true, stray: maxStrayBytes, lost: maxStrayBytes},
		"none for folders":     {blocks: true, record: true, lost: maxStrayBytes},
		"some for folders":     {blocks: true, record: true, stray: 1000, lost: maxStrayBytes},
		"too many folders":     {blocks: true, full: true, stray: maxStrayBytes, lost: maxStrayBytes},
		"none for the ghost":   {record: true, stray: maxStrayBytes},
		"some for the ghost":   {record: true, stray: maxStrayBytes, lost: 2000},
		"none for the orphans": {blocks: true, record: true, stray: maxStrayBytes},
		"some for the orphans": {blocks: true, record: true, stray: maxStrayBytes, lost: 2000},
	} {
		img := fuzzVolume(t)
		sound := openImage(t, img)
		many, err := sound.Lookup("many")
		if err != nil {
			t.Fatal(err)
		}
		if c.record {
			clear(img[sound.boot.MFT<<sound.geo.shift+int64(many.Ref().Record())*1024:][:1024])
		}
		for at := 0; at < len(img); at += 512 {
			if c.blocks && string(img[at:at+4]) == "INDX" {
				img[at] = 'X'
			}
		}
		v := openImage(t, img)
		v.strayBytes, v.lostBytes = maxStrayBytes-c.stray, maxStrayBytes-c.lost
		if c.full {
			v.damaged = map[uint64]*damagedFolder{}
			for n := range uint64(maxDamaged) {
				v.damaged[1<<30+n] = &damagedFolder{}
			}
		}
		reached, err := reachable(t, v)
		files, missing := 0, 0
		if err := v.Walk(context.Background(), func(e *WalkEntry) error {
			if files++; e.Err == nil && e.Path != "/" && !reached[e.Info.Ref.Record()] {
				missing++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err != nil || missing > 0 || files < 60 {
			t.Errorf("%s: %d files of %d are not reached, %v", name, missing, files, err)
		}
	}
}

func openImage(t *testing.T, img []byte) *Volume {
	t.Helper()
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
