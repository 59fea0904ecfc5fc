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
// the folders, finished or not, and than after. Files are known by their
// headers, whatever their names, and where there is none by their names.
func nextNumber(set index.ImageID, folders []string, after int64) (uint32, error) {
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			h := headerOf(filepath.Join(dir, e.Name()))
			switch {
			case h != nil && h.Set == set:
				after = max(after, int64(h.Number))
			case h == nil:
				after = max(after, numberInName(e.Name(), set))
			}
		}
	}
	if after+1 >= index.NoParent {
		return 0, &OptionError{"set", set.String(), "it has no free number left"}
	}
	return uint32(after + 1), nil
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
