package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"vitrine/internal/elevate"
	"vitrine/mount"
)

func runGUI(ctx context.Context, e *env, verb, image string) error {
	if _, err := os.Stat(image); err != nil {
		return err
	}
	if needsAdmin := verb == "attach" || verb == "restore"; needsAdmin && elevate.Possible() {
		_, err := elevate.Restart([]string{"gui", verb, image})
		if errors.Is(err, elevate.ErrDeclined) {
			return nil
		}
		return err
	}
	switch verb {
	case "verify", "check", "info", "attach":
		return e.inConsole(ctx, verb, image)
	case "copy":
		dir, err := askFolder("Copy the files of " + filepath.Base(image) + " to")
		if err != nil || dir == "" {
			return err
		}
		return e.inConsole(ctx, "cp", image+":/", dir)
	case "restore":
		return e.askTarget(ctx, image)
	}
	return usage("attach, verify, check, copy, restore and info are", "%q is no entry of the menus", verb)
}

var (
	kernel32     = windows.NewLazySystemDLL("kernel32.dll")
	allocConsole = kernel32.NewProc("AllocConsole")
	shell32      = windows.NewLazySystemDLL("shell32.dll")
	browse       = shell32.NewProc("SHBrowseForFolderW")
	freeID       = windows.NewLazySystemDLL("ole32.dll").NewProc("CoTaskMemFree")
	pathOfID     = shell32.NewProc("SHGetPathFromIDListW")
)

// openConsole gives this process a console of its own, unless it has one.
func (e *env) openConsole() (*Streams, error) {
	if r, _, _ := allocConsole.Call(); r == 0 {
		return e.Streams, nil
	}
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	os.Stdin, os.Stdout, os.Stderr = in, out, out
	return OSStreams(), nil
}

// inConsole runs a command of this program in a console that stays until Enter.
func (e *env) inConsole(ctx context.Context, args ...string) error {
	s, err := e.openConsole()
	if err != nil {
		return err
	}
	run(ctx, append([]string{"--" + waitFlag}, args...), s) // the console shows how it ended
	return nil
}

// askTarget is a dialogue in a console; restore shows its plan and asks again.
func (e *env) askTarget(ctx context.Context, image string) error {
	s, err := e.openConsole()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "Restore %s\nto (a disk like \\\\.\\PhysicalDrive1, a volume like \\\\.\\E: or a new file; Enter alone ends): ", image)
	target, _ := bufio.NewReader(s.In).ReadString('\n')
	if target = strings.TrimSpace(target); target != "" {
		run(ctx, []string{"--" + waitFlag, "restore", image, target}, s)
	}
	return nil
}

// browseInfo is BROWSEINFOW.
type browseInfo struct {
	owner    windows.Handle
	root     uintptr
	display  *uint16
	title    *uint16
	flags    uint32
	callback uintptr
	param    uintptr
	image    int32
}

// askFolder asks for a folder; "" when the person does not want to.
func askFolder(title string) (string, error) {
	const filesOnly, newStyle = 0x1, 0x40
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := windows.CoInitializeEx(0, windows.COINIT_APARTMENTTHREADED); err == nil {
		defer windows.CoUninitialize()
	}
	text, err := windows.UTF16PtrFromString(title)
	if err != nil {
		return "", err
	}
	var name [windows.MAX_PATH]uint16
	info := browseInfo{display: &name[0], title: text, flags: filesOnly | newStyle}
	id, _, _ := browse.Call(uintptr(unsafe.Pointer(&info)))
	if id == 0 {
		return "", nil // cancelled
	}
	var path [windows.MAX_LONG_PATH]uint16
	r, _, err := pathOfID.Call(id, uintptr(unsafe.Pointer(&path[0])))
	freeID.Call(id)
	if r == 0 {
		return "", fmt.Errorf("the folder chosen: %w", err)
	}
	return windows.UTF16ToString(path[:]), nil
}

// openedDir is the drive where the image is mounted already, or "*" for one.
func (e *env) openedDir(ref imageRef, path string) (dir string, there bool, err error) {
	mounts, err := mount.Mounts()
	if err != nil {
		return "", false, err
	}
	for _, r := range mounts {
		if !r.Dead && r.Dir != "" && sameFile(r.Image, path) {
			return r.Dir, true, nil
		}
	}
	return "*", false, nil
}

// opened shows the drive in Explorer.
func (e *env) opened(dir string) {
	if e.json {
		e.emit("opened", struct {
			Dir string `json:"dir"`
		}{dir})
	} else {
		fmt.Fprintln(e.Out, dir)
	}
	if err := exec.Command("explorer.exe", dir+`\`).Start(); err != nil {
		e.note(note{Path: dir, Text: "explorer.exe: " + err.Error()})
	}
}

// inBox has the messages of a program without a console shown in a box when it
// fails.
func inBox(s *Streams) (boxed *Streams, show func(exitCode)) {
	if h, err := windows.GetStdHandle(windows.STD_ERROR_HANDLE); err == nil && h != 0 && h != windows.InvalidHandle {
		return s, func(exitCode) {}
	}
	text := &bytes.Buffer{}
	b := *s
	b.Out, b.Err = text, text
	return &b, func(code exitCode) {
		if code != exitDone && code != exitInterrupted && text.Len() > 0 {
			messageBox(plainWords(text.String()))
		}
	}
}

// plainWords takes away what marks lines in a console.
func plainWords(s string) string {
	return strings.TrimSpace(strings.NewReplacer("error: ", "", "hint:  ", "\n", "problem: ", "").Replace(s))
}

func messageBox(text string) {
	const iconError = 0x10
	t, err := windows.UTF16PtrFromString(strings.ReplaceAll(text, "\x00", ""))
	title, terr := windows.UTF16PtrFromString("Vitrine")
	if err == nil && terr == nil {
		windows.MessageBox(0, t, title, iconError)
	}
}
