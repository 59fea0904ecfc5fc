package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"vitrine/mount"
)

// jsonSchema is the version of all objects that --json prints. It grows when a
// key changes its meaning or goes away; new keys may come at any time.
const jsonSchema = 1

// env is what all commands share: the streams and the global flags.
type env struct {
	*Streams
	json   bool
	quiet  bool
	search []string

	waitAtEnd  bool              // the terminal goes with this process
	background *mount.Background // this process was started to mount for another
	notes      []note            // that the process in the background has for the other

	meter *meter
	outMu sync.Mutex
}

// emit prints one result of --json: v's keys after "type" and "schema".
func (e *env) emit(kind string, v any) {
	e.outMu.Lock()
	defer e.outMu.Unlock()
	e.Out.Write(object(kind, v))
}

// tell prints one object of --json that is no result.
func (e *env) tell(kind string, v any) {
	e.outMu.Lock()
	defer e.outMu.Unlock()
	e.Err.Write(object(kind, v))
}

func object(kind string, v any) []byte {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only our own structs come here
	}
	head := fmt.Sprintf(`{"type":%q,"schema":%d`, kind, jsonSchema)
	if body.Len() > len("{}\n") {
		head += ","
	}
	return append([]byte(head), body.Bytes()[1:]...)
}

// say prints a line about what is going on. It goes to standard error, and
// nowhere with --quiet or --json.
func (e *env) say(format string, a ...any) {
	if e.quiet || e.json {
		return
	}
	e.meter.above(func() { fmt.Fprintf(e.Err, format+"\n", a...) })
}

type note = mount.Note

// note tells of something that the person must know though the work goes on.
func (e *env) note(n note) {
	if e.background != nil {
		e.notes = append(e.notes, n)
		return
	}
	if e.json {
		e.tell("note", n)
		return
	}
	line := n.Text
	if n.Path != "" {
		line = n.Path + ": " + line
	}
	e.meter.above(func() { fmt.Fprintln(e.Err, "note: "+oneLine(line)) })
}

// errorReport is the last object of a failed command.
type errorReport struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
	Code  int    `json:"exit_code"`
}

// report prints what went wrong and gives the exit code.
func (e *env) report(err error) exitCode {
	p := explain(err)
	if e.background != nil {
		e.background.Report(mount.Report{Error: p.msg, Hint: p.hint, Code: int(p.code)})
		return p.code
	}
	if e.json {
		e.tell("error", errorReport{p.msg, p.hint, int(p.code)})
		return p.code
	}
	fmt.Fprintf(e.Err, "%s %s\n", e.paintErr(colourError, "error:"), p.msg)
	fmt.Fprintf(e.Err, "%s  %s\n", e.paintErr(colourHint, "hint:"), p.hint)
	return p.code
}
