//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"vitrine/ntfsparse"
)

// ntfsTasks read NTFS itself, from raw volumes in the page cache: what counts is
// processor time. The volume flat.raw, with one folder of 100,000 names, is made
// when it is first needed.
func ntfsTasks() []task {
	const (
		warm = `cat small.raw >/dev/null; `
		flat = `[ -e flat.raw ] || make_flat; cat flat.raw >/dev/null`
	)
	return []task{
		{id: "ntfs-walk", title: "NTFS: every name with size and times, warm, processor time", goal: "≤ 0.25 s for 200,000 files, memory ≤ 64 MiB",
			cases: []kase{
				{name: "ntfsparse", setup: warm, line: `"$B" ntfs walk small.raw`},
				{name: "vitrine find -l", setup: warm, line: `"$V" find --device small.raw / -l >names`},
				{name: "ntfsresize --info", needs: "ntfsresize", setup: warm, line: "ntfsresize --info -f -f small.raw >info"},
				{name: "ntfsls -R -l", needs: "ntfsls", setup: warm, line: "ntfsls -f -R -l small.raw >names"},
				{name: "fls -r -l", needs: "fls", setup: warm, line: "fls -r -l small.raw >names"},
			}},
		{id: "ntfs-contents", title: "NTFS: all contents, warm, processor time", goal: "≤ 1.5 s for 200,000 files",
			cases: []kase{
				{name: "ntfsparse", setup: warm, line: `"$B" ntfs contents small.raw`},
				{name: "7z t", needs: "7z", setup: warm, line: "7z t small.raw >info"},
				{name: "ntfs-3g, cat", needs: "ntfs-3g", setup: warm + "mount_ntfs small.raw m2", line: "find m2 -type f -print0 | xargs -0 cat >/dev/null"},
			}},
		{id: "ntfs-check", title: "NTFS: check, warm, processor time", goal: "≤ 0.6 s for 200,000 files",
			cases: []kase{
				{name: "vitrine check", setup: warm, line: `"$V" check --device small.raw >info`},
				{name: "ntfsck -n", needs: "ntfsck", setup: warm, line: "ntfsck -n small.raw >info"},
				{name: "ntfsresize --info", needs: "ntfsresize", setup: warm, line: "ntfsresize --info -f -f small.raw >info"},
				{name: "ntfsfix -n (no files)", needs: "ntfsfix", setup: warm, line: "ntfsfix -n small.raw >info"},
			}},
		{id: "ntfs-folder", title: "NTFS: a folder of 100,000 names, warm, processor time", goal: "< 0.2 s",
			cases: []kase{
				{name: "ntfsparse, with attributes", setup: flat, line: `"$B" ntfs folder flat.raw flat`},
				{name: "vitrine ls -l", setup: flat, line: `"$V" ls --device flat.raw /flat -l >names`},
				{name: "ntfsls -l", needs: "ntfsls", setup: flat, line: "ntfsls -f -l -p /flat flat.raw >names"},
				{name: "fls -l", needs: "fls ifind", setup: flat, line: `fls -l flat.raw $(ifind -n /flat flat.raw) >names`},
			}},
	}
}

// ntfsArgs does what one of the tasks above measures: ntfs WHAT IMAGE [FOLDER].
func ntfsArgs(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("ntfs walk|contents|folder IMAGE [FOLDER]")
	}
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	v, err := ntfsparse.Open(f, st.Size())
	if err != nil {
		return err
	}
	switch args[0] {
	case "walk":
		return v.Walk(context.Background(), func(e *ntfsparse.WalkEntry) error { return e.Err })
	case "contents":
		return readContents(v)
	}
	return readFolder(v, args[2])
}

// readContents reads every file of a volume to its end.
func readContents(v *ntfsparse.Volume) error {
	buf := make([]byte, 1<<20)
	return v.Walk(context.Background(), func(e *ntfsparse.WalkEntry) error {
		if e.Err != nil || e.Info.IsDir || e.Info.Ref.Record() < ntfsparse.FirstUser {
			return e.Err
		}
		f, err := v.FileRef(e.Info.Ref)
		if err != nil {
			return err
		}
		s, err := f.Open()
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(io.Discard, onlyReader{io.NewSectionReader(s, 0, s.Size())}, buf)
		return err
	})
}

// onlyReader hides every other way to copy.
type onlyReader struct{ io.Reader }

// readFolder lists a folder with the attributes of every file in it.
func readFolder(v *ntfsparse.Volume, path string) error {
	f, err := v.Lookup(path)
	if err != nil {
		return err
	}
	d, err := f.Dir()
	if err != nil {
		return err
	}
	var refs []ntfsparse.Ref
	var bad error
	note := func(err error) {
		if bad == nil {
			bad = err
		}
	}
	flush := func() {
		v.Infos(refs, func(_ int, _ *ntfsparse.Info, err error) { note(err) })
		refs = refs[:0]
	}
	d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
		note(err)
		_ = e.Name()
		if refs = append(refs, e.Ref); len(refs) == 16384 {
			flush()
		}
		return true
	})
	flush()
	return bad
}
