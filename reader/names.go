package reader

import (
	"fmt"
	"path/filepath"
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
