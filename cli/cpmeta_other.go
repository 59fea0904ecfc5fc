//go:build !linux && !windows

package cli

import (
	"errors"
	"os"
	"syscall"

	"vitrine/volume"
)

// errQuota is the target's "disk quota exceeded".
const errQuota = syscall.EDQUOT

// streamsByName says whether this system itself takes "file:stream" for a
// stream of the file.
const streamsByName = false

func createStream(dir *os.Root, name string) (*os.File, error) {
	return createPart(dir, name)
}

func holdPart(*os.File)                                       {}
func abandoned(*os.Root, string, int) bool                    { return false }
func setXattr(*os.File, string, []byte) error                 { return errors.ErrUnsupported }
func setLinkTimes(*os.Root, string, volume.Attr) error        { return nil }
func setAttributes(*os.Root, string, volume.Attr, bool) error { return nil }
func syncDest(*os.Root) error                                 { syscall.Sync(); return nil }

func writeTimes(dir *os.Root, name string, a volume.Attr) error {
	return dir.Chtimes(name, a.AccessTime, a.ModTime)
}

// setSDDL is not for this system; the command says so.
func setSDDL(*os.Root, string, string) error { return errors.ErrUnsupported }
