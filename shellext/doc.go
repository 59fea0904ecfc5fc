// Package shellext puts Vitrine into the right-click menus of Windows' Explorer
// and of Linux desktops: double-click on an image opens it, a submenu holds the
// rest.
//
// What is to be written is pure data: [WindowsKeys] and [DesktopFiles] give it
// for any program path, on any system. [Install] and [Uninstall] apply it on the
// system that they run on; they touch nothing else, and Uninstall removes
// exactly what Install wrote.
package shellext

import "errors"

// ErrUnsupported says that this system has no menus that Vitrine knows.
var ErrUnsupported = errors.New("there is no desktop integration for this system")

// Program is what the menus start.
type Program struct {
	// Exe is the full path of the program.
	Exe string
	// Launcher is the full path of its windowless twin on Windows, and Icon that
	// of the icon; [Install] makes both where [Place] says. Elsewhere they are not
	// used: the icon goes where the desktop looks for it.
	Launcher, Icon string
}

// action is one entry of the submenu.
type action struct {
	id    string // part of a registry key, desktop action
	title string
	verb  string // arguments of the program before the image
	admin bool   // shows the shield: the program asks for more rights by itself
	// multi is how many images may be selected: "Single", or "Player" for one
	// start per image.
	multi string
	after string // what follows the path within its quotes
}

// actions are the entries in their order. The first is what a double-click
// does.
var actions = []action{
	{"Browse", "Browse", "open", false, "Single", ""},
	{"Attach", "Mount as disk (chkdsk)", "gui attach", true, "Single", ""},
	{"Verify", "Verify", "gui verify", false, "Player", ""},
	{"Check", "Check file system", "gui check", false, "Player", ""},
	{"Copy", "Copy files out…", "gui copy", false, "Single", ""},
	{"Restore", "Restore…", "gui restore", true, "Single", ""},
	{"Properties", "Properties", "gui info", false, "Player", ""},
}
