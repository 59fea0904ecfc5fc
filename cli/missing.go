package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vitrine/index"
	"vitrine/reader"
)

// maxMissing bounds the missing files that a note lists one by one.
const maxMissing = 1000

// noteMissing says which files are missing, before a read in their place fails.
func (e *env) noteMissing(image, whose string, lack []reader.Member) {
	if len(lack) == 0 {
		return
	}
	n := note{Path: image}
	var words []string
	for i := range lack {
		name, word := missingFile(lack[i].Err)
		if len(n.Missing) < maxMissing {
			n.Missing = append(n.Missing, name)
		}
		words = append(words, word)
	}
	const most = 5
	if len(words) > most {
		words = append(words[:most], fmt.Sprintf("and %d more", len(lack)-most))
	}
	n.Text = fmt.Sprintf("missing: %s; what %s has from there cannot be read, all else can", strings.Join(words, ", "), whose)
	e.note(n)
}

// missingFile gives the file that an error of a missing member is about, and
// what there is to say of it.
func missingFile(err error) (name, word string) {
	if m, ok := errors.AsType[*reader.MissingError](err); ok {
		if m.Part < 0 {
			return m.Name, fmt.Sprintf("%s (member %d)", m.Name, m.Number)
		}
		return m.Name, fmt.Sprintf("%s (part %d of member %d)", m.Name, m.Part, m.Number)
	}
	if d, ok := errors.AsType[*reader.DamageError](err); ok {
		return d.Path, fmt.Sprintf("the end of %s, from byte %d on (member %d)", d.Path, d.Off, d.Member)
	}
	return err.Error(), err.Error()
}

// noteMissingParents does it for all points of a set, as far as the headers of
// its members tell.
func (e *env) noteMissingParents(ctx context.Context, image string, set *reader.Set) {
	lack, points := orphans(set)
	if len(lack) > 0 && len(e.search) > 0 {
		lack, points = orphans(e.withSearched(ctx, set))
	}
	whose := plural(int64(points), "point")
	e.noteMissing(image, whose, lack)
}

// withSearched is a set with its members in the folders of --search.
func (e *env) withSearched(ctx context.Context, set *reader.Set) *reader.Set {
	all := *set
	all.Members = slices.Clone(set.Members)
	for _, dir := range e.search {
		if more, err := reader.ScanDir(ctx, dir); err == nil {
			addMembers(&all, more)
		}
	}
	return &all
}

// orphans lists the parents that are not among the members of a set, and counts
// the points that need them. Parents have lower numbers, and so come first.
func orphans(set *reader.Set) (lack []reader.Member, points int) {
	const cut, whole = 1, 2 // a member with and without a missing ancestor
	known := map[index.UID]int{}
	for i := range set.Members {
		m := &set.Members[i]
		switch {
		case !m.Usable():
			continue
		case m.ParentNumber == index.NoParent || known[m.ParentUID] == whole:
			known[m.UID] = whole
			continue
		case known[m.ParentUID] == 0:
			known[m.ParentUID] = cut
			lack = append(lack, reader.Member{Err: &reader.MissingError{Set: set.ID, Number: m.ParentNumber, UID: m.ParentUID, Part: -1,
				Name: reader.FileName(set.Prefix, set.ID, m.ParentNumber, 0)}})
		}
		known[m.UID] = cut
		points++
	}
	return lack, points
}
