//go:build !windows

package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func runGUI(ctx context.Context, e *env, verb, image string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	switch verb {
	case "verify", "check", "info":
		return e.inWindow(ctx, []string{exe, verb, image})
	case "attach":
		return e.inTerminal(ctx, asRoot([]string{exe, verb, image}))
	case "copy":
		dir, err := askFolder(ctx, "Copy the files of "+filepath.Base(image)+" to")
		if err != nil || dir == "" {
			return err
		}
		return e.inWindow(ctx, []string{exe, "cp", image + ":/", dir})
	case "restore":
		return e.inTerminal(ctx, []string{"sh", "-c", askTarget, exe, image})
	}
	return usage("attach, verify, check, copy, restore and info are", "%q is no entry of the menus", verb)
}

// askTarget is a dialogue in a terminal; restore shows its plan and asks again.
const askTarget = `printf 'Restore %s\nto (a disk, a partition or a new file; Enter alone ends): ' "$1"; read -r t; [ -z "$t" ] || "$0" restore "$1" "$t"`

// asRoot puts in front of a command what asks for the rights.
func asRoot(args []string) []string {
	if os.Geteuid() == 0 {
		return args
	}
	return append([]string{"sudo"}, args...)
}

// terminals and what stands between them and the command that they run.
var terminals = [][]string{
	{"x-terminal-emulator", "-e"}, {"konsole", "-e"}, {"gnome-terminal", "--wait", "--"},
	{"xfce4-terminal", "--disable-server", "-x"}, {"kgx", "--"}, {"xterm", "-e"},
}

// stayOpen runs a command and keeps the window until Enter.
const stayOpen = `"$0" "$@"; printf '\nEnter closes this window. '; read -r x`

func findTerminal() []string {
	for _, t := range terminals {
		if _, err := exec.LookPath(t[0]); err == nil {
			return t
		}
	}
	return nil
}

// inTerminal runs a command in a terminal window that stays open.
func (e *env) inTerminal(ctx context.Context, args []string) error {
	t := findTerminal()
	if t == nil {
		return noWindow()
	}
	line := append(append(t[1:len(t):len(t)], "sh", "-c", stayOpen), args...)
	err := exec.CommandContext(ctx, t[0], line...).Run()
	if is[*exec.ExitError](err) {
		return nil // the window has shown how the command ended
	}
	return err
}

// viewers show a text, most of it first.
var viewers = []func(text string) []string{
	func(s string) []string {
		return []string{"zenity", "--info", "--no-markup", "--title=Vitrine", "--text=" + s}
	},
	func(s string) []string { return []string{"kdialog", "--title", "Vitrine", "--msgbox", s} },
	func(s string) []string { return []string{"notify-send", "Vitrine", s} },
}

// inWindow runs a command in a terminal, or shows what it printed when it is
// done.
func (e *env) inWindow(ctx context.Context, args []string) error {
	if findTerminal() != nil {
		return e.inTerminal(ctx, args)
	}
	for _, v := range viewers {
		if _, err := exec.LookPath(v("")[0]); err != nil {
			continue
		}
		var out bytes.Buffer
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Stdout, c.Stderr = &out, &out
		ran := c.Run()
		if out.Len() == 0 {
			fmt.Fprintln(&out, "done:", ran == nil)
		}
		show := v(strings.TrimSpace(out.String()))
		return exec.CommandContext(ctx, show[0], show[1:]...).Run()
	}
	return noWindow()
}

func noWindow() error {
	return failed(exitDriver, "install xterm, or use vitrine in a terminal: 'vitrine help' lists the commands", "there is no terminal window and no dialogue program (zenity, kdialog) to show it in")
}

// askFolder asks for a folder; "" when the person does not want to.
func askFolder(ctx context.Context, title string) (string, error) {
	for _, d := range [][]string{
		{"zenity", "--file-selection", "--directory", "--title=" + title},
		{"kdialog", "--title", title, "--getexistingdirectory", "."},
	} {
		if _, err := exec.LookPath(d[0]); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, d[0], d[1:]...).Output()
		if err != nil {
			return "", nil // cancelled
		}
		return strings.TrimRight(string(out), "\n"), nil
	}
	return "", failed(exitDriver, "install zenity, or use 'vitrine cp IMAGE:/ FOLDER'", "there is no program to ask for a folder with (zenity, kdialog)")
}

// openedDir is where the image is mounted already, or a folder where it can be.
func (e *env) openedDir(ref imageRef, path string) (dir string, there bool, err error) {
	return e.openedFolder(ref, path)
}

// opened shows the folder: in the file manager if there is a desktop.
func (e *env) opened(dir string) {
	if e.json {
		e.emit("opened", struct {
			Dir string `json:"dir"`
		}{dir})
	} else {
		fmt.Fprintln(e.Out, dir)
	}
	if !hasDesktop() {
		e.say("there is no desktop here; the files are in this folder until 'vitrine unmount'")
		return
	}
	if _, err := exec.LookPath("xdg-open"); err != nil {
		e.say("xdg-open is not installed (package xdg-utils); the files are in this folder until 'vitrine unmount'")
		return
	}
	if err := exec.Command("xdg-open", dir).Run(); err != nil {
		e.note(note{Path: dir, Text: "xdg-open: " + err.Error()})
	}
}

func hasDesktop() bool { return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" }

// inBox is for systems that start programs without anything to print to.
func inBox(s *Streams) (same *Streams, show func(exitCode)) { return s, func(exitCode) {} }
