package shellext

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile("testdata/"+name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func TestWindowsKeys(t *testing.T) {
	var b strings.Builder
	seen := map[string]bool{}
	for _, k := range WindowsKeys(Program{Launcher: `C:\Program Files\Vitrine\vitrinew.exe`, Icon: `C:\Program Files\Vitrine\vitrine.ico`}) {
		if seen[k.Path] {
			t.Errorf("%s stands twice", k.Path)
		}
		seen[k.Path] = true
		fmt.Fprintf(&b, "[%s]", k.Path)
		if k.Shared {
			b.WriteString(" shared")
		}
		b.WriteString("\n")
		for _, v := range k.Values {
			fmt.Fprintf(&b, "  %q = %q\n", v.Name, v.Data)
		}
	}
	golden(t, "windows-keys.txt", b.String())
}

func TestDesktopFiles(t *testing.T) {
	for _, f := range DesktopFiles(Program{Exe: `/opt/my "tools"/100% $x/vitrine`}) {
		name := f.Path[strings.LastIndex(f.Path, "/")+1:]
		switch {
		case strings.HasPrefix(f.Path, "applications"):
			golden(t, "application.desktop", string(f.Data))
		case strings.HasPrefix(f.Path, "kio"):
			golden(t, "servicemenu.desktop", string(f.Data))
		case strings.HasSuffix(name, ".xml"), strings.HasSuffix(name, ".svg"):
			if err := xml.Unmarshal(f.Data, new(struct{ XMLName xml.Name })); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
	}
}
