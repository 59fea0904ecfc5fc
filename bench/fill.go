//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fill writes a part of a volume's contents into dir: mixed and junk take a
// number of MiB, small a number of files. For random, dir is a file, whose
// every second 32 KiB can be compressed.
func fill(what, dir string, n int) error {
	switch what {
	case "mixed":
		return fillMixed(dir, n)
	case "junk":
		return random(filepath.Join(dir, "junk-1"), 2, int64(n)<<20)
	case "small":
		return fillSmall(dir, n)
	case "random":
		return halfRandom(dir, n)
	case "plain":
		return fillPlain(dir, n)
	case "flat":
		return fillFlat(dir, n)
	case "change":
		return change(dir)
	}
	return fmt.Errorf("fill: no %q", what)
}

func fillArgs(args []string) error {
	n := 0
	if len(args) < 2 {
		return fmt.Errorf("fill WHAT DIR [N]")
	}
	if len(args) > 2 {
		n, _ = strconv.Atoi(args[2])
	}
	return fill(args[0], args[1], n)
}

// source gives bytes that do not compress, the same ones for the same seed.
func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func random(path string, seed byte, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	src, b := source(seed), make([]byte, 1<<20)
	for ; n > 0; n -= int64(len(b)) {
		src.Read(b)
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	return f.Close()
}

func halfRandom(path string, mib int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	src, words, b := source(9), text(), make([]byte, 64<<10)
	for i := range mib << 4 {
		src.Read(b[:32<<10])
		copy(b[32<<10:], words[i*977%(len(words)-32<<10):])
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	return f.Close()
}

// fillMixed adds incompressible data, logs and a sparse file.
func fillMixed(dir string, mib int) error {
	if err := random(filepath.Join(dir, "big/random.bin"), 1, int64(mib)<<20); err != nil {
		return err
	}
	if err := sparse(filepath.Join(dir, "big/sparse.bin")); err != nil {
		return err
	}
	os.Mkdir(filepath.Join(dir, "logs"), 0o755)
	for i := range 6 {
		if err := logFile(filepath.Join(dir, fmt.Sprintf("logs/app-%d.log", i)), i, mib/24); err != nil {
			return err
		}
	}
	return nil
}

// sparse is 512 MiB long and holds 16 pieces of 64 KiB.
func sparse(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	src, b := source(3), make([]byte, 64<<10)
	for i := range int64(16) {
		src.Read(b)
		if _, err := f.WriteAt(b, i*32<<20); err != nil {
			return err
		}
	}
	return f.Close()
}

func logFile(path string, seed, mib int) error {
	rnd := rand.New(source(byte(10 + seed)))
	words := strings.Fields("GET POST /api/v1/items /index.html 200 404 500 user session INFO WARN timeout connect")
	var b bytes.Buffer
	for t := 1700000000 + seed*86400; b.Len() < mib<<20; t += rnd.IntN(3) {
		fmt.Fprintf(&b, "%d 10.%d.%d.%d", t, rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
		for range 6 {
			b.WriteString(" " + words[rnd.IntN(len(words))])
		}
		fmt.Fprintf(&b, " id=%012x ms=%d\n", rnd.Uint64()>>16, rnd.IntN(900))
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// fillPlain makes one file, half of it a log and half programs.
func fillPlain(dir string, mib int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "plain")
	if err := logFile(path, 0, mib/2); err != nil {
		return err
	}
	if err := os.Truncate(path, int64(mib/2)<<20); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	code, err := programs(mib / 2 << 20)
	if err != nil {
		return err
	}
	if _, err := f.Write(code); err != nil {
		return err
	}
	return f.Close()
}

// programs gives n bytes of the system's programs, in order of their names.
func programs(n int) (b []byte, err error) {
	list, err := os.ReadDir("/usr/bin")
	for len(b) < n && err == nil {
		before := len(b)
		for _, e := range list {
			if e.Type().IsRegular() && len(b) < n {
				p, _ := os.ReadFile(filepath.Join("/usr/bin", e.Name()))
				b = append(b, p...)
			}
		}
		if len(b) == before {
			return nil, fmt.Errorf("/usr/bin holds no programs")
		}
	}
	return b[:min(n, len(b))], err
}

// fillFlat makes n empty files in the folder flat, in no order.
func fillFlat(dir string, n int) error {
	if err := os.Mkdir(filepath.Join(dir, "flat"), 0o755); err != nil {
		return err
	}
	for _, i := range rand.New(source(6)).Perm(n) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("flat/file number %06d.txt", i)), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fillSmall writes n files, 200 to a folder, of sizes around a kilobyte.
func fillSmall(dir string, n int) error {
	rnd, src := rand.New(source(4)), source(5)
	pool, noise := text(), make([]byte, 256<<10)
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("%03d/dir-%05d", i/10000, i/200))
		if i%200 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		size := min(int(1300*expo(rnd)), len(noise))
		at := rnd.IntN(len(pool) - size)
		body := pool[at : at+size]
		if i%8 == 0 {
			src.Read(noise[:size])
			body = noise[:size]
		}
		name := fmt.Sprintf("file-%07d-%s.%s", i, []string{"report", "image", "note", "cache-entry"}[rnd.IntN(4)], []string{"txt", "dat", "json", "c"}[rnd.IntN(4)])
		if err := os.WriteFile(filepath.Join(sub, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// expo is log-normal about 1: a tenth is above 5, a hundredth above 20.
func expo(rnd *rand.Rand) float64 {
	x := 1.0
	for range 8 {
		x *= []float64{0.63, 1.58}[rnd.IntN(2)]
	}
	return x
}

// text is at least 1 MiB of it.
func text() []byte {
	var b []byte
	names, _ := filepath.Glob("/usr/share/common-licenses/*")
	slices.Sort(names)
	for len(b) < 1<<20 {
		for _, n := range names {
			t, _ := os.ReadFile(n)
			b = append(b, t...)
		}
		b = append(b, strings.Repeat("nothing to be licensed here ", 1000)...)
	}
	return b
}

// change brings 2 % of the files into another state: every 50th is changed,
// half of these in one place and half throughout, every 200th is deleted; new
// ones come, single blocks of a large file change, and a log grows.
func change(dir string) error {
	files, err := regular(dir)
	if err != nil {
		return err
	}
	src := source(6)
	for i, path := range files {
		switch {
		case i%200 == 7:
			err = os.Remove(path)
		case i%100 == 3:
			err = patch(path, src, 1)
		case i%100 == 53:
			err = prepend(path, i)
		}
		if err != nil {
			return err
		}
	}
	if err := patch(filepath.Join(dir, "big/random.bin"), src, 64); err != nil {
		return err
	}
	if err := grow(filepath.Join(dir, "logs/app-5.log")); err != nil {
		return err
	}
	return added(filepath.Join(dir, "new"), src)
}

func regular(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(path, "/big/") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// patch overwrites n places of 4 KiB.
func patch(path string, src *rand.ChaCha8, n int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return err
	}
	b := make([]byte, min(st.Size(), 4096))
	for range n {
		src.Read(b)
		at := int64(src.Uint64()>>1) % (st.Size() - int64(len(b)) + 1)
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return f.Close()
}

func prepend(path string, i int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(fmt.Appendf(nil, "// changed %d\n", i), b...), 0o644)
}

func grow(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range 100_000 {
		if _, err := fmt.Fprintf(f, "1700999999 appended %d\n", i*i); err != nil {
			return err
		}
	}
	return f.Close()
}

func added(dir string, src *rand.ChaCha8) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i := range 300 {
		b := bytes.Repeat(fmt.Appendf(nil, "new file %d %x\n", i, src.Uint64()), 1+i*5)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("n%04d.txt", i)), b, 0o644); err != nil {
			return err
		}
	}
	return random(filepath.Join(dir, "blob.bin"), 7, 20<<20)
}
