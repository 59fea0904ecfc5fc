// Command demo is a tour of Vitrine on a small disk that ships with the
// sources: a full and two incrementals, a look inside, a mount where the system
// can, files copied out, verified, restored and compared. Each step says what
// it does and shows the command. It needs nothing but the built program.
//
//	go run ./scripts/demo            # or: make demo
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"vitrine/scripts/demo/disk"
)

const (
	work    = "bin/demo" // all that the demo makes; stays for playing on
	sample  = "testdata/demo"
	image   = work + "/disk.img"
	images  = work + "/images"
	noMount = 6 // exit code: a driver or a right is missing
)

var program = "bin/vitrine"

func main() {
	err := error(nil)
	if len(os.Args) > 1 && os.Args[1] == "-pack" {
		err = disk.Pack(sample, os.Args[2:])
	} else {
		err = demo()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo() error {
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if err := fresh(); err != nil {
		return err
	}
	for _, step := range []func() error{capture, look, mounted, copyOut, proveIt, restore, end} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// fresh starts with an empty folder.
func fresh() error {
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("%w (is a mount of an earlier run left? then: vitrine unmount %s/mnt)", err, work)
	}
	return os.MkdirAll(images, 0o777)
}

func capture() error {
	title("A disk of 56 MiB: GPT, an EFI partition and a Windows volume. The first image is a full.")
	if err := disk.Apply(sample, image, 1); err != nil {
		return err
	}
	if err := vitrine("capture", image, "-o", images, "--comment", "first image"); err != nil {
		return err
	}
	title("A week later files have changed. An incremental stores only what did.")
	if err := disk.Apply(sample, image, 2); err != nil {
		return err
	}
	if err := vitrine("capture", image, "-o", images, "--onto", images, "--comment", "after the opening"); err != nil {
		return err
	}
	title("Another week: some documents were deleted, by mistake.")
	if err := disk.Apply(sample, image, 3); err != nil {
		return err
	}
	return vitrine("capture", image, "-o", images, "--onto", images)
}

func look() error {
	title("What is there now?")
	return all(
		[]string{"list", images},
		[]string{"info", images},
		[]string{"ls", "-l", images + ":/Users/Ann/Documents"},
		[]string{"ls", "-l", images + "@0:/Users/Ann/Documents"},
		[]string{"find", images + "@0", "--name", "*.jpg", "--name", "*.exe", "-l"},
		[]string{"cat", images + "@0:/Users/Ann/Downloads/setup.exe:Zone.Identifier"},
	)
}

func mounted() error {
	title("The point before the mistake, mounted as a folder.")
	dir := filepath.Join(work, "mnt")
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	err := vitrine("mount", images+"@1", dir, "--background")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == noMount {
		fmt.Println("\nThis system cannot mount; everything else works without.")
		return nil
	}
	if err != nil {
		return err
	}
	showFolder(filepath.Join(dir, "Users", "Ann", "Documents"))
	return vitrine("unmount", dir)
}

func showFolder(dir string) {
	fmt.Printf("\n$ ls %s\n", dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		fmt.Println(err)
	}
	for _, e := range entries {
		fmt.Println(e.Name())
	}
}

func copyOut() error {
	title("The documents as they were, copied back, without mounting anything.")
	return vitrine("cp", images+"@1:/Users/Ann/Documents", filepath.Join(work, "saved"))
}

func proveIt() error {
	title("Can the newest point be restored? Every byte is read and proved.")
	return vitrine("verify", images)
}

func restore() error {
	title("The whole disk as it was at first, written into a new file.")
	target := filepath.Join(work, "restored.img")
	if err := vitrine("restore", images+"@0", target, "--yes"); err != nil {
		return err
	}
	title("Compared with the source: the files of both disks, byte by byte.")
	source := filepath.Join(work, "source.img")
	if err := disk.Apply(sample, source, 1); err != nil {
		return err
	}
	was, err := sums(source, "was")
	if err != nil {
		return err
	}
	is, err := sums(target, "is")
	if err != nil {
		return err
	}
	return compare(was, is)
}

// sums copies everything off a disk and adds up each file.
func sums(img, name string) (map[string]string, error) {
	dir := filepath.Join(work, name)
	if err := vitrine("cp", "--device", img, "/", dir, "--quiet"); err != nil {
		return nil, err
	}
	return sumTree(dir)
}

func sumTree(dir string) (map[string]string, error) {
	found := map[string]string{}
	return found, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		_, err = io.Copy(h, f)
		rel, _ := filepath.Rel(dir, p)
		found[rel] = string(h.Sum(nil))
		return err
	})
}

// compare expects all files to be the same but those whose contents are left
// out of images.
func compare(was, is map[string]string) error {
	same := 0
	for name, sum := range was {
		switch {
		case is[name] == sum:
			same++
		case name != "pagefile.sys":
			return fmt.Errorf("%s differs", name)
		}
	}
	if len(is) != len(was) {
		return fmt.Errorf("%d files were there, %d are", len(was), len(is))
	}
	fmt.Printf("\n%d of %d files are identical; pagefile.sys is there, but its contents were left out on purpose.\n", same, len(was))
	return nil
}

func end() error {
	title("That was all. It lies in " + work + " to play with, for example:")
	fmt.Printf("    %s tree %s@0\n    %s help\n", program, images, program)
	return nil
}

func title(text string) { fmt.Printf("\n=== %s\n", text) }

func all(commands ...[]string) error {
	for _, c := range commands {
		if err := vitrine(c...); err != nil {
			return err
		}
	}
	return nil
}

// vitrine shows a command and runs it.
func vitrine(args ...string) error {
	fmt.Printf("\n$ vitrine %s\n", quoted(args))
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("vitrine %s: %w", args[0], err)
	}
	return nil
}

func quoted(args []string) string {
	var b bytes.Buffer
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if strings.ContainsAny(a, " *") {
			a = "'" + a + "'"
		}
		b.WriteString(a)
	}
	return b.String()
}
