//go:build windows || cgofuse

package mount

import fuse "vitrine/internal/cgofuse"

// Every call that changes something is refused. WinFsp takes a missing method
// for success in some of them, and throws away what the calls for deleting
// answer; it asks Access before, though, when told that Access knows about
// deleting.

var (
	_ fuse.FileSystemInterface  = (*pathDriver)(nil)
	_ fuse.FileSystemGetpath    = (*pathDriver)(nil)
	_ fuse.FileSystemChflags    = (*pathDriver)(nil)
	_ fuse.FileSystemSetcrtime  = (*pathDriver)(nil)
	_ fuse.FileSystemSetchgtime = (*pathDriver)(nil)
)

// accessWrite is W_OK of access(2).
const accessWrite = 2

// Access refuses to write and delete.
func (d *pathDriver) Access(p string, mask uint32) (errc int) {
	defer d.rescue(&errc)
	if mask&(accessWrite|fuse.DELETE_OK) != 0 {
		return -fuse.EROFS
	}
	_, err := d.find(p)
	return d.errno("access", p, err)
}

func (d *pathDriver) Mknod(string, uint32, uint64) int         { return -fuse.EROFS }
func (d *pathDriver) Mkdir(string, uint32) int                 { return -fuse.EROFS }
func (d *pathDriver) Unlink(string) int                        { return -fuse.EROFS }
func (d *pathDriver) Rmdir(string) int                         { return -fuse.EROFS }
func (d *pathDriver) Link(string, string) int                  { return -fuse.EROFS }
func (d *pathDriver) Symlink(string, string) int               { return -fuse.EROFS }
func (d *pathDriver) Rename(string, string) int                { return -fuse.EROFS }
func (d *pathDriver) Chmod(string, uint32) int                 { return -fuse.EROFS }
func (d *pathDriver) Chown(string, uint32, uint32) int         { return -fuse.EROFS }
func (d *pathDriver) Utimens(string, []fuse.Timespec) int      { return -fuse.EROFS }
func (d *pathDriver) Create(string, int, uint32) (int, uint64) { return -fuse.EROFS, noHandle }
func (d *pathDriver) Truncate(string, int64, uint64) int       { return -fuse.EROFS }
func (d *pathDriver) Write(string, []byte, int64, uint64) int  { return -fuse.EROFS }
func (d *pathDriver) Setxattr(string, string, []byte, int) int { return -fuse.EROFS }
func (d *pathDriver) Removexattr(string, string) int           { return -fuse.EROFS }
func (d *pathDriver) Chflags(string, uint32) int               { return -fuse.EROFS }
func (d *pathDriver) Setcrtime(string, fuse.Timespec) int      { return -fuse.EROFS }
func (d *pathDriver) Setchgtime(string, fuse.Timespec) int     { return -fuse.EROFS }
