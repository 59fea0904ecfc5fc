package ntfsparse

import (
	"bytes"
	"context"
	"testing"
)

// TestNoRoomForLostNames: names that listings cannot hold any more are told by WalkLost.
func TestNoRoomForLostNames(t *testing.T) {
	img := fuzzVolume(t)
	for at := 0; at < len(img); at += 512 {
		if string(img[at:at+4]) == "INDX" {
			img[at] = 'X'
		}
	}
	for _, room := range []int{0, 1000, maxStrayBytes} {
		v, err := Open(bytes.NewReader(img), int64(len(img)))
		if err != nil {
			t.Fatal(err)
		}
		v.strayBytes = maxStrayBytes - room
		walked := map[uint64]string{}
		err = v.Walk(context.Background(), func(e *WalkEntry) error {
			if e.Err == nil && e.Path != "/" {
				walked[e.Info.Ref.Record()] = e.Path
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		reachAll(t, v, walked)
		if len(v.damaged) == 0 {
			t.Error("no folder is damaged")
		}
	}
}
