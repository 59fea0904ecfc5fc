package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"vitrine/mount"
)

// Main runs the command that args names and returns the process's exit code.
// The first interrupt cancels the command; it cleans up and returns 130. A
// second interrupt ends the process at once.
func Main(args []string, s *Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	s, show := inBox(s)
	code := run(ctx, args, s)
	show(code)
	return int(code)
}

func run(ctx context.Context, args []string, s *Streams) exitCode {
	boundMemory(heapLimit)
	s, settle := gather(s)
	e := &env{Streams: s}
	if b, ok := mount.InBackground(); ok {
		e.background = b
	}
	defer e.hold()
	err := execute(ctx, e, args)
	if lost := unshown(settle()); err == nil {
		err = lost
	}
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		err = interrupted(err)
	}
	if code, done := e.elevated(args, err); done {
		return code
	}
	return e.report(err)
}

// execute runs a command line, or what mount(8) asks of its helper.
func execute(ctx context.Context, e *env, args []string) error {
	root := newRoot(e)
	if len(args) > 0 {
		cobra.MousetrapHelpText = "" // Explorer starts the menus' commands
	}
	if mount.IsHelper(append([]string{os.Args[0]}, args...)) && !isCommand(root, args) {
		return runHelper(ctx, e, args)
	}
	root.SetArgs(usualWords(args, onWindows))
	return root.ExecuteContext(ctx)
}

// isCommand says whether args begin with a command: "capture /disk -o /images"
// has the form of a mount helper's arguments too.
func isCommand(root *cobra.Command, args []string) bool {
	for _, c := range root.Commands() {
		if len(args) > 0 && (c.Name() == args[0] || c.HasAlias(args[0])) {
			return true
		}
	}
	return false
}
