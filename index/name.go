package index

import (
	"strconv"
	"strings"
)

// ParseName reads the name that a member's file should have, with any prefix, or
// that it has while it is written: [PREFIX]ID-NUMBER[-PART].vtr[.unfinished]. It is
// a hint; identity is in the header.
func ParseName(path string) (set ImageID, number uint32, part int64, ok bool) {
	name := strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
	stem, ok := strings.CutSuffix(strings.TrimSuffix(name, unfinishedMark), Suffix)
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
	return set, uint32(n), part, ok && n >= 0 && n < NoParent
}

var unfinishedMark = strings.TrimPrefix(UnfinishedSuffix, Suffix)

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
func endsInID(s string) (id ImageID, ok bool) {
	if len(s) < 16 {
		return id, false
	}
	id, err := ParseImageID(s[len(s)-16:])
	return id, err == nil
}
