package device

import (
	"reflect"
	"strings"
	"testing"
)

func vol(name, path string, extents ...diskExtent) winVol {
	v := winVol{name: name, extents: extents}
	if path != "" {
		v.paths = []string{path}
	}
	return v
}

func TestWinGuard(t *testing.T) {
	system := need{vol(`\\?\Volume{a}\`, `C:\`, diskExtent{0, 100, 1000}), "holds the running system"}
	unknown := need{vol("", `C:\`), "holds the running system"}
	disk := func(n int) winTarget { return winTarget{disk: n} }
	volume := func(v winVol) winTarget { return winTarget{disk: -1, vol: &v} }
	for _, c := range []struct {
		name   string
		target winTarget
		need   need
		want   string // in the refusal; "": allowed
	}{
		{"its disk", disk(0), system, "holds the running system"},
		{"another disk", disk(1), system, ""},
		{"a disk, and the system's is not known", disk(1), unknown, "not known on which disk C: is"},
		{"itself", volume(system.vol), system, "holds"},
		{"itself, with other capitals", volume(vol(`\\?\volume{A}\`, "")), system, "holds"},
		{"itself by letter alone", volume(vol("", `c:\`)), unknown, "holds"},
		{"a neighbour", volume(vol(`\\?\Volume{b}\`, `D:\`, diskExtent{0, 1100, 5})), system, ""},
		{"over its end", volume(vol(`\\?\Volume{b}\`, `D:\`, diskExtent{0, 1099, 5})), system, "holds"},
		{"same place, other disk", volume(vol(`\\?\Volume{b}\`, `D:\`, diskExtent{2, 100, 1000})), system, ""},
		{"a letter that is not known", volume(vol("", `X:\`)), unknown, ""},
		{"no names on either side", volume(vol("", "")), need{vol("", ""), "x"}, ""},
	} {
		got := c.target.refusal(c.need)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestVolumeNames(t *testing.T) {
	v := vol(`\\?\Volume{12}\`, `X:\`)
	for name, want := range map[string]bool{`\\.\X:`: true, `\\.\x:`: true, `\\?\volume{12}`: true, `\\.\Y:`: false, `\\?\Volume{1}`: false} {
		if v.isAt(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if v.label() != "X:" || (&winVol{name: `\\?\Volume{12}\`}).label() != `\\?\Volume{12}` {
		t.Error(v.label())
	}
}

func TestPageFiles(t *testing.T) {
	got := pageFilePaths([]string{`\??\C:\pagefile.sys`, `\??\Volume{1}`, "", `D:\x.sys`})
	if want := []string{`C:\pagefile.sys`, `D:\x.sys`}; !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
}

func TestInUseText(t *testing.T) {
	c, d, none := vol("a", `C:\`), vol("b", `D:\mnt\`), vol("c", "")
	for _, x := range []struct {
		vols  []winVol
		whole bool
		want  string
	}{
		{nil, true, ""},
		{[]winVol{none}, false, ""},
		{[]winVol{c}, false, "is mounted as C:"},
		{[]winVol{c, none, d}, true, `volumes of it are mounted: C:, D:\mnt`},
	} {
		if got := inUseText(x.vols, x.whole); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}

func TestUnsubstituted(t *testing.T) {
	devices := map[string]string{
		"C:": `\Device\HarddiskVolume3`, "S:": `\??\C:\folder`, "T:": `\??\s:\a b`, "R:": `\??\C:\`,
		"N:": `\??\UNC\server\share`, "O:": `\??\P:\`, "P:": `\??\O:\`, "V:": `\??\Volume{1}\`, "M:": `\Device\LanmanRedirector\;M:1\server\share`,
	}
	device := func(letter string) string { return devices[strings.ToUpper(letter)] }
	for path, want := range map[string]string{
		`C:\images\x.vtr`: `C:\images\x.vtr`, `D:\x.vtr`: `D:\x.vtr`, `\\server\x.vtr`: `\\server\x.vtr`, "": "",
		`S:\x.vtr`: `C:\folder\x.vtr`, `s:`: `C:\folder`, `\\?\S:\x.vtr`: `C:\folder\x.vtr`, `T:\x.vtr`: `C:\folder\a b\x.vtr`, `R:\x.vtr`: `C:\x.vtr`,
		`N:\x.vtr`: `\\server\share\x.vtr`, `V:\x.vtr`: `V:\x.vtr`, `M:\x.vtr`: `M:\x.vtr`, `\\?\UNC\server\x.vtr`: `\\?\UNC\server\x.vtr`,
	} {
		if got := unsubstituted(path, device); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	unsubstituted(`O:\x.vtr`, device) // comes to an end
}
