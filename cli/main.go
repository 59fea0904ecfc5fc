package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main runs the command that args names and returns the process's exit code.
// The first interrupt cancels the command; it cleans up and returns 130. A
// second interrupt ends the process at once.
func Main(args []string, s *Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return int(run(ctx, args, s))
}

func run(ctx context.Context, args []string, s *Streams) exitCode {
	e := &env{Streams: s}
	root := newRoot(e)
	root.SetArgs(findWords(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		err = interrupted(err)
	}
	return e.report(err)
}
