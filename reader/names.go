package reader

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"vitrine/index"
)

// FileName is the name a member's file should have: prefix, image-set ID,
// number and, for parts after the first, the part's number. Names are hints.
func FileName(prefix string, set index.ImageID, number uint32, part int) string {
	if part == 0 {
		return fmt.Sprintf("%s%s-%04d%s", prefix, set, number, index.Suffix)
	}
	return fmt.Sprintf("%s%s-%04d-%02d%s", prefix, set, number, part, index.Suffix)
}

// nameHints are the names under which a part may be found.
func nameHints(prefix string, set index.ImageID, number uint32, part int) []string {
	name := FileName(prefix, set, number, part)
	return []string{name, strings.TrimSuffix(name, index.Suffix) + index.UnfinishedSuffix}
}

// prefixOf is what stands before the image-set ID in a file's name; "" where
// the name does not hold it.
func prefixOf(path string, set index.ImageID) string {
	name := filepath.Base(path)
	i := strings.LastIndex(strings.ToUpper(name), set.String()+"-")
	if i < 0 {
		return ""
	}
	return name[:i]
}

// parseName reads a name that [FileName] gives, with any prefix, or that its file
// had while it was written.
func parseName(path string) (set index.ImageID, number uint32, part int64, ok bool) {
	name := strings.ToLower(filepath.Base(path))
	stem, ok := strings.CutSuffix(strings.TrimSuffix(name, unfinishedMark), index.Suffix)
	if !ok {
		return set, 0, 0, false
	}
	head, n := cutLast(stem)
	if set, ok = endsInID(head); !ok {
		part = n
		head, n = cutLast(head)
		if set, ok = endsInID(head); part <= 0 {
			ok = false
		}
	}
	return set, uint32(n), part, ok && n >= 0 && n < index.NoParent
}

var unfinishedMark = strings.TrimPrefix(index.UnfinishedSuffix, index.Suffix)

// cutLast takes "-N" off the end of a name; n is -1 where there is none.
func cutLast(name string) (head string, n int64) {
	i := strings.LastIndexByte(name, '-')
	n64, err := strconv.ParseUint(name[i+1:], 10, 32)
	if i < 0 || err != nil {
		return name, -1
	}
	return name[:i], int64(n64)
}

// endsInID reads the image-set ID at the end of a name.
func endsInID(s string) (id index.ImageID, ok bool) {
	if len(s) < 16 {
		return id, false
	}
	id, err := index.ParseImageID(s[len(s)-16:])
	return id, err == nil
}

// looksLikeMember says whether a name suggests a member.
func looksLikeMember(name string) bool {
	return strings.Contains(strings.ToLower(name), index.Suffix)
}

// setOf guesses the image set from a file's name, for files whose header is
// unreadable.
func setOf(path string) (set index.ImageID, number uint32, ok bool) {
	name := filepath.Base(path)
	for i := 0; i+16 < len(name); i++ {
		id, err := index.ParseImageID(name[i : i+16])
		if err == nil && name[i+16] == '-' {
			fmt.Sscanf(name[i+17:], "%d", &number)
			return id, number, true
		}
	}
	return set, 0, false
}
