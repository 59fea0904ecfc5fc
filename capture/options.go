package capture

import (
	"context"
	"io"
	"io/fs"
	"runtime"
	"time"

	"vitrine/index"
)

// Source is what is captured: a disk, a partition, an image file. ReadAt is
// called from several goroutines. A source may also have
//
//	DataExtent(off int64) (start, end int64, err error)
//
// which gives the first range at or after off that may hold data, all before
// it being zeros; and Stat() (fs.FileInfo, error), which tells when it changes
// while it is read.
type Source interface {
	io.ReaderAt
	Size() int64 // bytes
}

type extentSource interface {
	DataExtent(off int64) (start, end int64, err error)
}

type statSource interface{ Stat() (fs.FileInfo, error) }

// ParentPoint is the point that a member is captured onto.
type ParentPoint interface {
	IndexParent() *index.Parent
	Meta() *index.Meta
	Set() index.ImageID
	// ChunkHash is the plain hash of the block that a Data ref stores. It is
	// called from several goroutines.
	ChunkHash(ref index.Ref) (index.Hash, error)
}

// Level says how hard chunks are compressed.
type Level uint8

// The levels. Default is the zero value.
const (
	Default Level = iota
	None
	Fastest
	Better
	Best
)

var levelNames = [...]string{"default", "none", "fastest", "better", "best"}

func (l Level) String() string { return levelNames[min(int(l), len(levelNames)-1)] }

// ParseLevel reads the name of a level.
func ParseLevel(s string) (Level, error) {
	for i, n := range levelNames {
		if s == n {
			return Level(i), nil
		}
	}
	return 0, &OptionError{"level", s, "choose none, fastest, default, better or best"}
}

// Options say what to capture and how. Only Dir is needed.
type Options struct {
	Dir    string // folder for the member; must exist
	Prefix string // readable start of the file names; "": none

	Kind   index.MemberKind // 0: Incremental with a Parent, else Full
	Parent ParentPoint      // nil: a full of a new set
	Force  bool             // take the parent although it shows another source
	// Folders are searched, besides Dir, for members of the set, so that no
	// number is used twice.
	Folders []string

	Partitions []int    // numbers to take; empty: all
	AllSectors bool     // take free space and all contents too
	Exclude    []string // patterns of files whose contents are left out

	Level      Level
	Split      int64 // bytes of a part's file, at most; 0: one file
	SectorSize int   // logical sector of the source; 0: find out
	Workers    int   // goroutines that hash and compress; 0: one more than processors, at most 16

	Consistency    string // see index.Meta; "": offline
	Comment        string
	Tool           string
	Host           string
	SourceName     string
	Model, Serial  string
	PhysicalSector int
	Warnings       []string // sentences of the caller for the image

	// Progress is told where the capture stands, from one goroutine at a time.
	Progress func(Event)
	// Settled is told, now and then, that the file at path, which is written, has
	// all of its first bytes on the medium, and none of them in the page cache: a
	// time to measure how fast it can be read. Writing waits for it to return; it
	// is called from a goroutine of its own, on systems that can tell.
	Settled func(path string, bytes int64)
	// Verify proves the finished member at path; its error becomes Run's.
	Verify func(ctx context.Context, path string) error
	Now    time.Time // when the source was as it is captured; zero: now
}

func (o *Options) fill() {
	if o.Kind == 0 {
		o.Kind = index.Full
		if o.Parent != nil {
			o.Kind = index.Incremental
		}
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Consistency == "" {
		o.Consistency = "offline"
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0)+1, 16) // one may wait for the source
	}
}

// Phase is what a capture is doing.
type Phase string

// The phases, in order.
const (
	PhasePlan   Phase = "plan"   // finding out what is in use
	PhaseRead   Phase = "read"   // reading and storing
	PhaseFinish Phase = "finish" // index, sync, name
	PhaseVerify Phase = "verify"
	PhaseDone   Phase = "done"
)

// Event tells where a capture stands. Done reaches Total only in PhaseVerify
// or PhaseDone, when everything is synced and has its name.
type Event struct {
	Phase      Phase
	Item       string // "partition 2 (Windows)"
	Done       int64  // bytes of the source
	Total      int64  // bytes of the source to take, 0 in PhasePlan
	Stored     int64  // bytes of stored chunks so far
	Changed    int64  // plain bytes of them
	Data       int64  // plain bytes of all chunks so far, the parent's too
	Unreadable int64  // bytes
	Path       string // the file that is written, "" before there is one
}

// Result is a finished member.
type Result struct {
	Path   string   // part 0
	Parts  []string // all parts, Path first
	Size   int64    // bytes of all parts
	Set    index.ImageID
	Number uint32
	UID    index.UID
	Kind   index.MemberKind
	Root   index.Hash
	Meta   *index.Meta
	// Incomplete: something that should be in the image is not; Reasons says
	// what, a sentence each.
	Incomplete bool
	Reasons    []string
}
