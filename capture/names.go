package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	if strings.ContainsAny(s, `/\:*?"<>|`+"\x00") || strings.HasPrefix(s, ".") {
		return &OptionError{"name", s, "it cannot be part of a file name"}
	}
	return nil
}

// nextNumber is one more than the highest number of the set that is seen in
// the folders, finished or not, and than after. Files are known by their
// headers, whatever their names.
func nextNumber(set index.ImageID, folders []string, after int64) (uint32, error) {
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if h := headerOf(filepath.Join(dir, e.Name())); h != nil && h.Set == set {
				after = max(after, int64(h.Number))
			}
		}
	}
	if after+1 >= index.NoParent {
		return 0, &OptionError{"set", set.String(), "it has no free number left"}
	}
	return uint32(after + 1), nil
}

// headerOf reads the header of a file that may be a member; nil: it is none.
func headerOf(path string) *index.Header {
	if !strings.HasSuffix(path, index.Suffix) && !strings.HasSuffix(path, index.UnfinishedSuffix) {
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
