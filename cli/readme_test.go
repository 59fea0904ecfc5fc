package cli

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds the README against the program: the table of exit codes,
// and that every command in it exists.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, r := range exitTable {
		if row := fmt.Sprintf("| %d | %s |", r.code, r.text); !strings.Contains(text, row) {
			t.Errorf("the README lacks the row %q", row)
		}
	}
	e, _, _ := testEnv()
	root := newRoot(e)
	root.InitDefaultCompletionCmd()
	for _, m := range regexp.MustCompile("[`#$] ?vitrine ([a-z]+)").FindAllStringSubmatch(text, -1) {
		if c, _, err := root.Find([]string{m[1]}); err != nil || c == root {
			t.Errorf("the README uses the command %q, which does not exist", m[1])
		}
	}
}
