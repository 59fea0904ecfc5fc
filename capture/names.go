package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"vitrine/index"
)

// baseName is a member's file name without parts and suffix.
func baseName(prefix string, set index.ImageID, number uint32) string {
	name := fmt.Sprintf("%s-%04d", set, number)
	if prefix != "" {
		name = prefix + "_" + name
	}
	return name
}

// partName is the name of a part's file; part 0 has no part number in it.
func partName(base string, part int, suffix string) string {
	if part > 0 {
		base = fmt.Sprintf("%s-%02d", base, part)
	}
	return base + suffix
}

func checkPrefix(s string) error {
	if strings.ContainsAny(s, `/\:*?"<>|`+"\x00") || strings.HasPrefix(s, ".") || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return &OptionError{"name", s, "it cannot be part of a file name"}
	}
	return nil
}

// nextNumber is one more than the highest number of the set that is seen in
// the folders, finished or not, and than after.
func nextNumber(set index.ImageID, folders []string, after int64) (uint32, error) {
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			after = max(after, numberOf(filepath.Join(dir, e.Name()), set))
		}
	}
	if after+1 >= index.NoParent {
		return 0, &OptionError{"set", set.String(), "it has no free number left"}
	}
	return uint32(after + 1), nil
}

// numberOf is the number of a file of the set; -1: it is none. Names that a
// capture gives are believed, since there may be thousands; others are asked for
// their header, and if they have none tell the number as well as they can.
func numberOf(path string, set index.ImageID) int64 {
	if id, n, _, ok := index.ParseName(path); ok {
		if id != set {
			return -1
		}
		return int64(n)
	}
	if h := headerOf(path); h != nil {
		if h.Set != set {
			return -1
		}
		return int64(h.Number)
	}
	return numberInName(filepath.Base(path), set)
}

// numberInName is the member number in a file's name; -1: none of this set.
func numberInName(name string, set index.ImageID) int64 {
	_, rest, ok := strings.Cut(strings.ToUpper(name), set.String()+"-")
	n := uint32(0)
	if !ok || !looksLikeMember(name) {
		return -1
	}
	if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
		return -1
	}
	return int64(n)
}

func looksLikeMember(name string) bool {
	return strings.HasSuffix(name, index.Suffix) || strings.HasSuffix(name, index.UnfinishedSuffix)
}

// headerOf reads the header of a file that may be a member; nil: it is none.
func headerOf(path string) *index.Header {
	if st, err := os.Stat(path); !looksLikeMember(path) || err != nil || !st.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	h, err := index.ReadHeader(f)
	if err != nil {
		return nil
	}
	return h
}
