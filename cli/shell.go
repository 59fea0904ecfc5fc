package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitrine/shellext"
)

func newShell(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "shell", Short: "Add Vitrine to the desktop's menus, or take it out", GroupID: groupMore, Args: takes(1, -1),
		Long: `Linux: the file type, a program entry with actions, icons, and a menu for Dolphin.
Windows: double-click and a submenu in Explorer; not yet confirmed on Windows.
'uninstall' removes exactly what 'install' wrote.`,
	}
	all := false
	add := func(use, short string, do func(shellext.Program, bool) (paths, notes []string, err error)) {
		sub := &cobra.Command{Use: use, Short: short, Args: takes(0, 0),
			RunE: func(*cobra.Command, []string) error { return e.shell(use, do, all) }}
		sub.Flags().BoolVar(&all, "all-users", false, "for every user of this machine (needs its administrator)")
		c.AddCommand(sub)
	}
	add("install", "Double-click and menu for images", shellext.Install)
	add("uninstall", "Remove what 'install' wrote", shellext.Uninstall)
	return c
}

func (e *env) shell(verb string, do func(shellext.Program, bool) (paths, notes []string, err error), all bool) error {
	p, err := thisProgram()
	if err != nil {
		return err
	}
	paths, notes, err := do(p, all)
	for _, n := range notes {
		e.note(note{Text: n})
	}
	if e.json {
		e.emit(verb, struct {
			Paths []string `json:"paths"`
		}{paths})
		return err
	}
	for _, p := range paths {
		fmt.Fprintln(e.Out, p)
	}
	return err
}

// thisProgram is what the menus start. On Windows the windowless twin and the
// icon lie beside it if at all.
func thisProgram() (p shellext.Program, err error) {
	if p.Exe, err = os.Executable(); err != nil {
		return p, err
	}
	p.Launcher, p.Icon = p.Exe, p.Exe
	for file, to := range map[string]*string{"vitrinew.exe": &p.Launcher, "vitrine.ico": &p.Icon} {
		path := filepath.Join(filepath.Dir(p.Exe), file)
		if _, err := os.Stat(path); err == nil {
			*to = path
		}
	}
	return p, nil
}

// newGUI is what the menus call: commands that print need a window to print in.
func newGUI(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "gui attach|verify|check|copy|restore|info IMAGE", Short: "What the desktop's menus start", Hidden: true, Args: takes(2, 2),
		RunE: func(c *cobra.Command, args []string) error { return runGUI(c.Context(), e, args[0], args[1]) },
	}
}

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
