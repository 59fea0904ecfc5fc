//go:build !linux

package reader

import "os"

const directRoom = 0

// osFile is a file of the system.
type osFile struct{ *os.File }

func newOSFile(f *os.File) *osFile { return &osFile{f} }

// readDirect reports that the system does not read past its cache.
func (*osFile) readDirect([]byte, int64, int, bool) ([]byte, bool) { return nil, false }
