package cli

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const about = `Vitrine images disks and partitions and lets you back into the images at once:
list and copy files, mount any point in time, verify, restore.

IMAGE is a member file (.vtr), an Image ID or a folder that holds one set.
  IMAGE@3  IMAGE@latest  IMAGE@2026-11-02T14:00   name a point of the set
  IMAGE:2                                         names partition 2
  IMAGE:/Users/ann   IMAGE:2:/Users/ann           name a path
With --device DISK the file commands read a disk or a raw image instead.`

// Groups of commands in the help, in the order of a first day with the tool.
const (
	groupMake = "make"
	groupRead = "read"
	groupBack = "back"
	groupMore = "more"
)

func init() { cobra.EnableCommandSorting = false } // the order of commands.go

// newRoot builds the whole command tree around e.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use: "vitrine", Short: "Disk images that open at once", Long: about,
		SilenceErrors: true, SilenceUsage: true,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.Err)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = false
	globalFlags(root, e)
	root.AddGroup(
		&cobra.Group{ID: groupMake, Title: "Images:"},
		&cobra.Group{ID: groupRead, Title: "Files:"},
		&cobra.Group{ID: groupBack, Title: "Trust and the way back:"},
		&cobra.Group{ID: groupMore, Title: "More:"})
	for _, c := range commands(e) {
		root.AddCommand(c)
	}
	addCompletions(root, e)
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	wrapBash(root, e)
	holders(root)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	return root
}

func globalFlags(root *cobra.Command, e *env) {
	f := root.PersistentFlags()
	f.BoolVar(&e.json, "json", false, "print one JSON object a line: results, progress and errors")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "no progress and no remarks")
	addWaitFlag(root, e)
	f.StringArrayVar(&e.search, "search", nil, "look for members in this `DIR` too (repeatable)")
}

// usageTemplate adds the exit codes to the help of the root command.
func usageTemplate(t string) string {
	return t + "{{if not .HasParent}}\nExit codes:\n" + exitHelp() + "{{end}}"
}

// holders has commands that only hold others refuse what is none of them, and
// cobra's own commands refuse arguments in our words.
func holders(c *cobra.Command) {
	for _, sub := range c.Commands() {
		switch {
		case sub.HasSubCommands() && !sub.Runnable():
			sub.SuggestionsMinimumDistance = 2
			sub.Args, sub.RunE = noCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
		case c.Name() == "completion":
			sub.Args = takes(0, 0)
		}
		holders(sub)
	}
}

func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "'vitrine help' lists the commands"
	if c.HasParent() {
		hint = fmt.Sprintf("'%s --help' lists what there is", c.CommandPath())
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'? %s", c.CommandPath(), near[0], hint)
	}
	_, within, _ := strings.Cut(c.CommandPath()+" ", " ")
	return usage(hint, "there is no command %q", within+args[0])
}

func flagError(c *cobra.Command, err error) error {
	return usage(fmt.Sprintf("'%s --help' shows what it takes", c.CommandPath()), "%s", flagWords(err))
}

// flagWords says plainly what is wrong with a flag.
func flagWords(err error) string {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Sprintf("--%s: %s", e.GetFlag().Name, valueWords(e))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Sprintf("--%s needs a value", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + e.GetSpecifiedName()
		if e.GetSpecifiedShortnames() != "" {
			name = name[1:]
		}
		return fmt.Sprintf("there is no option %s", name)
	}
	return err.Error()
}

// valueWords says what a value should have been.
func valueWords(e *pflag.InvalidValueError) string {
	wants := map[string]string{
		"int": "a whole number", "intSlice": "a whole number", "uint": "a whole number from 0 on", "uint32": "a whole number from 0 on",
		"uint64": "a whole number from 0 on", "float64": "a number", "bool": "true or false", "duration": "a time like 90s or 5m",
	}
	if want := wants[e.GetFlag().Value.Type()]; want != "" {
		return fmt.Sprintf("%q is not %s", e.GetValue(), want)
	}
	return e.Unwrap().Error() // our own words
}

// takes says how many arguments a command takes; most < 0: any number.
func takes(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		what := fmt.Sprintf("too many arguments: %d, at most %d are taken", len(args), most)
		if len(args) < least {
			what = fmt.Sprintf("too few arguments: %d, at least %d are needed", len(args), least)
		}
		return usage("it is used like this: "+c.UseLine(), "%s: %s", c.CommandPath(), what)
	}
}

// onWindows decides how paths are read.
const onWindows = runtime.GOOS == "windows"

// usualWords lets people write what they are used to: the tests of find with one
// dash, and on Windows /? for help.
func usualWords(args []string, windows bool) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		switch {
		case windows && a == "/?":
			out[i] = "--help"
		case out[0] == "find" && len(a) > 2 && a[0] == '-' && a[1] != '-' && strings.Contains(findTests, " "+strings.SplitN(a[1:], "=", 2)[0]+" "):
			out[i] = "-" + a
		}
	}
	return out
}

const findTests = " name iname path type size newer older print depth "
