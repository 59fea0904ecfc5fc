//go:build long

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRandomlyLost damages what leads to files at random, several things at once: all
// files whose records are sound are in a copy of the root, and none is overwritten.
func TestRandomlyLost(t *testing.T) {
	img := makeVolume(t, 32<<20)
	const files = 400
	ntfs3g(t, img, "rw", func(dir string) {
		rnd := rand.New(rand.NewPCG(1, 2))
		folders := []string{dir}
		for i := range 40 {
			folders = append(folders, filepath.Join(folders[rnd.IntN(len(folders))], fmt.Sprint("folder ", i)))
			os.Mkdir(folders[len(folders)-1], 0o755)
		}
		for i := range files {
			write(t, filepath.Join(folders[rnd.IntN(len(folders))], fmt.Sprint("file ", i)), fmt.Append(nil, "contents of ", i))
		}
	})
	sound, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		d := damager{b: bytes.Clone(sound), rnd: rand.New(rand.NewPCG(seed, 7))}
		d.find()
		steps := 1 + d.rnd.IntN(6)
		if seed%4 == 0 { // a volume of which much was overwritten
			steps = 10 + d.rnd.IntN(60)
		}
		for range steps {
			d.step()
		}
		write(t, img, d.b)
		dest := filepath.Join(t.TempDir(), "copy")
		_, errs, code := try("cp", "--no-sync", "--device", img, "/", dest)
		if code != 0 && code != 3 {
			t.Errorf("seed %d: %s\nexit code %d: %s", seed, d.log, code, errs)
		}
		got := map[string]bool{}
		filepath.WalkDir(dest, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				b, _ := os.ReadFile(p)
				got[string(b)] = true
			}
			return nil
		})
		for i := range files {
			if !got[fmt.Sprint("contents of ", i)] {
				t.Errorf("seed %d: %s\nfile %d is not in the copy: %s", seed, d.log, i, errs)
			}
		}
		os.RemoveAll(dest)
	}
}

// damager breaks a volume with file records of 1 KiB and index blocks of 4 KiB.
type damager struct {
	b              []byte
	rnd            *rand.Rand
	folders, files []int // offsets of their records
	blocks         []int // of index blocks
	log            []string
}

func (d *damager) find() {
	for at := 0; at+1024 <= len(d.b); at += 1024 {
		r := d.b[at:]
		switch string(r[:4]) {
		case "INDX":
			d.blocks = append(d.blocks, at)
		case "FILE":
			n := binary.LittleEndian.Uint32(r[0x2C:])
			if n < 24 || r[0x16]&1 == 0 {
				continue
			}
			if r[0x16]&2 != 0 {
				d.folders = append(d.folders, at)
			} else {
				d.files = append(d.files, at)
			}
		}
	}
}

func (d *damager) step() {
	le := binary.LittleEndian
	folder := d.b[d.folders[d.rnd.IntN(len(d.folders))]:][:1024]
	file := d.b[d.files[d.rnd.IntN(len(d.files))]:][:1024]
	n, m := le.Uint32(folder[0x2C:]), le.Uint32(file[0x2C:])
	parent := file[bytes.Index(file, []byte{0x18, 0, 1, 0})+4:] // value of the first $FILE_NAME
	kinds := []struct {
		what string
		do   func()
	}{
		{fmt.Sprint("record of folder zeroed: ", n), func() { clear(folder) }},
		{fmt.Sprint("folder freed: ", n), func() { folder[0x16] &^= 1 }},
		{fmt.Sprint("sequence of folder: ", n), func() { folder[0x10]++ }},
		{fmt.Sprint("sequence in parent of file: ", m), func() { parent[6]++ }},
		{fmt.Sprint("other parent of file: ", m, n), func() { le.PutUint32(parent, n) }},
		{fmt.Sprint("impossible parent of file: ", m), func() { parent[5] ^= 0x40 }},
		{fmt.Sprint("name gone from folder: ", n), func() { d.sealed(folder, d.drop) }},
		{"names gone from an index block", func() {
			b := d.b[d.blocks[d.rnd.IntN(len(d.blocks))]:][:4096]
			d.sealed(b, func(b []byte) { d.dropAny(b[0x18:]) })
		}},
		{"index block gone", func() { copy(d.b[d.blocks[d.rnd.IntN(len(d.blocks))]:], "XXXX") }},
	}
	k := kinds[d.rnd.IntN(len(kinds))]
	if string(folder[:4]) != "FILE" { // by a step before
		return
	}
	d.log = append(d.log, k.what)
	k.do()
}

// sealed lets do change a record behind its update sequence.
func (d *damager) sealed(b []byte, do func([]byte)) {
	at := int(binary.LittleEndian.Uint16(b[4:]))
	for i := 512; i <= len(b); i += 512 {
		copy(b[i-2:i], b[at+i/256:])
	}
	do(b)
	for i := 512; i <= len(b); i += 512 {
		copy(b[at+i/256:at+i/256+2], b[i-2:i])
		copy(b[i-2:i], b[at:at+2])
	}
}

// drop takes a name out of a folder's index root.
func (d *damager) drop(r []byte) {
	if i := bytes.Index(r, []byte("$\x00I\x003\x000\x00")); i > 0 {
		d.dropAny(r[i+8+16:])
	}
}

// dropAny takes one of the names out of an index node, whose header begins it.
func (d *damager) dropAny(node []byte) {
	le := binary.LittleEndian
	used := int(le.Uint32(node[4:]))
	var leaves []int
	for at := int(le.Uint32(node)); at+16 <= used; {
		n, flags := int(le.Uint16(node[at+8:])), le.Uint16(node[at+12:])
		if flags == 0 && le.Uint32(node[at:]) >= 24 {
			leaves = append(leaves, at)
		}
		if flags&2 != 0 || n == 0 {
			break
		}
		at += n
	}
	if len(leaves) == 0 {
		return
	}
	at := leaves[d.rnd.IntN(len(leaves))]
	n := int(le.Uint16(node[at+8:]))
	copy(node[at:], slices.Clone(node[at+n:used]))
	le.PutUint32(node[4:], uint32(used-n))
}
