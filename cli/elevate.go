package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/internal/elevate"
)

// waitFlag has a program that was started in a window of its own wait at its
// end, so that what it said can be read.
const waitFlag = "wait-at-end"

func addWaitFlag(c *cobra.Command, e *env) {
	c.PersistentFlags().BoolVar(&e.waitAtEnd, waitFlag, false, "")
	c.PersistentFlags().MarkHidden(waitFlag)
}

// elevated offers to run the same command with the rights that it lacked, and
// reports whether it did.
func (e *env) elevated(args []string, err error) (exitCode, bool) {
	if !errors.Is(err, fs.ErrPermission) || !e.InTerm || e.json || e.quiet || e.background != nil || !elevate.Possible() {
		return 0, false
	}
	fmt.Fprintf(e.Err, "%s\nStart it again as administrator? Write 'yes': ", oneLine(plain(err)))
	answer, _ := bufio.NewReader(e.In).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return 0, false
	}
	code, rerr := elevate.Restart(append([]string{"--" + waitFlag}, args...))
	if rerr != nil {
		return e.report(rerr), true
	}
	return exitCode(code), true
}

// hold waits for the Enter key, when the window is about to go.
func (e *env) hold() {
	if !e.waitAtEnd {
		return
	}
	fmt.Fprint(e.Err, "\nPress Enter to close this window. ")
	bufio.NewReader(e.In).ReadString('\n')
}
