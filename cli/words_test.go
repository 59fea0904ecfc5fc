package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestUsualWords(t *testing.T) {
	for args, want := range map[string]string{
		"":                     "",
		"mount /?":             "mount --help",
		"/?":                   "--help",
		"find x -name *.txt":   "find x --name *.txt",
		"find x -n -x --name=": "find x -n -x --name=",
		"ls -name":             "ls -name",
	} {
		if got := usualWords(strings.Fields(args), true); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", args, got, want)
		}
	}
	if got := usualWords([]string{"ls", "/?"}, false); got[1] != "/?" {
		t.Error(got)
	}
}
