package windows

import (
	"debug/pe"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShell installs for one user and for all, has a double-click start the
// program, and compares the registry before and after.
func TestShell(t *testing.T) {
	image, _ := sampleImage(t)
	member, err := filepath.Glob(filepath.Join(image, "*-0000.vtr"))
	if err != nil || len(member) != 1 {
		t.Fatal(member, err)
	}
	d := newDesktop(t)
	d.standIn(t)
	// Another program's entry for the same extension stays.
	d.run(t, "reg", "add", `HKCU\Software\Classes\.vtr\OpenWithProgids`, "/v", "Other.Program", "/f")
	before := d.classes(t)

	for _, c := range []struct {
		flag, root, folder string
	}{{"--all-users=false", "HKCU", `C:\users\` + user() + `\AppData\Local\Vitrine`}, {"--all-users", "HKLM", `C:\Program Files\Vitrine`}} {
		d.vitrine(t, "shell", "install", c.flag)
		launcher := c.folder + `\shell\vitrinew.exe`
		key := c.root + `\Software\Classes\Vitrine.Image\shell`
		if out := d.run(t, "reg", "query", key+`\open\command`, "/ve"); !strings.Contains(out, `"`+launcher+`" open "%1"`) {
			t.Errorf("%s: %s", c.root, out)
		}
		if out := d.run(t, "reg", "query", key+`\Vitrine\shell`, "/s"); strings.Count(out, "MUIVerb") != 7 || !strings.Contains(out, "Mount as disk (chkdsk)") {
			t.Errorf("%s: %s", c.root, out)
		}
		if out := d.run(t, "reg", "query", c.root+`\Software\Classes\Drive\shell\Vitrine.Unmount\command`, "/ve"); !strings.Contains(out, `unmount "%1."`) {
			t.Errorf("%s: %s", c.root, out)
		}
		f, err := pe.Open(d.Path(launcher))
		if err != nil {
			t.Fatal(err)
		}
		if f.OptionalHeader.(*pe.OptionalHeader64).Subsystem != pe.IMAGE_SUBSYSTEM_WINDOWS_GUI {
			t.Errorf("%s opens a console", launcher)
		}
		f.Close()
	}

	// A double-click. (Wine looks into the machine's keys only.)
	log := d.play(t, "statfs")
	d.run(t, "start", "/unix", member[0])
	log()
	list := d.vitrine(t, "mounts")
	if !strings.Contains(list, "Y:") || !strings.Contains(list, filepath.Base(member[0])) {
		t.Errorf("a double-click: mounts: %s", list)
	}
	// The same again shows the same drive. It must have ended before the drive goes,
	// or it would mount anew.
	d.run(t, "start", "/wait", "/unix", member[0])
	if again := d.vitrine(t, "mounts"); again != list {
		t.Errorf("a second double-click: mounts: %s", again)
	}
	// What the drive's menu starts.
	d.run(t, d.Path(`C:\Program Files\Vitrine\shell\vitrinew.exe`), "unmount", `Y:\.`)
	log("\nended\n")

	d.vitrine(t, "shell", "uninstall")
	d.vitrine(t, "shell", "uninstall", "--all-users")
	if after := d.classes(t); after != before {
		t.Errorf("the registry is not as it was:\n%s", differing(before, after))
	}
	for _, folder := range []string{`C:\users\` + user() + `\AppData\Local\Vitrine\shell`, `C:\Program Files\Vitrine`} {
		if _, err := os.Stat(d.Path(folder)); err == nil {
			t.Errorf("%s is left", folder)
		}
	}
}

func user() string {
	if u := os.Getenv("USER"); u != "" {
		return u
	}
	return "root"
}

// classes are the registry's parts in which the program writes.
func (d *desktop) classes(t *testing.T) (all string) {
	t.Helper()
	for i, root := range []string{"HKCU", "HKLM"} {
		file := `C:\classes` + string(rune('0'+i)) + ".reg"
		d.run(t, "reg", "export", root+`\Software\Classes`, file, "/y")
		b, err := os.ReadFile(d.Path(file))
		if err != nil {
			t.Fatal(err)
		}
		all += strings.ReplaceAll(string(b), "\x00", "")
	}
	return all
}

// differing are the lines that only one of two texts has.
func differing(a, b string) string {
	var out []string
	for _, x := range [][3]string{{"-", a, b}, {"+", b, a}} {
		for line := range strings.Lines(x[1]) {
			if !strings.Contains(x[2], line) {
				out = append(out, x[0]+strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(out, "\n")
}
