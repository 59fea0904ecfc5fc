package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// corpusFile keeps what Go's build cache has of interesting inputs, so that no
// machine begins anew: a tar of package/target/input.
const corpusFile = "scripts/fuzz/corpus.tar.gz"

// module is the path of packages as the cache has them.
const module = "vitrine"

func cacheDir() string { return filepath.Join(output("go", "env", "GOCACHE"), "fuzz", module) }

// unpackCorpus puts the inputs that are kept into the cache.
func unpackCorpus() error {
	f, err := os.Open(corpusFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", corpusFile, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", corpusFile, err)
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("%s: %q is no place in a cache", corpusFile, h.Name)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("%s: %w", corpusFile, err)
		}
		if err := keepInput(filepath.Join(cacheDir(), h.Name), b); err != nil {
			return err
		}
	}
}

func keepInput(name string, b []byte) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o666)
}

// packCorpus keeps the inputs that the cache has for targets that there are.
func packCorpus() error {
	list, err := corpus()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(corpusFile), "corpus")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	w := tar.NewWriter(z)
	for _, name := range list {
		b, err := os.ReadFile(filepath.Join(cacheDir(), filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b))}); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Close(), z.Close(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	fmt.Printf("fuzz: %d inputs kept in %s\n", len(list), corpusFile)
	return os.Rename(f.Name(), corpusFile)
}

// corpus lists the cache's inputs, sorted.
func corpus() (list []string, err error) {
	top := cacheDir()
	there := map[string]bool{}
	err = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		target := path.Dir(rel)
		if _, ok := there[target]; !ok {
			there[target] = slices.Contains(functions(filepath.FromSlash(path.Dir(target))), path.Base(target))
		}
		if there[target] && !strings.HasPrefix(path.Base(rel), ".") {
			list = append(list, rel)
		}
		return nil
	})
	slices.Sort(list)
	return list, err
}
