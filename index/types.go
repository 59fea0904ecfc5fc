package index

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Sizes of the format, see docs/FORMAT.md section 1.
const (
	BlockSize     = 64 << 10 // bytes of one block, and of one chunk's plain data
	LeafBlocks    = 1024     // blocks under one leaf of the map: 64 MiB
	FanOut        = 64       // children of an inner page
	SegmentChunks = 64       // chunks of a segment, at most
	Align         = 4096     // records and parts start at multiples of this

	HeaderSize   = 4096
	FooterSize   = 4096
	PreambleSize = 128
	SlotSize     = 48

	// MaxStored is the longest stored form of one chunk: plain.
	MaxStored = BlockSize
	// MaxPage bounds every map and directory page.
	MaxPage = 64 << 10
	// MaxMeta bounds the plan and the metadata, stored and decoded.
	MaxMeta = 4 << 20
	// MaxMembers bounds a member table.
	MaxMembers = 1 << 20
	// MaxStreams bounds the streams of one member.
	MaxStreams = 4096
	// MaxBlocks bounds the blocks of one stream.
	MaxBlocks = 1 << 40
)

// Suffixes of file names. Names are hints; identity is in the header.
const (
	Suffix           = ".vtr"
	UnfinishedSuffix = ".vtr.unfinished"
)

// Classes of errors. Every error of this package wraps exactly one.
var (
	ErrCorrupt     = errors.New("damaged")
	ErrUnsupported = errors.New("made by a newer version")
	ErrNotMember   = errors.New("not a Vitrine image")
	ErrUnfinished  = errors.New("unfinished capture")
)

// FormatError says what is wrong with a member and where. It wraps one of the
// classes above.
type FormatError struct {
	What string // "header", "map page", …
	Off  int64  // byte in the member's address space; -1: unknown
	Msg  string
	Err  error
}

func (e *FormatError) Error() string {
	if e.Off < 0 {
		return fmt.Sprintf("%s: %s (%v)", e.What, e.Msg, e.Err)
	}
	return fmt.Sprintf("%s at byte %d: %s (%v)", e.What, e.Off, e.Msg, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

func corrupt(what string, off int64, format string, a ...any) error {
	return &FormatError{what, off, fmt.Sprintf(format, a...), ErrCorrupt}
}

// ImageID names an image set.
type ImageID [8]byte

func (id ImageID) String() string { return fmt.Sprintf("%016X", id[:]) }

// ParseImageID reads 16 hexadecimal digits.
func ParseImageID(s string) (id ImageID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an image ID of 16 hexadecimal digits", s)
	}
	return ImageID(b), nil
}

// UID tells apart members with the same number: a retried capture, a branch.
type UID [16]byte

func (u UID) String() string { return hex.EncodeToString(u[:]) }

// Hash is a BLAKE3-256 value.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MemberKind is what a member is.
type MemberKind uint8

// The kinds of members.
const (
	Full MemberKind = iota + 1
	Incremental
	Differential
	Salvage // index over an unfinished member
)

func (k MemberKind) String() string {
	switch k {
	case Full:
		return "full"
	case Incremental:
		return "incremental"
	case Differential:
		return "differential"
	case Salvage:
		return "salvage"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kind is what the map says of a block.
type Kind uint8

// The kinds of blocks. All but Data need no stored bytes.
const (
	Hole        Kind = iota // not in use by the file system
	Data                    // in a chunk
	Zero                    // in use, all bytes zero
	NotCaptured             // in use, left out on purpose
	Unreadable              // the source could not be read
)

func (k Kind) String() string {
	return [...]string{"hole", "data", "zero", "not captured", "unreadable", "?"}[min(k, 5)]
}

// Ref is what the map says of one block: its kind and, for Data, the chunk.
type Ref struct {
	Kind   Kind
	Member uint32 // member number
	Chunk  uint64 // segment number * SegmentChunks + slot
}

// Codec is how a chunk is stored.
type Codec uint8

// The codecs. Page deltas are reserved.
const (
	Raw  Codec = iota // verbatim, BlockSize bytes
	Zstd              // one zstd frame
	S2                // one S2 block
)

// PagePtr names a stored page, in whichever member wrote it. A zero Len is no
// page.
type PagePtr struct {
	Member uint32
	Off    int64 // in the member's address space
	Len    uint32
	Hash   Hash
}

// MemberEntry is what a member knows of itself or of one of its ancestors:
// enough to find it, prove it and read its chunks.
type MemberEntry struct {
	Number  uint32
	Kind    MemberKind
	UID     UID
	Root    Hash    // zero for an unfinished member under a salvage
	Length  int64   // of the address space; of an unfinished member: what is used of it
	Created int64   // Unix nanoseconds
	Parent  uint32  // number of the parent; NoParent for a full
	Dir     PagePtr // root of the segment directory
}

// NoParent stands for the parent of a full.
const NoParent = 1<<32 - 1

// Time is when the member was captured.
func (m *MemberEntry) Time() time.Time { return time.Unix(0, m.Created) }

// StreamRoot is the map of one stream (a partition, or a disk's space outside
// partitions).
type StreamRoot struct {
	ID     uint16
	Levels uint8 // inner levels above the leaves, 0 to 5
	Size   int64 // bytes; the last block may be cut short by it
	Root   PagePtr
}

// Blocks is the number of blocks of the stream.
func (s *StreamRoot) Blocks() uint64 { return (uint64(s.Size) + BlockSize - 1) / BlockSize }
