package index

import "time"

// Meta describes a point in words: what was captured, how, and what is
// missing. It is stored as JSON; readers ignore keys that they do not know.
// Sizes and offsets are bytes. The metadata says nothing that is needed to
// prove or to address data; it is needed to name disks and partitions.
type Meta struct {
	Schema      int       `json:"schema"` // 1
	Tool        string    `json:"tool"`
	Created     time.Time `json:"created"`
	Host        string    `json:"host,omitempty"`
	Source      string    `json:"source"` // as the user named it: a hint
	Comment     string    `json:"comment,omitempty"`
	Consistency string    `json:"consistency"` // "offline", "snapshot", "live", "salvaged"
	Disks       []Disk    `json:"disks"`
	Warnings    []string  `json:"warnings,omitempty"`
	Stats       *Stats    `json:"stats,omitempty"` // absent in the plan
}

// Disk is one captured disk, or a bare file system (Table "none": one
// partition that covers it all, no gap stream).
type Disk struct {
	Size           int64       `json:"size"`
	SectorSize     int         `json:"sector_size"`
	PhysicalSector int         `json:"physical_sector_size,omitempty"`
	Model          string      `json:"model,omitempty"`
	Serial         string      `json:"serial,omitempty"`
	Table          string      `json:"table"`                // "none", "mbr", "gpt"
	ID             string      `json:"id,omitempty"`         // GPT disk GUID, MBR signature
	GapStream      *uint16     `json:"gap_stream,omitempty"` // addresses are those of the disk
	Partitions     []Partition `json:"partitions"`
	Unreadable     []Range     `json:"unreadable,omitempty"` // within the gap stream
}

// Partition is one partition; its stream's addresses start at its first byte.
type Partition struct {
	Number     int       `json:"number"`
	Offset     int64     `json:"offset"`
	Size       int64     `json:"size"`
	Stream     uint16    `json:"stream"`
	Type       string    `json:"type,omitempty"` // GPT type GUID, MBR type "07"
	UniqueID   string    `json:"unique_id,omitempty"`
	Name       string    `json:"name,omitempty"`
	FS         string    `json:"fs,omitempty"` // see volume.Detect
	Label      string    `json:"label,omitempty"`
	FSID       string    `json:"fs_id,omitempty"` // NTFS serial, UUID
	Cluster    int64     `json:"cluster_size,omitempty"`
	Used       int64     `json:"used"` // bytes taken as in use
	Mode       string    `json:"mode"` // "used", "all", "none" (not selected)
	LeftOut    []LeftOut `json:"left_out,omitempty"`
	Unreadable []Range   `json:"unreadable,omitempty"` // sorted, in the stream
	Notes      []string  `json:"notes,omitempty"`
}

// LeftOut is a file, or a named stream of one, whose contents were not captured.
type LeftOut struct {
	Path   string `json:"path"`
	Stream string `json:"stream,omitempty"` // "" for the unnamed one
	Size   int64  `json:"size"`
	Reason string `json:"reason"` // "default", or the pattern that matched
}

// Name is the path, with the stream's name behind it.
func (l *LeftOut) Name() string {
	if l.Stream == "" {
		return l.Path
	}
	return l.Path + ":" + l.Stream
}

// Range is a byte range.
type Range struct {
	Off int64 `json:"off"`
	Len int64 `json:"len"`
}

// Stats are the figures of one capture.
type Stats struct {
	Read       int64 `json:"read"`        // bytes read from the source
	Used       int64 `json:"used"`        // bytes in use
	Changed    int64 `json:"changed"`     // plain bytes stored in this member
	Stored     int64 `json:"stored"`      // the same, compressed
	Chunks     int64 `json:"chunks"`      // chunks in this member
	ZeroBlocks int64 `json:"zero_blocks"` // used blocks that are all zero
	Same       int64 `json:"same"`        // bytes found unchanged in the parent
	Unreadable int64 `json:"unreadable"`  // bytes
	NanosTaken int64 `json:"nanos"`       // wall time
}
