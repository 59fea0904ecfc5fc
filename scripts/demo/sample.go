package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// The sample is one disk in three states. A file of it is zstd over records of
// a block number (4 bytes, little-endian) and a block of 4 KiB; blocks that no
// state mentions are zero. make-sample.sh made it.
const (
	sampleDir = "testdata/demo"
	blockSize = 4096
	diskSize  = 56 << 20
)

func stateFile(n int) string { return filepath.Join(sampleDir, fmt.Sprintf("state-%d.zst", n)) }

// apply brings the disk image at path from state n-1 to state n. State 1
// starts from nothing.
func apply(path string, n int) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(diskSize); err != nil {
		return err
	}
	in, err := os.Open(stateFile(n))
	if err != nil {
		return fmt.Errorf("run this in the folder of the sources: %w", err)
	}
	defer in.Close()
	z, err := zstd.NewReader(in)
	if err != nil {
		return err
	}
	defer z.Close()
	return writeBlocks(f, z)
}

func writeBlocks(f *os.File, r io.Reader) error {
	rec := make([]byte, 4+blockSize)
	for {
		_, err := io.ReadFull(r, rec)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(rec[4:], int64(binary.LittleEndian.Uint32(rec))*blockSize); err != nil {
			return err
		}
	}
}

// pack writes the states' files from whole images.
func pack(images []string) error {
	before := make([]byte, diskSize)
	for i, name := range images {
		now, err := os.ReadFile(name)
		if err != nil || len(now) != diskSize {
			return fmt.Errorf("%s: %d bytes, %v", name, len(now), err)
		}
		if err := os.WriteFile(stateFile(i+1), changedBlocks(before, now), 0o666); err != nil {
			return err
		}
		before = now
	}
	return nil
}

func changedBlocks(before, now []byte) []byte {
	var out bytes.Buffer
	z, _ := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	for off := 0; off < diskSize; off += blockSize {
		if b := now[off : off+blockSize]; !bytes.Equal(b, before[off:off+blockSize]) {
			binary.Write(z, binary.LittleEndian, uint32(off/blockSize))
			z.Write(b)
		}
	}
	z.Close()
	return out.Bytes()
}
