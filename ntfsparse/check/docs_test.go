package check

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/check.md")

const docs = "../../docs/check.md"

// section compares a generated part of the docs, or rewrites it.
func section(t *testing.T, name, want string) {
	t.Helper()
	b, err := os.ReadFile(docs)
	must(t, err)
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	head, rest, ok := strings.Cut(string(b), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no part %q", docs, name)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the part %q of %s is not up to date: run the test with -update", name, docs)
	}
	must(t, os.WriteFile(docs, []byte(head+begin+want+end+tail), 0o644))
}

func TestDocsListTheCodes(t *testing.T) {
	var b strings.Builder
	b.WriteString("| code | severity | meaning |\n| --- | --- | --- |\n")
	for _, code := range slices.SortedFunc(maps.Keys(Codes), compareCodes) {
		fmt.Fprintf(&b, "| %s | %v | %s |\n", code, Codes[code].Severity, Codes[code].Meaning)
	}
	section(t, "codes", b.String())
}
