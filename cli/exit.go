package cli

import (
	"fmt"
	"strings"
)

// exitCode is what the process returns.
type exitCode int

// The exit codes. exitTable explains them.
const (
	exitDone        exitCode = 0
	exitFailed      exitCode = 1
	exitUsage       exitCode = 2
	exitIncomplete  exitCode = 3
	exitDamage      exitCode = 4
	exitMissing     exitCode = 5
	exitDriver      exitCode = 6
	exitInterrupted exitCode = 130
)

// exitTable is the one place that says what the codes mean; the help is
// written from it.
var exitTable = []struct {
	code exitCode
	text string
}{
	{exitDone, "done"},
	{exitFailed, "failed; nothing was changed unless the message says so"},
	{exitUsage, "the command line is wrong"},
	{exitIncomplete, "done but incomplete; what is missing is listed"},
	{exitDamage, "damage was found"},
	{exitMissing, "a member of the image set is missing"},
	{exitDriver, "a driver or a right is missing"},
	{exitInterrupted, "interrupted"},
}

func exitHelp() string {
	var b strings.Builder
	for _, r := range exitTable {
		fmt.Fprintf(&b, "  %3d  %s\n", r.code, r.text)
	}
	return b.String()
}
