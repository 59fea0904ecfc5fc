package shellext

import (
	"fmt"
	"strings"
)

// Key is one registry key below Software\Classes.
type Key struct {
	Path   string // relative, '\' separated
	Values []Value
	// Shared marks keys that others write to as well: uninstalling removes our
	// values from them, and the key only when nothing else is left.
	Shared bool
}

// Value is a string value; the name "" is the key's default value.
type Value struct{ Name, Data string }

const (
	progID    = "Vitrine.Image"
	extension = ".vtr"
	// fsName is the name under which our drives appear, by which the drive
	// menu recognises them.
	fsName = "Vitrine"
)

// WindowsKeys are the keys of the Explorer integration, parents first. They are
// the same for one user and for all; only the root differs.
func WindowsKeys(p Program) []Key {
	keys := []Key{
		{Path: extension, Shared: true, Values: []Value{{"", progID}, {"Content Type", mimeType}}},
		{Path: extension + `\OpenWithProgids`, Shared: true, Values: []Value{{progID, ""}}},
		{Path: progID, Values: []Value{{"", "Vitrine image"}, {"FriendlyTypeName", "Vitrine image"}}},
		{Path: progID + `\DefaultIcon`, Values: []Value{{"", p.Icon}}},
		{Path: progID + `\shell`, Values: []Value{{"", "open"}}},
	}
	keys = append(keys, verb(progID+`\shell\open`, p, action{title: "Open", verb: actions[0].verb, multi: "Single"})...)
	menu := progID + `\shell\Vitrine`
	keys = append(keys, Key{Path: menu, Values: []Value{{"MUIVerb", "Vitrine"}, {"Icon", p.Icon}, {"SubCommands", ""}}},
		Key{Path: menu + `\shell`})
	for i, a := range actions {
		keys = append(keys, verb(fmt.Sprintf(`%s\shell\%02d%s`, menu, i+1, a.id), p, a)...)
	}
	// A drive's path ends in a backslash, which would take the quote after it for
	// its own: the dot stands between.
	unmount := action{title: "Unmount Vitrine image", verb: "unmount", multi: "Single", after: "."}
	drive := verb(`Drive\shell\Vitrine.Unmount`, p, unmount)
	drive[0].Values = append(drive[0].Values, Value{"AppliesTo", "System.Volume.FileSystem:=" + fsName})
	keys = append(keys, Key{Path: "Drive", Shared: true}, Key{Path: `Drive\shell`, Shared: true})
	return append(keys, drive...)
}

// verb is a menu entry and its command.
func verb(path string, p Program, a action) []Key {
	values := []Value{{"MUIVerb", a.title}, {"MultiSelectModel", a.multi}, {"Icon", p.Icon}}
	if a.admin {
		values = append(values, Value{"HasLUAShield", ""})
	}
	return []Key{
		{Path: path, Values: values},
		{Path: path + `\command`, Values: []Value{{"", fmt.Sprintf(`%s %s "%%1%s"`, quoteWindows(p.Launcher), a.verb, a.after)}}},
	}
}

// quoteWindows quotes a program path; paths cannot hold quotes on Windows.
func quoteWindows(s string) string { return `"` + strings.ReplaceAll(s, `"`, "") + `"` }
