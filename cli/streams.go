package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are what a command talks to, and what it knows about them. Nothing
// else in this package asks the system about terminals.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTerm, OutTerm and ErrTerm say which of them is a terminal.
	InTerm, OutTerm, ErrTerm bool
	// Colour says whether a terminal may be sent colours.
	Colour bool
	// Width gives the columns of the terminal behind Err; nil means 80.
	Width func() int
}

// OSStreams are the process's own.
func OSStreams() *Streams {
	s := &Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Width: stderrWidth}
	s.InTerm = term.IsTerminal(int(os.Stdin.Fd()))
	s.OutTerm = term.IsTerminal(int(os.Stdout.Fd()))
	s.ErrTerm = term.IsTerminal(int(os.Stderr.Fd()))
	s.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

func stderrWidth() int {
	w, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 80
	}
	return w
}

// width is the number of columns that a status line may fill.
func (s *Streams) width() int {
	if s.Width == nil {
		return 80
	}
	return max(s.Width(), 20)
}

// The colours in use. Each is named for what it marks.
const (
	colourError  = "\x1b[1;31m"
	colourHint   = "\x1b[1;36m"
	colourFolder = "\x1b[1;34m"
	colourLink   = "\x1b[36m"
	colourFaint  = "\x1b[2m"
	colourOff    = "\x1b[0m"
)

// paintOut colours text that goes to Out, paintErr text that goes to Err.
func (s *Streams) paintOut(colour, text string) string { return s.paint(s.OutTerm, colour, text) }
func (s *Streams) paintErr(colour, text string) string { return s.paint(s.ErrTerm, colour, text) }

func (s *Streams) paint(terminal bool, colour, text string) string {
	if !terminal || !s.Colour || colour == "" {
		return text
	}
	return colour + text + colourOff
}
