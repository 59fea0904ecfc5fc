//go:build long

package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vitrine/internal/testvol"
)

// tool is another program that looks at a volume, and what it is run as.
type tool struct {
	name string
	args []string
}

var tools = []tool{
	{"ntfsfix", []string{"-n"}},
	{"ntfsresize", []string{"--info", "-f", "-f"}},
	{"fls", []string{"-r", "-p"}},
	{"fsstat", nil},
}

// ntfsck is that of ntfsprogs-plus, which no distribution has.
var ntfsck = tool{"ntfsck", []string{"-n", "-q"}}

// alarm matches what a tool says when it notices something.
var alarm = regexp.MustCompile(`(?i)error|warn|corrupt|inconsisten|fail|invalid|mismatch|damage|bad |dirty|unclean|scheduled|unsupported|wrong|cannot|can't|not ntfs|accounting|differ`)

// TestOtherTools records which kinds of damage other programs notice. A program
// notices when it fails, or gives an alarm that it does not give for the sound
// volume; it need not say what is wrong.
func TestOtherTools(t *testing.T) {
	for _, tool := range tools {
		testvol.Need(t, tool.name)
	}
	compare(t, "tools", "ntfsfix -n | ntfsresize --info | fls -r | fsstat", tools)
}

// TestNtfsck is TestOtherTools for the one that has to be built.
func TestNtfsck(t *testing.T) {
	if _, err := exec.LookPath(ntfsck.name); err != nil {
		t.Skip("ntfsck is in no distribution: build github.com/ntfsprogs-plus/ntfsprogs-plus and put it into the PATH")
	}
	compare(t, "ntfsck", "ntfsck -n", []tool{ntfsck})
}

// compare holds a table of the docs against what the tools notice.
func compare(t *testing.T, table, heads string, tools []tool) {
	good := soundVolume(t)
	img := filepath.Join(t.TempDir(), "volume.img")
	must(t, os.WriteFile(img, good.b, 0o644))
	calm := map[string]map[string]bool{}
	for _, tool := range tools {
		failed, alarms := look(tool, img)
		if failed {
			t.Fatalf("%s fails on the sound volume: %v", tool.name, alarms)
		}
		calm[tool.name] = alarms
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| damage | code | %s |\n| --- | --- |%s\n", heads, strings.Repeat(" --- |", len(tools)))
	seen := make([]int, len(tools))
	for _, m := range mutations {
		row := noticed(t, good, m, img, tools, calm, seen)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.name, m.code, strings.Join(row, " | "))
	}
	fmt.Fprintf(&b, "| **of %d** | **%d** |", len(mutations), len(mutations))
	for _, n := range seen {
		fmt.Fprintf(&b, " **%d** |", n)
	}
	b.WriteString("\n")
	section(t, table, b.String())
}

// noticed runs all tools on one kind of damage.
func noticed(t *testing.T, good *vol, m mutation, img string, tools []tool, calm map[string]map[string]bool, seen []int) (row []string) {
	v := good.copyOf(t)
	m.do(v)
	must(t, os.WriteFile(img, v.b, 0o644))
	for i, tool := range tools {
		failed, alarms := look(tool, img)
		for a := range alarms {
			failed = failed || !calm[tool.name][a]
		}
		mark := "–"
		if failed {
			seen[i]++
			mark = "yes"
		}
		row = append(row, mark)
	}
	return row
}

// look runs a tool and returns whether it failed and its alarms.
func look(tool tool, img string) (failed bool, alarms map[string]bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool.name, append(append([]string{}, tool.args...), img)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	failed = cmd.Run() != nil
	alarms = map[string]bool{}
	for _, line := range strings.Split(out.String(), "\n") {
		if alarm.MatchString(line) {
			alarms[line] = true
		}
	}
	return failed, alarms
}
