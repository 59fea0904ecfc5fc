package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fakeLVM answers as LVM's program does, for one group with one volume.
type fakeLVM struct {
	dev   string // where nodes are made
	typ   string
	free  int
	full  string // percent of the snapshot's store, or of the pool
	attr  string
	snaps map[string]string // name: tags
	calls []string
	fail  string // the command that fails
}

func (f *fakeLVM) run(_ context.Context, args ...string) ([]byte, error) {
	f.calls = append(f.calls, strings.Join(args, " "))
	last := args[len(args)-1]
	if args[0] == f.fail {
		return nil, errors.New("it fails")
	}
	switch args[0] {
	case "lvs":
		return []byte(f.lvs(args, last)), nil
	case "lvcreate":
		name, tags := args[slices.Index(args, "--name")+1], []string{}
		for i, a := range args {
			if a == "--addtag" {
				tags = append(tags, args[i+1])
			}
		}
		f.snaps[name] = strings.Join(tags, ",")
		b, _ := os.ReadFile(filepath.Join(f.dev, "vg/data"))
		return nil, os.WriteFile(filepath.Join(f.dev, "vg", name), b, 0o600)
	case "lvremove":
		name := strings.TrimPrefix(last, "vg/")
		delete(f.snaps, name)
		return nil, os.Remove(filepath.Join(f.dev, "vg", name))
	}
	return nil, nil
}

func (f *fakeLVM) lvs(args []string, what string) string {
	row := func(name, typ, attr, tags string) string {
		return fmt.Sprintf(`{"vg_name":"vg","lv_name":%q,"lv_size":"1000000","segtype":%q,"vg_free":"%d","vg_extent_size":"4096","pool_lv":"pool","lv_attr":%q,"data_percent":%q,"metadata_percent":"1.0","lv_tags":%q}`,
			name, typ, f.free, attr, f.full, tags)
	}
	var rows []string
	switch name := strings.TrimPrefix(what, "vg/"); {
	case slices.Contains(args, "--select"):
		for n, tags := range f.snaps {
			rows = append(rows, row(n, f.typ, "swi-a-s---", tags))
		}
	case f.snaps[name] != "":
		rows = append(rows, row(name, f.typ, f.attr, f.snaps[name]))
	default:
		rows = append(rows, row(filepath.Base(name), f.typ, "owi-aos---", ""))
	}
	return `{"report":[{"lv":[` + strings.Join(rows, ",") + `]}]}`
}

func newFakeLVM(t *testing.T) *fakeLVM {
	f := &fakeLVM{dev: t.TempDir(), typ: "linear", free: 500000, full: "1.0", attr: "swi-a-s---", snaps: map[string]string{}}
	os.Mkdir(filepath.Join(f.dev, "vg"), 0o755)
	if err := os.WriteFile(filepath.Join(f.dev, "vg/data"), []byte(strings.Repeat("as it was ", 100000)), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLVMSnapshot(t *testing.T) {
	for _, typ := range []string{"linear", "thin"} {
		f := newFakeLVM(t)
		f.typ = typ
		stale := "vitrine-data-dead"
		f.snaps[stale] = snapshotTag + ",vitrine.boot.another,vitrine.pid.1"
		os.WriteFile(filepath.Join(f.dev, "vg", stale), nil, 0o600)
		mine := "vitrine-data-alive"
		f.snaps[mine] = strings.Join(ownTags(), ",")
		s, err := newLVMSnapshot(t.Context(), f.run, f.dev, f.dev+"/vg/data")
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(f.dev, "vg/data"), []byte("changed"), 0o600)
		b := make([]byte, 20)
		if n, err := s.ReadAt(b, 100000); n != 20 || err != nil || string(b) != "as it was as it was " {
			t.Errorf("%s: %q, %v", typ, b[:n], err)
		}
		sized := slices.ContainsFunc(f.calls, func(c string) bool { return strings.Contains(c, "--size 196608b") }) // a fifth, in whole extents
		if sized != (typ == "linear") || f.snaps[stale] != "" || f.snaps[mine] == "" {
			t.Errorf("%s: %q, left are %v", typ, f.calls, f.snaps)
		}
		if err := s.Close(); err != nil || len(f.snaps) != 1 {
			t.Errorf("%s: %v, left are %v", typ, err, f.snaps)
		}
	}
}

func TestLVMSnapshotRefused(t *testing.T) {
	for what, change := range map[string]func(*fakeLVM){
		"no space in the group": func(f *fakeLVM) { f.free = 4000 },
		"a full pool":           func(f *fakeLVM) { f.typ, f.full = "thin", "96.0" },
		"lvcreate fails":        func(f *fakeLVM) { f.fail = "lvcreate" },
		"lvs fails":             func(f *fakeLVM) { f.fail = "lvs" },
	} {
		f := newFakeLVM(t)
		change(f)
		if _, err := newLVMSnapshot(t.Context(), f.run, f.dev, f.dev+"/vg/data"); !errors.Is(err, ErrNoSnapshot) || len(f.snaps) > 0 {
			t.Errorf("%s: %v, %v", what, err, f.snaps)
		}
	}
}

// TestLVMSnapshotOverruns: nothing is read any more, with an error that says why
// and ends a capture.
func TestLVMSnapshotOverruns(t *testing.T) {
	f := newFakeLVM(t)
	s, err := newLVMSnapshot(t.Context(), f.run, f.dev, f.dev+"/vg/data")
	if err != nil {
		t.Fatal(err)
	}
	f.full = "65.0"
	if s.grow(t.Context()); !strings.HasPrefix(f.calls[len(f.calls)-1], "lvextend --size +196608b ") {
		t.Errorf("at 65 %%: %q", f.calls[len(f.calls)-1])
	}
	f.attr, f.full = "swi-I-s---", "100.00"
	s.look(t.Context())
	if _, err := s.ReadAt(make([]byte, 10), 0); !errors.Is(err, ErrSnapshotFull) || !errors.Is(err, syscall.ENODEV) {
		t.Error(err)
	}
	if err := s.Close(); err != nil || len(f.snaps) > 0 {
		t.Error(err, f.snaps)
	}
}
