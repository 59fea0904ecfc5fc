package mount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"vitrine/volume"
)

// Limits of Linux for extended attributes.
const (
	maxXattrValue = 64 << 10
	maxXattrList  = 64 << 10
	maxXattrName  = 255
)

const userPrefix = "user."

// errTooBig: a value larger than what Linux can pass on.
var errTooBig = errors.New("too large for an extended attribute")

// listXattrs names the attributes that cp and rsync should copy: streams that
// fit and what else is called user.*; with all, those of the file system too.
func listXattrs(ctx context.Context, t volume.FileSystem, id volume.ID, streams, all bool) ([]string, error) {
	var names []string
	if streams {
		list, err := streamsOf(ctx, t, id)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if name := userPrefix + s.Name; s.Size <= maxXattrValue && usableXattr(name) {
				names = append(names, name)
			}
		}
	}
	x, ok := t.(volume.Xattrs)
	if !ok {
		return names, nil
	}
	more, err := x.ListXattr(ctx, id)
	for _, name := range more {
		if (all || strings.HasPrefix(name, userPrefix)) && usableXattr(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, err
}

func usableXattr(name string) bool {
	return len(name) <= maxXattrName && !strings.Contains(name, "\x00")
}

// readXattr gives the value of one attribute; fs.ErrNotExist when there is none.
func readXattr(ctx context.Context, t volume.FileSystem, id volume.ID, name string, streams bool) ([]byte, error) {
	if stream, ok := strings.CutPrefix(name, userPrefix); ok && streams {
		v, err := readStream(ctx, t, id, stream)
		if !errors.Is(err, fs.ErrNotExist) {
			return v, err
		}
	}
	if foreignXattr(name) {
		return nil, volume.ErrUnsupported
	}
	x, ok := t.(volume.Xattrs)
	if !ok {
		return nil, fs.ErrNotExist
	}
	v, err := x.Xattr(ctx, id, name)
	if err == nil && len(v) > maxXattrValue {
		return nil, fmt.Errorf("%s: %d bytes: %w", name, len(v), errTooBig)
	}
	return v, err
}

// foreignXattr says that the attribute belongs to Linux itself. ls -l asks for two
// of them for every file, but not again once it hears that a mount knows none.
func foreignXattr(name string) bool {
	return strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted.") ||
		strings.HasPrefix(name, "system.posix_acl")
}

func readStream(ctx context.Context, t volume.FileSystem, id volume.ID, name string) ([]byte, error) {
	list, err := streamsOf(ctx, t, id)
	i := slices.IndexFunc(list, func(s volume.Stream) bool { return s.Name == name })
	if i < 0 {
		return nil, cmp.Or(err, fs.ErrNotExist)
	}
	if list[i].Size > maxXattrValue {
		return nil, fmt.Errorf("stream %q: %d bytes: %w", name, list[i].Size, errTooBig)
	}
	f, err := t.Open(ctx, list[i].ID)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, min(max(0, f.Size()), maxXattrValue))
	n, err := f.ReadAt(ctx, buf, 0)
	if n < len(buf) {
		return nil, fmt.Errorf("stream %q: %w", name, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return buf, nil
}
