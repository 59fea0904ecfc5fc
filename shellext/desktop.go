package shellext

import (
	_ "embed"
	"fmt"
	"io/fs"
	"strings"
)

// mimeType is the type of images.
const mimeType = "application/x-vitrine-image"

// File is one file of the desktop integration.
type File struct {
	Path string // below the data folder (XDG_DATA_HOME, /usr/local/share), '/' separated
	Data []byte
	Mode fs.FileMode
}

//go:embed vitrine.svg
var icon []byte

// DesktopFiles are the files of the integration into Linux desktops: the MIME
// type, the program with its actions, the icon, and the menu of KDE's Dolphin.
func DesktopFiles(p Program) []File {
	return []File{
		{"mime/packages/vitrine.xml", []byte(mimePackage), 0o644},
		{"applications/vitrine.desktop", []byte(desktopFile(p)), 0o644},
		{"icons/hicolor/scalable/apps/vitrine.svg", icon, 0o644},
		{"icons/hicolor/scalable/mimetypes/application-x-vitrine-image.svg", icon, 0o644},
		{"kio/servicemenus/vitrine.desktop", []byte(serviceMenu(p)), 0o755},
	}
}

// mimePackage describes images by their first bytes and their name.
const mimePackage = `<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="` + mimeType + `">
    <comment>Vitrine image</comment>
    <icon name="application-x-vitrine-image"/>
    <glob pattern="*.vtr"/>
    <magic priority="80">
      <match type="string" offset="0" value="\x89VTR\r\n\x1a\n"/>
    </magic>
  </mime-type>
</mime-info>
`

// desktopFile is the program as menus show it. Actions that print a report run
// in a terminal.
func desktopFile(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, `[Desktop Entry]
Type=Application
Name=Vitrine
GenericName=Disk image viewer
Comment=Look into disk images
Exec=%s open %%f
Icon=vitrine
Terminal=false
NoDisplay=true
Categories=System;Utility;Archiving;
MimeType=%s;
Actions=%s
`, quoteExec(p.Exe), mimeType, actionIDs(";"))
	for _, a := range actions[1:] {
		fmt.Fprintf(&b, "\n[Desktop Action %s]\nName=%s\nIcon=vitrine\nExec=%s %s %%f\n", a.id, a.title, quoteExec(p.Exe), a.verb)
	}
	return b.String()
}

// serviceMenu is the submenu of Dolphin.
func serviceMenu(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Desktop Entry]\nType=Service\nMimeType=%s;\nX-KDE-Submenu=Vitrine\nX-KDE-Priority=TopLevel\nActions=%s;%s\n",
		mimeType, actions[0].id, actionIDs(";"))
	for _, a := range actions {
		fmt.Fprintf(&b, "\n[Desktop Action %s]\nName=%s\nIcon=vitrine\nExec=%s %s %%f\n", a.id, a.title, quoteExec(p.Exe), a.verb)
	}
	return b.String()
}

func actionIDs(sep string) (s string) {
	for _, a := range actions[1:] {
		s += a.id + sep
	}
	return s
}

// quoteExec quotes a path by the rules of the Desktop Entry Specification,
// section "The Exec key": in double quotes, with '"', '`', '$' and '\' escaped,
// and that once more as a string value; '%' is doubled.
func quoteExec(s string) string {
	inner := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(s)
	value := strings.ReplaceAll(inner, `\`, `\\`)
	return `"` + strings.ReplaceAll(value, "%", "%%") + `"`
}
