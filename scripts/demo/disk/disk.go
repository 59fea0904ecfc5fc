// Package disk unpacks the sample disk that ships with the sources: 56 MiB with
// a GPT, an EFI partition and an NTFS volume, in three states.
package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// A file of the sample is zstd over records of a block number (4 bytes,
// little-endian) and a block of 4 KiB; blocks that no state mentions are zero.
// make-sample.sh made it.
const (
	blockSize = 4096
	// Size is the size of the disk in bytes.
	Size = 56 << 20
	// States is how many states there are, counted from 1.
	States = 3
)

func stateFile(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("state-%d.zst", n)) }

// Apply brings the disk image at path from state n-1 to state n, out of the
// sample's folder dir. State 1 starts from nothing.
func Apply(dir, path string, n int) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(Size); err != nil {
		return err
	}
	in, err := os.Open(stateFile(dir, n))
	if err != nil {
		return err
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

// Pack writes the sample's files into dir, from an image of each state.
func Pack(dir string, images []string) error {
	before := make([]byte, Size)
	for i, name := range images {
		now, err := os.ReadFile(name)
		if err != nil || len(now) != Size {
			return fmt.Errorf("%s: %d bytes, %v", name, len(now), err)
		}
		if err := os.WriteFile(stateFile(dir, i+1), changedBlocks(before, now), 0o666); err != nil {
			return err
		}
		before = now
	}
	return nil
}

func changedBlocks(before, now []byte) []byte {
	var out bytes.Buffer
	z, _ := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	for off := 0; off < Size; off += blockSize {
		if b := now[off : off+blockSize]; !bytes.Equal(b, before[off:off+blockSize]) {
			binary.Write(z, binary.LittleEndian, uint32(off/blockSize))
			z.Write(b)
		}
	}
	z.Close()
	return out.Bytes()
}
