package restore

import (
	"fmt"
	"io"

	"vitrine/volume"
)

// maxLooked bounds the partitions of the target that are looked into.
const maxLooked = 64

// TargetState is what is on a target before it is overwritten.
type TargetState struct {
	Path, Model, Serial string
	Size                int64
	Exists              bool
	Table               string // as volume.Layout
	Partitions          []Found
	Notes               []string
}

// Found is one partition of the target and the file system in it.
type Found struct {
	volume.Partition
	FS volume.FSInfo
}

// look reads the target's table and recognises its file systems.
func look(t Target) TargetState {
	s := TargetState{Path: t.Path(), Model: t.Model(), Serial: t.Serial(), Size: t.Size(), Exists: t.Exists()}
	if !s.Exists || s.Size == 0 {
		return s
	}
	l, err := volume.ReadLayout(t, s.Size, t.SectorSize())
	if err != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("what is on the target now cannot be read: %v", err))
		return s
	}
	s.Table = l.Table
	for _, bad := range l.Problems {
		s.Notes = append(s.Notes, "on the target now: "+bad)
	}
	for i, q := range l.Partitions {
		f := Found{Partition: q}
		if i < maxLooked {
			f.FS = volume.Detect(io.NewSectionReader(t, q.Off, q.Len), q.Len)
		}
		s.Partitions = append(s.Partitions, f)
	}
	return s
}
