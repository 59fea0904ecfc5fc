package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vitrine/shellext"
)

func newShell(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "shell", Short: "Add Vitrine to the desktop's menus, or take it out", GroupID: groupMore, Args: takes(1, -1),
		Long: `Linux: the file type, a program entry with actions, icons, and a menu for Dolphin.
Windows: double-click and a submenu in Explorer, unmounting on the drive's menu, and a copy of
this program that opens no console, in a folder of its own; not yet confirmed on Windows.
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
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := shellext.Place(shellext.Program{Exe: exe}, all)
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

// newGUI is what the menus call: commands that print need a window to print in.
func newGUI(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "gui attach|verify|check|copy|restore|info IMAGE", Short: "What the desktop's menus start", Hidden: true, Args: takes(2, 2),
		RunE: func(c *cobra.Command, args []string) error { return runGUI(c.Context(), e, args[0], args[1]) },
	}
}
