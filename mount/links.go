package mount

import (
	"context"
	"slices"
	"strings"

	"vitrine/volume"
)

// LinkTarget gives the target of a link as a mount of the volume shows it, for
// copies of its tree.
func LinkTarget(ctx context.Context, v volume.FileSystem, id volume.ID) (string, error) {
	return (&branch{fs: v}).readLink(ctx, v, id)
}

// readLink gives the target of a link so that it works in a mounted tree:
//
//   - from the volume's root ("/Users"): relative to the link;
//   - with a drive letter ("C:/Users"): the same when the volume has such a path,
//     since most links on a system's volume name their own drive; else as it is;
//   - on a server: as Windows writes it ("\\server\share"), which leads nowhere
//     elsewhere; into WSL's own file system: as it is;
//   - relative: as it is, but not above the volume's root.
//
// Names are spelled as the volume spells them, because Windows does not mind
// their case and Linux does.
func (b *branch) readLink(ctx context.Context, v volume.FileSystem, id volume.ID) (string, error) {
	target, err := v.ReadLink(ctx, id)
	if err != nil || target == "" {
		return target, err
	}
	dir, lost := linkFolder(ctx, v, id)
	a, _ := v.Attr(ctx, id) // the tag is there when the target is
	rest, place := volume.PlaceOf(target, a.Reparse, "/"+strings.Join(dir, "/"))
	switch {
	case place == volume.LinkAway && strings.HasPrefix(rest, "//"):
		return strings.ReplaceAll(rest, "/", `\`), nil
	case place == volume.LinkAway, lost != nil: // without its place the link stays as it is
		return target, nil
	case place == volume.LinkFolder:
		return relativeLink(ctx, v, dir, target), nil
	}
	path, found := spell(ctx, v, clean(split(rest)))
	if place == volume.LinkDrive && !found {
		return target, nil
	}
	return climb(len(dir), path), nil
}

// relativeLink spells a relative target of a link in folder dir.
func relativeLink(ctx context.Context, v volume.FileSystem, dir []string, target string) string {
	names := split(target)
	up := 0
	for up < len(names) && names[up] == ".." {
		up++
	}
	rest := names[up:]
	if up > len(dir) { // the root is its own parent
		return climb(len(dir), clean(rest))
	}
	if slices.Contains(rest, ".") || slices.Contains(rest, "..") {
		return target
	}
	at := dir[:len(dir)-up]
	path, _ := spell(ctx, v, join(at, rest))
	return climb(up, path[len(at):])
}

// climb leads up as many folders, then along path.
func climb(up int, path []string) string {
	names := append(slices.Repeat([]string{".."}, up), path...)
	if len(names) == 0 {
		return "."
	}
	return strings.Join(names, "/")
}

// linkFolder is the path of the folder that holds the link.
func linkFolder(ctx context.Context, v volume.FileSystem, id volume.ID) ([]string, error) {
	p, ok := v.(volume.Paths)
	if !ok {
		return nil, volume.ErrUnsupported
	}
	path, err := p.Path(ctx, id)
	if err != nil {
		return nil, err
	}
	names := split(path)
	return names[:max(0, len(names)-1)], nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func join(dir, path []string) []string { return slices.Concat(dir, path) }

// clean resolves "." and ".."; the root is its own parent.
func clean(path []string) []string {
	out := make([]string, 0, len(path))
	for _, name := range path {
		switch name {
		case ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, name)
		}
	}
	return out
}

// maxSpelled bounds the names that spell looks up.
const maxSpelled = 256

// spell gives a path as the volume spells it, as far as it exists; found says
// that all of it does.
func spell(ctx context.Context, v volume.FileSystem, path []string) (spelled []string, found bool) {
	f, ok := v.(volume.Folder)
	if !ok || len(path) > maxSpelled {
		return path, false
	}
	dir := v.Root()
	for i, name := range path {
		a, real, err := f.LookupFold(ctx, dir, name)
		if err != nil {
			return path, false
		}
		path[i], dir = showName(real), a.ID
		if a.Kind != volume.Dir && i < len(path)-1 {
			// Behind a link the rest cannot be checked without following it.
			return path, a.Kind == volume.Symlink
		}
	}
	return path, true
}
