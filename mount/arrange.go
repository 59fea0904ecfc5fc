package mount

import (
	"context"

	"vitrine/volume"
)

// Disk is one disk of a point, for [Arrange].
type Disk struct {
	Raw        RawView // nil: not shown
	Partitions []Partition
}

// Partition is one of its partitions.
type Partition struct {
	Number int // from 1
	Label  string
	FS     volume.FileSystem // nil: the files cannot be shown
	Note   string            // the reason then; "" for partitions that have no files (boot code, gaps)
	Raw    RawView           // nil: not shown
}

// Arrange builds the tree of one point:
//
//   - A single partition has its files at the root.
//   - Several have a folder each, named by [PartitionName]; the name without its
//     label finds it too. One whose files cannot be shown has a README.txt in its
//     folder that says why.
//   - Raw files lie at the root, named by [RawName]. Should a single partition
//     have a file of such a name at its root, it gets a folder after all, so that
//     nothing hides anything.
func Arrange(ctx context.Context, disks []Disk) (*Tree, error) {
	a := arranger{tree: NewTree(), disks: disks}
	a.single = len(disks) == 1 && a.folders() == 1 && !a.collides(ctx)
	for i := range disks {
		if err := a.disk(i); err != nil {
			return nil, err
		}
	}
	return a.tree, nil
}

type arranger struct {
	tree   *Tree
	disks  []Disk
	single bool
}

// number of a disk in names; 0 when there is but one.
func (a *arranger) number(i int) int {
	if len(a.disks) == 1 {
		return 0
	}
	return i + 1
}

func (p *Partition) hasFolder() bool { return p.FS != nil || p.Note != "" }

func (a *arranger) folders() (n int) {
	for _, d := range a.disks {
		for _, p := range d.Partitions {
			if p.hasFolder() {
				n++
			}
		}
	}
	return n
}

// rawNames are the names of the raw files of disk i.
func (a *arranger) rawNames(i int) (names []string) {
	if a.disks[i].Raw != nil {
		names = append(names, RawName(a.number(i), 0))
	}
	for _, p := range a.disks[i].Partitions {
		if p.Raw != nil {
			names = append(names, RawName(a.number(i), p.Number))
		}
	}
	return names
}

// collides says that a name of the only volume is also that of a raw file.
func (a *arranger) collides(ctx context.Context) bool {
	for _, p := range a.disks[0].Partitions {
		f, ok := p.FS.(volume.Folder)
		if !ok {
			continue
		}
		for _, name := range a.rawNames(0) {
			if _, _, err := f.LookupFold(ctx, p.FS.Root(), name); err == nil {
				return true
			}
		}
	}
	return false
}

func (a *arranger) disk(i int) error {
	d := &a.disks[i]
	if d.Raw != nil {
		if err := a.tree.AddRaw(RawName(a.number(i), 0), d.Raw); err != nil {
			return err
		}
	}
	for j := range d.Partitions {
		if err := a.partition(a.number(i), &d.Partitions[j]); err != nil {
			return err
		}
	}
	return nil
}

func (a *arranger) partition(disk int, p *Partition) error {
	if p.Raw != nil {
		if err := a.tree.AddRaw(RawName(disk, p.Number), p.Raw); err != nil {
			return err
		}
	}
	if !p.hasFolder() {
		return nil
	}
	name := ""
	if !a.single {
		name = PartitionName(disk, p.Number, p.Label)
		if short := partitionBase(disk, p.Number); short != name {
			if err := a.tree.AddAlias(short, name); err != nil {
				return err
			}
		}
	}
	if p.FS == nil {
		return a.tree.AddNote(name, p.Note)
	}
	return a.tree.AddVolume(name, p.FS)
}
