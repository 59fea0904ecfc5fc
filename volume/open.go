package volume

import (
	"fmt"
	"io"
)

// OpenFS opens the file system on a volume of size bytes. What is not
// understood gives an error that wraps [ErrUnsupported] and names what was
// recognised.
func OpenFS(r io.ReaderAt, size int64) (FileSystem, error) {
	return nil, unsupported(Detect(r, size))
}

// OpenUsed opens a volume for its space in use, like [OpenFS].
func OpenUsed(r io.ReaderAt, size int64) (UsedSpace, error) {
	return nil, unsupported(Detect(r, size))
}

func unsupported(info FSInfo) error {
	if info.Kind == "" {
		return fmt.Errorf("no file system recognised: %w", ErrUnsupported)
	}
	return fmt.Errorf("%s: %w", info.Kind, ErrUnsupported)
}
