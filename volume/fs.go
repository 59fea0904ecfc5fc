package volume

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors that file-system readers wrap, so that callers choose by class.
// A missing name is fs.ErrNotExist.
var (
	// ErrCorrupt marks structures that contradict themselves or the volume.
	ErrCorrupt = errors.New("file system is damaged")
	// ErrUnsupported marks what is recognised but cannot be read.
	ErrUnsupported = errors.New("not supported")
	// ErrLocked marks volumes of BitLocker; it is an ErrUnsupported.
	ErrLocked = fmt.Errorf("the volume is encrypted with BitLocker: %w", ErrUnsupported)
	// ErrEncrypted marks contents that need a key which the image does not hold.
	ErrEncrypted = errors.New("contents are encrypted")
	// ErrNotCaptured marks contents that are not on this volume (cloud
	// placeholders) or were left out of the image on purpose.
	ErrNotCaptured = errors.New("contents are not in the image")
	// ErrNotDir marks a folder operation on something else.
	ErrNotDir = errors.New("not a folder")
	// ErrIsDir marks a file operation on a folder.
	ErrIsDir = errors.New("is a folder")
)

// ID names an object of a file system for as long as the image exists.
// NTFS uses the 40-bit file record number; bits 40 to 55 select a stream by its
// index (0: the unnamed stream); the top 8 bits are zero and belong to whoever
// joins several file systems into one tree.
type ID uint64

// Node bits of an [ID].
const (
	IDRecordBits = 40 // object number
	IDStreamBits = 16 // stream index above it
)

// Kind is what an object is.
type Kind uint8

// The kinds of objects. Links of every sort that can be followed by name
// (symlinks, junctions, WSL links) are Symlink.
const (
	Dir Kind = iota + 1
	File
	Symlink
	Fifo
	Socket
	CharDev
	BlockDev
	Other
)

// Attr holds the attributes of one object.
type Attr struct {
	ID       ID
	Gen      uint32 // generation: NTFS sequence number
	Kind     Kind
	Perm     uint16 // POSIX permission bits; 0 where the file system has none
	HasPOSIX bool   // UID, GID and Perm come from the file system
	UID      uint32
	GID      uint32
	Links    uint32 // names of the object, DOS names not counted; at least 1
	Size     int64  // bytes of the contents; of a link: length of its target in UTF-8
	Alloc    int64  // bytes allocated on the volume
	Rdev     uint64 // device number of CharDev and BlockDev, as Linux packs it
	// Times in UTC, as precise as the file system has them; zero where it has none.
	ModTime, AccessTime, ChangeTime, BirthTime time.Time
	Win                                        uint32 // FILE_ATTRIBUTE_* bits [MS-FSCC 2.6]; 0 elsewhere
	Reparse                                    uint32 // reparse tag [MS-FSCC 2.1.2.1]; 0: none
	NoStreams                                  bool   // it is known that [Streams] would find none
	Damage                                     error  // of a file, or of a folder that may be something else: why some of this may be missing, nil when nothing is
	NoSize                                     bool   // Size and Alloc are not known
}

// Device is the device number of a CharDev or BlockDev, taken apart.
func (a *Attr) Device() (major, minor uint32) {
	d := a.Rdev
	return uint32(d>>8&0xFFF | d>>32&^0xFFF), uint32(d&0xFF | d>>12&^0xFF)
}

// Entry is one name in a folder.
type Entry struct {
	Name   string // UTF-8; names that are not valid UTF-16 are WTF-8
	Cookie uint64 // resumes the listing after this entry; stable, never 0
	ID     ID
	Kind   Kind
	Attr   *Attr // filled when attributes were asked for and could be read
	Err    error // why Attr could not be read, when it was asked for
}

// StatFS is a volume's space.
type StatFS struct {
	BlockSize int    // bytes: cluster size
	Blocks    uint64 // total
	Free      uint64
	Files     uint64 // file records, used and free
	FreeFiles uint64
	NameMax   int
	Label     string
	FSType    string // "NTFS"
	Serial    uint64 // volume serial number
}

// FileSystem is the files of one volume: read-only, immutable, safe for
// parallel use. Every file-system reader satisfies it; drivers and commands
// know nothing else.
//
// Errors wrap fs.ErrNotExist or one of this package's classes.
type FileSystem interface {
	Root() ID
	Attr(ctx context.Context, id ID) (Attr, error)
	// Lookup finds name in folder dir, exactly as the volume spells it.
	Lookup(ctx context.Context, dir ID, name string) (Attr, error)
	// ReadDir yields the entries of dir behind the cookie after (0: all),
	// without "." and "..", until yield returns false. The order is stable. An
	// entry is valid until yield returns; what it points to may be kept.
	ReadDir(ctx context.Context, dir ID, after uint64, wantAttr bool, yield func(*Entry) bool) error
	// ReadLink gives a link's target: '/' separated; where that leads says [PlaceOf].
	ReadLink(ctx context.Context, id ID) (string, error)
	// Open opens the contents of a file or, for an id with stream bits, of a
	// named stream.
	Open(ctx context.Context, id ID) (OpenFile, error)
	StatFS(ctx context.Context) (StatFS, error)
}

// OpenFile is the contents of one file or stream, safe for parallel ReadAt.
type OpenFile interface {
	Size() int64
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	Close() error
}

// Abilities that a FileSystem or OpenFile may have besides, found by type
// assertion.
type (
	// RawOpener opens contents as they are stored: not decrypted, not
	// decompressed.
	RawOpener interface {
		OpenRaw(ctx context.Context, id ID) (OpenFile, error)
	}
	// Folder looks names up without regard to case, as the volume's own
	// system would, and says how the volume spells the name.
	Folder interface {
		LookupFold(ctx context.Context, dir ID, name string) (Attr, string, error)
	}
	// Lost finds what no folder leads to, though it exists; on a sound volume
	// there is no such thing. Both read every file record there is.
	// LookupLost finds what [Walker] visits under a path, with or without regard
	// to case, and says how it is spelled. WalkLost visits all that listings do
	// not show, with attributes, each with the folder that it says to be in, or
	// with the root if it takes the place of a folder that is gone. It visits
	// nothing unless root is that of a volume. When visit returns an error the
	// walk stops with it.
	Lost interface {
		LookupLost(ctx context.Context, path string) (Attr, string, error)
		WalkLost(ctx context.Context, root ID, visit func(dir ID, e *Entry) error) error
	}
	// Streams lists named streams. Each can be opened by its ID. The error, after all
	// that could be read, may be that there are more.
	Streams interface {
		Streams(ctx context.Context, id ID) ([]Stream, error)
	}
	// Xattrs gives further attributes by the names ntfs-3g uses
	// ("system.ntfs_acl", "system.ntfs_attrib", …), see List.
	Xattrs interface {
		ListXattr(ctx context.Context, id ID) ([]string, error)
		Xattr(ctx context.Context, id ID, name string) ([]byte, error)
	}
	// Omitter knows the files whose contents were left out of the image, and
	// why: see [OpenCaptured].
	Omitter interface {
		LeftOut(ctx context.Context, id ID) (reason string, yes bool)
	}
	// Paths gives one full path of an object, '/' separated, from the root.
	Paths interface {
		Path(ctx context.Context, id ID) (string, error)
	}
	// Walker visits every object of the volume in the order that reads the
	// disk fastest, with attributes. Paths are '/' separated from the root; a
	// hard link is visited once per name. The entry and its attributes are valid
	// until visit returns. When visit returns an error the walk stops with it.
	Walker interface {
		Walk(ctx context.Context, visit func(path string, e *Entry) error) error
	}
	// Sparse says where an open file has data. NextExtent gives the extent
	// that covers off; hole means that it reads as zeros and occupies nothing.
	Sparse interface {
		NextExtent(ctx context.Context, off int64) (end int64, hole bool, err error)
	}
	// Located tells the byte ranges of the volume that hold an open file's
	// contents, in file order; phys is -1 for holes and for contents that
	// cannot be read there verbatim (resident, compressed).
	Located interface {
		Extents(ctx context.Context, yield func(off, n, phys int64) bool) error
	}
)

// Stream is one named stream of an object.
type Stream struct {
	Name  string
	ID    ID
	Size  int64
	Alloc int64
}

// Extent is a byte range.
type Extent struct {
	Off, Len int64
}

// Contents is one stream of a file and where on the volume it lies.
type Contents struct {
	Stream   string // "" for the unnamed one
	Size     int64
	Resident bool // among the file system's own data: it has no Extents
	Extents  []Extent
}

// UsedSpace lists what a capture must take of a volume, in bounded memory.
type UsedSpace interface {
	// ClusterSize is the allocation unit in bytes.
	ClusterSize() int64
	// Used yields the ranges in use, sorted, not touching, inside [0, size of
	// the device]. It covers everything a restored volume needs, the backup
	// boot sector too.
	Used(ctx context.Context, yield func(Extent) bool) error
	// FileExtents gives the streams of the named file or folder, and the ranges
	// that hold nothing but their contents. It fails with fs.ErrNotExist when there is no
	// such object, and when the places of contents are not all known.
	FileExtents(ctx context.Context, path string) ([]Contents, error)
	// Notes are sentences about the volume's state that belong into the image
	// (not cleanly unmounted, hibernated, bitmap and runs disagree, …). They
	// are complete once Used has returned.
	Notes() []string
}
