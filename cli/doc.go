// Package cli is the command line of Vitrine. It wires the other packages
// together and is the only one that knows flags, terminals, progress, exit
// codes and hints.
//
//	os.Exit(cli.Main(os.Args[1:], cli.OSStreams()))
//
// Rules of the interface:
//
//   - Results go to standard output, everything else to standard error. With
//     --json both are one object a line, each with "type" and "schema": results
//     on standard output, progress, notes and errors on standard error.
//   - A failure is two lines, "error:" with what and where, "hint:" with whether
//     the data is safe and what to do next. Both are chosen by the class of the
//     error, never by its text (hints.go).
//   - Exit codes come from one table, which also writes the help (exit.go).
//   - Commands change nothing before they know that they can go on. Files appear
//     under their names only when they are complete.
//   - Without a terminal there is no colour and no bar.
//
// Each command is a file: an options struct, a thin constructor that fills it
// from flags, and a run function that does the work. [Main] may be called many
// times in a process, but not in parallel: it listens for signals.
//
// Names and contents that come out of images are not trusted: they are escaped
// before they reach a terminal, and cp writes below its destination only.
package cli
