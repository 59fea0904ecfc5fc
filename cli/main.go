// Package cli is the command line: it wires the other packages together and is
// the only one that knows terminals, flags, hints and exit codes.
package cli

import (
	"fmt"
	"io"
	"os"
)

// Streams are what a command talks to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// OSStreams are the process's own.
func OSStreams() Streams { return Streams{os.Stdin, os.Stdout, os.Stderr} }

// Main runs the command named by args and returns the exit code.
func Main(args []string, s Streams) int {
	fmt.Fprintln(s.Err, "vitrine: no commands yet")
	return 1
}
