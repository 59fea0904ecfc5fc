package volume

import (
	"fmt"
	"io"
)

// OpenFS opens the file system on a volume of size bytes. What is not
// understood gives an error that wraps [ErrUnsupported] and names what was
// recognised.
func OpenFS(r io.ReaderAt, size int64) (FileSystem, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// OpenUsed opens a volume for its space in use, like [OpenFS].
func OpenUsed(r io.ReaderAt, size int64) (UsedSpace, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// openKnown opens NTFS, also where nothing but its backup boot sector tells
// that it is there.
func openKnown(r io.ReaderAt, size int64) (*ntfsFS, error) {
	info := Detect(r, size)
	if info.Kind != "ntfs" && info.Kind != "" {
		return nil, unsupported(info)
	}
	n, err := openNTFS(r, size)
	if err != nil && info.Kind == "" {
		return nil, unsupported(info)
	}
	return n, err
}

func unsupported(info FSInfo) error {
	if info.Kind == "" {
		return fmt.Errorf("no file system recognised: %w", ErrUnsupported)
	}
	return fmt.Errorf("%s: %w", info.Kind, ErrUnsupported)
}
