package check

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vitrine/internal/testvol"
)

// lostNames are the findings I9, and whether all are errors.
func lostNames(rep *Report) (paths []string, errors bool) {
	errors = true
	for _, f := range rep.Findings {
		if f.Code == "I9" {
			paths = append(paths, f.Path)
			errors = errors && f.Severity == Error
		}
	}
	return paths, errors
}

// TestLostNames: names that a folder has lost are errors, one or a whole leaf.
// Their folder is younger than the files, and no driver kept a log.
func TestLostNames(t *testing.T) {
	for _, n := range []int{1, 3, 0} {
		v := soundVolume(t)
		want := n
		v.node(func(b []byte) {
			if n == 0 {
				want = len(entriesOf(b[indexHead:])) - 1
			}
			for range want {
				removeEntry(b, 0)
			}
		})
		rep := judged(t, v.b, Options{})
		if got, errors := lostNames(rep); len(got) != want || !errors || rep.Worst != Error || rep.Errors != want {
			t.Errorf("%d names gone: %s", want, rep.Summary)
		}
	}
}

// TestLostSystemFile: $Boot has the log number 0 on volumes of Windows, too.
func TestLostSystemFile(t *testing.T) {
	v := soundVolume(t)
	v.block(fRoot, nameI30, 0, func(b []byte) {
		for k, e := range entriesOf(b[indexHead:]) {
			if len(e) > entryHead && refRecord(le.Uint64(e)) == fBoot {
				removeEntry(b, k)
				return
			}
		}
		t.Fatal("there is no $Boot")
	})
	rep := judged(t, v.b, Options{})
	if got, errors := lostNames(rep); !slices.Equal(got, []string{"/$Boot"}) || !errors {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestMisnamedEntries: a name whose entry says something else is told once, by its
// entry.
func TestMisnamedEntries(t *testing.T) {
	for name, change := range map[string]func(e []byte){
		"other case":       rename,
		"other name space": func(e []byte) { e[entryHead+0x41] = spaceDOS },
		"other folder":     func(e []byte) { copy(e[entryHead:], []byte{5, 0, 0, 0, 0, 0, 5, 0}) },
	} {
		v := soundVolume(t)
		v.entry(1, change)
		rep := judged(t, v.b, Options{})
		if got := codes(rep, Error); len(got) != 1 || got[0] != "I8" || rep.Errors != 1 {
			t.Errorf("%s: %+v", name, rep.Findings)
		}
	}
}

// header puts the update sequence of a record elsewhere: ntfs3 has it at headOld.
func (v *vol) header(no uint64, at uint16) {
	v.t.Helper()
	v.edit(no, func(b []byte) {
		if copy(b[at:], b[le.Uint16(b[4:]):][:2]); at == headNew {
			u32(b, 44, uint32(no))
		}
		u16(b, 4, at)
	})
}

// setChanged sets the time of a record's last change.
func (v *vol) setChanged(no, time uint64) {
	v.value(no, tStandard, "", func(x []byte) { u64(x, 16, time) })
}

// gone takes the k-th entry out of a folder that its record holds.
func (v *vol) gone(dir uint64, k int) {
	v.value(dir, tRoot, nameI30, func(x []byte) {
		node := x[rootHead:]
		e := entriesOf(node)
		used, at := int(le.Uint32(node[4:])), int(le.Uint32(node))
		for _, x := range e[:k] {
			at += len(x)
		}
		copy(node[at:], node[at+len(e[k]):used])
		u32(node, 4, uint32(used-len(e[k])))
	})
}

// smallFolder is a volume with a folder of three files that its record holds.
func smallFolder(t *testing.T) *vol {
	img := testvol.Make(t, testvol.Options{Size: 8 << 20})
	testvol.With(t, img, func(dir string) {
		must(t, os.Mkdir(filepath.Join(dir, "few"), 0o755))
		for _, n := range []string{"a", "b", "c"} {
			must(t, os.WriteFile(filepath.Join(dir, "few", n), []byte(n), 0o644))
		}
	})
	b, err := os.ReadFile(img)
	must(t, err)
	return openVol(t, b)
}

// TestDeletedOpen: what ntfs3 leaves of a file that was deleted while open is a
// warning; without any one of the signs it is a loss.
func TestDeletedOpen(t *testing.T) {
	const at = 133000000000000000
	base := smallFolder(t)
	dir, a, b := base.no("/few"), base.no("/few/a"), base.no("/few/b")
	for _, test := range []struct {
		name   string
		change func(v *vol)
		names  int
		loss   bool
	}{
		{"as it is left", func(*vol) {}, 1, false},
		{"the folder is no younger", func(v *vol) { v.setChanged(dir, at) }, 1, true},
		{"the folder is older", func(v *vol) { v.setChanged(dir, at-1) }, 1, true},
		{"the file by another driver", func(v *vol) { v.header(a, headNew) }, 1, true},
		{"the folder by another driver", func(v *vol) { v.header(dir, headNew) }, 1, true},
		{"the file was logged", func(v *vol) { v.edit(a, func(b []byte) { u64(b, 8, 77) }) }, 1, true},
		{"the folder was logged", func(v *vol) { v.edit(dir, func(b []byte) { u64(b, 8, 77) }) }, 1, true},
		{"two are gone", func(v *vol) { v.setChanged(b, at); v.gone(dir, 0) }, 2, true},
		{"another version", func(v *vol) { v.value(fVolume, tVolInfo, "", func(x []byte) { x[9] = 0 }) }, 1, true},
	} {
		v := base.copyOf(t)
		for _, no := range []uint64{dir, a, b} {
			v.header(no, headOld)
		}
		v.setChanged(a, at)
		v.setChanged(dir, at+1)
		v.gone(dir, 0)
		test.change(v)
		rep := judged(t, v.b, Options{})
		if got, errors := lostNames(rep); len(got) != test.names || errors != test.loss || (rep.Worst == Error) != test.loss {
			t.Errorf("%s: %+v", test.name, rep.Findings)
		}
	}

	// A folder with blocks is written in pieces, one of which may be lost.
	v := soundVolume(t)
	many := v.no("/many")
	var no uint64
	v.node(func(b []byte) {
		no = refRecord(le.Uint64(entriesOf(b[indexHead:])[2]))
		removeEntry(b, 2)
	})
	v.header(many, headOld)
	v.header(no, headOld)
	v.setChanged(many, at+1)
	v.setChanged(no, at)
	if got, errors := lostNames(judged(t, v.b, Options{})); len(got) != 1 || !errors {
		t.Errorf("in a folder with blocks: %v", got)
	}
}

// TestNameSpaceOfEntry: an entry that calls a long name POSIX, or the other way round, as ntfs-3g
// leaves it, is untidy; one that calls it a DOS name hides it.
func TestNameSpaceOfEntry(t *testing.T) {
	for _, c := range []struct {
		flip byte
		want Severity
	}{{spacePOSIX ^ spaceWin32, Warning}, {spacePOSIX ^ spaceDOS, Error}} {
		v := soundVolume(t)
		v.entry(1, func(e []byte) { e[entryHead+0x41] ^= c.flip })
		rep := judged(t, v.b, Options{})
		if rep.Worst != c.want || rep.Findings[0].Code != "I8" {
			t.Errorf("%d: %s %+v", c.flip, rep.Summary, rep.Findings)
		}
	}
}
