package cli

import (
	"regexp"
	"strconv"
	"strings"
)

// imageRef is what an IMAGE argument of the command line names:
//
//	IMAGE[@POINT][:PARTITION][:/PATH]
type imageRef struct {
	Image string // member file, folder or Image ID
	Point string // number, "latest" or a date; "": of the member named, or the newest
	Part  int    // partition number; 0: none named
	Path  string // '/' separated, starts with '/'; "": none named
}

// Spec is the argument without partition and path.
func (r imageRef) Spec() string {
	if r.Point == "" {
		return r.Image
	}
	return r.Image + "@" + r.Point
}

var (
	drivePrefix = regexp.MustCompile(`^(\\\\[?.]\\)?[A-Za-z]:[\\/]`)
	partSuffix  = regexp.MustCompile(`:([0-9]{1,9})$`)
	pointSuffix = regexp.MustCompile(`^@([0-9]{4}-[0-9]{2}-[0-9]{2}` +
		`([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?|[0-9]{1,10}|latest)`)
)

// parseImage takes an IMAGE argument apart. It looks at nothing but the text;
// windows says whether "C:\" at the start is a drive. A path starts at the
// first ":/" (on Windows also ":\"). A colon or "@" followed by anything else
// belongs to the file's name.
func parseImage(s string, windows bool) imageRef {
	drive := ""
	if windows {
		drive = drivePrefix.FindString(s)
	}
	head, path := cutPath(s[len(drive):], windows)
	r := imageRef{Image: head, Path: path}
	r.cutPoint()
	if r.Point == "" {
		r.cutPart()
	}
	r.Image = drive + r.Image
	return r
}

func cutPath(s string, windows bool) (head, path string) {
	marks := []string{":/"}
	if windows {
		marks = append(marks, `:\`)
	}
	at := -1
	for _, m := range marks {
		if i := strings.Index(s, m); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at < 0 {
		return s, ""
	}
	path = s[at+1:]
	if windows {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return s[:at], path
}

// cutPoint takes "@POINT" and a partition behind it off the end. Dates hold
// colons, so this comes before the search for a partition.
func (r *imageRef) cutPoint() {
	at := strings.LastIndexByte(r.Image, '@')
	if at < 0 {
		return
	}
	m := pointSuffix.FindStringSubmatch(r.Image[at:])
	if m == nil {
		return
	}
	rest := r.Image[at+len(m[0]):]
	part := partSuffix.FindStringSubmatch(rest)
	if rest != "" && (part == nil || part[0] != rest) {
		return
	}
	if part != nil {
		r.Part, _ = strconv.Atoi(part[1])
	}
	r.Image, r.Point = r.Image[:at], m[1]
}

func (r *imageRef) cutPart() {
	if m := partSuffix.FindStringSubmatch(r.Image); m != nil {
		r.Part, _ = strconv.Atoi(m[1])
		r.Image = strings.TrimSuffix(r.Image, m[0])
	}
}
