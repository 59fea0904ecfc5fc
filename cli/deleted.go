package cli

import (
	"context"
	"fmt"
	"strings"

	"vitrine/ntfsparse"
	"vitrine/volume"
)

// deletedObject is a deleted file in --json. Sizes are bytes.
type deletedObject struct {
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	ID       uint64 `json:"id"`
	Size     int64  `json:"size"`
	Modified string `json:"modified,omitempty"`
	Clusters int64  `json:"clusters"`
	Free     int64  `json:"free_clusters"`
	State    string `json:"state"` // whole, partly overwritten, overwritten, unknown
}

// deleted lists the deleted files below the place's path whose file records
// are still there.
func (l *lister) deleted(ctx context.Context, p place) error {
	if p.part == nil {
		return usage("like this: vitrine ls --deleted IMAGE:2", "name a partition: deleted files are looked for in one volume")
	}
	v, err := ntfsparse.Open(p.part.r, p.part.size)
	if err != nil {
		return at_(p.shelf.name, fmt.Errorf("deleted files are found on NTFS only: %w", volume.ErrUnsupported))
	}
	below := strings.ToLower(strings.TrimSuffix(p.path, "/")) + "/"
	err = v.Deleted(ctx, func(d *ntfsparse.DeletedFile) error {
		full := "/" + strings.TrimPrefix(d.Path, "/")
		if strings.HasPrefix(strings.ToLower(full), below) {
			l.deletedFile(full, d)
		}
		return ctx.Err()
	})
	if err == nil && p.shelf.file != "" {
		l.e.say("an image does not hold what was free on the disk: contents come from a point where the file was there ('vitrine versions'), or from the disk")
	}
	return err
}

func (l *lister) deletedFile(full string, d *ntfsparse.DeletedFile) {
	o := deletedObject{Path: full, Kind: "file", ID: d.Ref.Record(), Size: d.Info.Size, Modified: iso(d.Info.Modified.Unix()),
		Clusters: d.Clusters, Free: d.Free, State: deletedState(d)}
	if d.Info.IsDir {
		o.Kind = "folder"
	}
	if l.e.json {
		l.e.emit("deleted", o)
		return
	}
	if !l.o.long {
		fmt.Fprintln(l.e.Out, printable(full))
		return
	}
	fmt.Fprintf(l.e.Out, "%-18s %16s  %-16s  %s\n", o.State, grouped(o.Size), stampNano(d.Info.Modified.Unix()), printable(full))
}

// deletedState says how much of the contents nobody else uses by now.
func deletedState(d *ntfsparse.DeletedFile) string {
	switch {
	case d.Err != nil:
		return "unknown"
	case d.Recoverable():
		return "whole"
	case d.Free == 0:
		return "overwritten"
	}
	return "partly overwritten"
}
