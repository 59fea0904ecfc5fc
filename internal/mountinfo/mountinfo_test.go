package mountinfo

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestRead(t *testing.T) {
	list := filepath.Join(t.TempDir(), "mountinfo")
	const lines = `36 35 0:52 / /mnt/with\040space\134\011 ro,nosuid shared:1 master:2 - fuse.vitrine /img/a\040b.vtr ro,user_id=0

a b c
36 35 0:52 / /mnt ro fuse x ro
36 35 - x
22 1 8:1 / / rw - ext4 /dev/root rw`
	if err := os.WriteFile(list, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(list)
	want := []Mount{
		{"0:52", "/mnt/with space\\\t", "fuse.vitrine", "/img/a b.vtr", []string{"ro", "user_id=0"}},
		{"8:1", "/", "ext4", "/dev/root", []string{"rw"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Read(list + "-not"); err == nil {
		t.Error("a list that is not there was read")
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`a\040b`: "a b", `\134`: `\`, `a\04`: `a\04`, `\999x`: `\999x`, "": "", `\1\99\400x\`: `\1\99\400x\`,
	} {
		if got := Unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
