package mount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// readyEnv holds the number of the inherited pipe in a background process.
const readyEnv = "VITRINE_READY_FD"

// Report is what a background process tells the one that started it.
type Report struct {
	Dir   string `json:"dir,omitempty"`   // mounted here; or the device attached
	Notes []Note `json:"notes,omitempty"` // what the person should know of it
	Error string `json:"error,omitempty"` // or not mounted, because
	Hint  string `json:"hint,omitempty"`
	Code  int    `json:"code,omitempty"` // exit code to end with
}

// Note tells of something that the person must know though the work goes on.
type Note struct {
	Path    string   `json:"path,omitempty"`
	Text    string   `json:"text"`
	Missing []string `json:"missing,omitempty"` // files
}

// errNoReport: the background process ended without a word.
var errNoReport = errors.New("the background process ended without a word; see its log")

// StartBackground starts this program again with the arguments args (without
// its name), detached from the terminal and with its output going to log, and
// waits until it reports. An error is one of starting; what the mount itself has
// to say is in the report.
//
// The arguments should name files absolutely.
func StartBackground(ctx context.Context, args []string, log *os.File) (pid int, r Report, err error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, r, err
	}
	mine, theirs, err := os.Pipe()
	if err != nil {
		return 0, r, err
	}
	defer mine.Close()
	cmd := exec.Command(exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := inherit(cmd, theirs); err != nil {
		theirs.Close()
		return 0, r, err
	}
	inUse(log)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return 0, r, err
	}
	r, err = await(ctx, mine)
	if err != nil || r.Error != "" {
		cmd.Process.Kill() // it ends by itself; this is for one that hangs
		cmd.Wait()
		return 0, r, err
	}
	pid = cmd.Process.Pid
	return pid, r, cmd.Process.Release()
}

// await reads the report until the pipe is closed.
func await(ctx context.Context, pipe *os.File) (r Report, err error) {
	stop := context.AfterFunc(ctx, func() { pipe.Close() })
	defer stop()
	const most = 1 << 20
	b, err := io.ReadAll(io.LimitReader(pipe, most))
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case err != nil:
		return r, err
	case len(b) == 0:
		return r, errNoReport
	}
	err = json.Unmarshal(b, &r)
	return r, err
}

// Background is the background process's side.
type Background struct{ pipe *os.File }

// InBackground says whether this process was started by [StartBackground].
// Programs call it once, early; it then no longer shows to processes that this
// one starts.
func InBackground() (*Background, bool) {
	fd, err := strconv.Atoi(os.Getenv(readyEnv))
	if err != nil || fd < 3 {
		return nil, false
	}
	os.Unsetenv(readyEnv)
	return &Background{inherited(fd)}, true
}

// Report tells the starting process how it went, and lets it end.
func (b *Background) Report(r Report) error {
	defer b.pipe.Close()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := b.pipe.Write(text); err != nil {
		return fmt.Errorf("report to the starting process: %w", err)
	}
	return nil
}
