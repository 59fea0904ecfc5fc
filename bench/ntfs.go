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
// processor time. Each makes its volume when it is missing: small.raw, flat.raw
// with one folder of 100,000 names, packed.raw with one file of 256 MiB in each
// compressed form.
func ntfsTasks() []task {
	const (
		warm   = `[ -e small.raw ] || make_small || exit 1; cat small.raw >/dev/null; `
		flat   = `[ -e flat.raw ] || make_flat || exit 1; cat flat.raw >/dev/null`
		packed = `[ -e packed.raw ] || make_packed || exit 1; cat packed.raw packed/*.wim >/dev/null; `
	)
	expand := func(method, goal string) task {
		return task{id: "ntfs-" + method, alone: true, title: "NTFS: 256 MiB packed as " + method + ", warm, processor time", goal: goal,
			cases: []kase{
				{name: "ntfsparse", setup: packed, line: `"$B" ntfs file packed.raw wof/` + method},
				{name: "vitrine cat", setup: packed, line: `"$V" cat --device packed.raw /wof/` + method + ` >/dev/null`},
				{name: "wimlib-imagex verify", needs: "wimlib-imagex", setup: packed, line: "wimlib-imagex verify packed/" + method + ".wim"},
			}}
	}
	const half = "≤ 1.71 s, which is 150 MiB/s"
	return []task{
		{id: "ntfs-walk", alone: true, title: "NTFS: every name with size and times, warm, processor time", goal: "≤ 0.25 s for 200,000 files, memory ≤ 64 MiB",
			cases: []kase{
				{name: "ntfsparse", setup: warm, line: `"$B" ntfs walk small.raw`},
				{name: "vitrine find -l", setup: warm, line: `"$V" find --device small.raw / -l >names`},
				{name: "ntfsresize --info", needs: "ntfsresize", setup: warm, line: "ntfsresize --info -f -f small.raw >info"},
				{name: "ntfsls -R -l", needs: "ntfsls", setup: warm, line: "ntfsls -f -R -l small.raw >names"},
				{name: "fls -r -l", needs: "fls", setup: warm, line: "fls -r -l small.raw >names"},
				{name: "ntfs-3g, find", needs: "ntfs-3g", setup: warm + "mount_ntfs small.raw m2", line: `find m2 -printf '%p %s %t\n' >names`},
			}},
		{id: "ntfs-contents", alone: true, title: "NTFS: all contents, warm, processor time", goal: "≤ 1.5 s for 200,000 files",
			cases: []kase{
				{name: "ntfsparse", setup: warm, line: `"$B" ntfs contents small.raw`},
				{name: "7z t", needs: "7z", setup: warm, line: "7z t small.raw >info"},
				{name: "ntfs-3g, cat", needs: "ntfs-3g", setup: warm + "mount_ntfs small.raw m2", line: "find m2 -type f -print0 | xargs -0 cat >/dev/null"},
			}},
		{id: "ntfs-check", alone: true, title: "NTFS: check, warm, processor time", goal: "≤ 0.6 s for 200,000 files",
			cases: []kase{
				{name: "vitrine check", setup: warm, line: `"$V" check --device small.raw >info`},
				{name: "ntfsck -n", needs: "ntfsck", setup: warm, line: "ntfsck -n small.raw >info"},
				{name: "ntfsresize --info", needs: "ntfsresize", setup: warm, line: "ntfsresize --info -f -f small.raw >info"},
				{name: "ntfsfix -n (no files)", needs: "ntfsfix", setup: warm, line: "ntfsfix -n small.raw >info"},
			}},
		{id: "ntfs-folder", alone: true, title: "NTFS: a folder of 100,000 names, warm, processor time", goal: "< 0.2 s",
			cases: []kase{
				{name: "ntfsparse, with attributes", setup: flat, line: `"$B" ntfs folder flat.raw flat`},
				{name: "vitrine ls -l", setup: flat, line: `"$V" ls --device flat.raw /flat -l >names`},
				{name: "ntfsls -l", needs: "ntfsls", setup: flat, line: "ntfsls -f -l -p /flat flat.raw >names"},
				{name: "fls -l", needs: "fls ifind", setup: flat, line: `fls -l flat.raw $(ifind -n /flat flat.raw) >names`},
			}},
		{id: "ntfs-lznt1", alone: true, title: "NTFS: 256 MiB packed as LZNT1, warm, processor time", goal: "≤ 0.85 s, which is 300 MiB/s",
			cases: []kase{
				{name: "ntfsparse", setup: packed, line: `"$B" ntfs file packed.raw lznt1/plain`},
				{name: "vitrine cat", setup: packed, line: `"$V" cat --device packed.raw /lznt1/plain >/dev/null`},
				{name: "7z e", needs: "7z", setup: packed, line: "7z e -so packed.raw lznt1/plain >/dev/null"},
				{name: "ntfs-3g, cat", needs: "ntfs-3g", setup: packed + "mount_ntfs packed.raw m2", line: "cat m2/lznt1/plain >/dev/null"},
			}},
		expand("xpress4k", half), expand("xpress8k", half), expand("xpress16k", half), expand("lzx", half),
	}
}

// ntfsArgs does what one of the tasks above measures: ntfs WHAT IMAGE [PATH].
func ntfsArgs(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("ntfs walk|contents IMAGE, ntfs folder|file IMAGE PATH")
	}
	image, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer image.Close()
	st, err := image.Stat()
	if err != nil {
		return err
	}
	v, err := ntfsparse.Open(image, st.Size())
	if err != nil {
		return err
	}
	switch args[0] {
	case "walk":
		return v.Walk(context.Background(), func(e *ntfsparse.WalkEntry) error { return e.Err })
	case "contents":
		return readContents(v)
	}
	if len(args) < 3 {
		return fmt.Errorf("ntfs %s IMAGE PATH", args[0])
	}
	f, err := v.Lookup(args[2])
	if err != nil {
		return err
	}
	if args[0] == "file" {
		return readFile(f, make([]byte, 1<<20))
	}
	return readFolder(v, f)
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
		return readFile(f, buf)
	})
}

func readFile(f *ntfsparse.File, buf []byte) error {
	s, err := f.Open()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(io.Discard, onlyReader{io.NewSectionReader(s, 0, s.Size())}, buf)
	return err
}

// onlyReader hides every other way to copy.
type onlyReader struct{ io.Reader }

// readFolder lists a folder with the attributes of every file in it.
func readFolder(v *ntfsparse.Volume, f *ntfsparse.File) error {
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
