package mount

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"vitrine/volume"
)

// rowOfFolders is a folder 5 of folders 100 to 104, each with one file; 103 is
// broken.
type rowOfFolders struct {
	volume.FileSystem
	mu    sync.Mutex
	asked map[volume.ID]int
}

var errBroken = errors.New("broken folder")

func (r *rowOfFolders) ReadDir(_ context.Context, dir volume.ID, _ uint64, _ bool, yield func(*volume.Entry) bool) error {
	r.mu.Lock()
	r.asked[dir]++
	r.mu.Unlock()
	switch dir {
	case 5:
		for i := range volume.ID(5) {
			if !yield(&volume.Entry{Name: fmt.Sprint(i), Cookie: uint64(i + 1), ID: 100 + i, Kind: volume.Dir}) {
				break
			}
		}
		return nil
	case 103:
		return errBroken
	}
	yield(&volume.Entry{Name: fmt.Sprint("file of ", dir), Cookie: 1, ID: dir + 1000, Kind: volume.File})
	return nil
}

// list does what the driver does for a whole folder.
func (r *rowOfFolders) list(l *listings, dir volume.ID) ([]volume.Entry, error) {
	l.follow(context.Background(), r, dir, true)
	if entries := l.take(dir, 0, true); entries != nil {
		return entries, nil
	}
	return l.readPiece(context.Background(), r, dir, 0, true)
}

func TestFoldersAreReadAhead(t *testing.T) {
	l, r := &listings{}, &rowOfFolders{asked: map[volume.ID]int{}}
	r.list(l, 5)
	for dir := volume.ID(100); dir < 105; dir++ {
		entries, err := r.list(l, dir)
		if dir == 103 {
			if err != errBroken {
				t.Errorf("%v of the broken folder", err)
			}
			continue
		}
		if want := fmt.Sprint("file of ", dir); len(entries) != 1 || entries[0].Name != want || err != nil {
			t.Errorf("%d: %v, %v", dir, entries, err)
		}
	}
	l.ahead.Wait()
	for dir, want := range map[volume.ID]int{5: 1, 100: 1, 101: 1, 102: 1, 103: 2, 104: 1} {
		if r.asked[dir] != want {
			t.Errorf("folder %d was read %d times, not %d", dir, r.asked[dir], want)
		}
	}
}

// Who lists in another order has nothing read ahead, and in parallel all get
// what they ask for.
func TestFoldersInAnyOrder(t *testing.T) {
	l, r := &listings{}, &rowOfFolders{asked: map[volume.ID]int{}}
	r.list(l, 5)
	for _, dir := range []volume.ID{104, 100, 102, 104} {
		r.list(l, dir)
	}
	l.ahead.Wait()
	if r.asked[101] != 0 || r.asked[103] != 0 {
		t.Errorf("read ahead without need: %v", r.asked)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				dir := volume.ID(100 + i%5)
				if entries, err := r.list(l, dir); dir != 103 && (err != nil || len(entries) != 1) {
					t.Errorf("%d: %v, %v", dir, entries, err)
				}
			}
		})
	}
	wg.Wait()
	l.ahead.Wait()
	if len(l.rest) > maxListings || len(l.rows) > maxRows {
		t.Errorf("%d listings wait, %d rows are remembered", len(l.rest), len(l.rows))
	}
}
