//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does one of the small jobs that the shell lines call, or everything.
func run(args []string) error {
	jobs := map[string]func([]string) error{"fill": fillArgs, "read": readArgs, "evict": evict, "patch": patchArgs, "ntfs": ntfsArgs, "wof": wofArgs, "fullest": fullest}
	if len(args) > 0 && jobs[args[0]] != nil {
		return jobs[args[0]](args[1:])
	}
	return benchmark(args)
}

type config struct {
	work, vitrine, results, scale string
	runs                          int
	only                          *regexp.Regexp
}

func benchmark(args []string) error {
	c := config{}
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.StringVar(&c.work, "work", "bench/work", "folder for volumes and images")
	f.StringVar(&c.vitrine, "vitrine", "bin/vitrine", "the program that is measured")
	f.StringVar(&c.results, "results", "bench/results", "folder for the tables")
	f.StringVar(&c.scale, "scale", "full", "small: volumes of a quarter of the size")
	f.IntVar(&c.runs, "runs", 5, "runs of each case")
	only := f.String("only", "", "regular expression: the tasks to run")
	f.Parse(args)
	var err error
	if c.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	for _, p := range []*string{&c.work, &c.vitrine, &c.results} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	return c.all()
}

// all builds what is missing, runs the tasks, and writes the tables.
func (c *config) all() error {
	if err := os.MkdirAll(c.work, 0o755); err != nil {
		return err
	}
	sh := newShell(c)
	list := slices.DeleteFunc(tasks(), func(t task) bool { return !c.only.MatchString(t.id) })
	if slices.ContainsFunc(list, func(t task) bool { return !t.alone }) {
		if err := sh.prepare(); err != nil {
			return err
		}
	}
	rep := &report{c: c, began: time.Now(), facts: facts(sh)}
	for _, t := range list {
		r := t.run(sh, c.runs)
		rep.results = append(rep.results, r)
		fmt.Print(r.table())
		if err := rep.write(); err != nil {
			return err
		}
	}
	return nil
}

// facts are the machine and the versions.
func facts(sh *shell) []string {
	list := []string{
		fmt.Sprintf("%d processors, %s", runtime.NumCPU(), sh.line("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1")),
		"Linux " + sh.line("uname -r") + ", " + sh.line("awk '/MemTotal/{printf \"%.0f GiB\", $2/1048576}' /proc/meminfo") + " of memory",
		"vitrine " + sh.line("$V version | head -1") + ", " + runtime.Version(),
	}
	for _, v := range [][2]string{
		{"qemu-img", "qemu-img --version | head -1"}, {"qemu-storage-daemon", "qemu-storage-daemon --version | head -1"},
		{"ntfsclone", "ntfsclone --version 2>&1 | head -1"}, {"ntfs-3g", "ntfs-3g --version 2>&1 | head -1"},
		{"zstd", "zstd --version | grep -o 'v[0-9.]*' | head -1"}, {"fls", "fls -V"}, {"7z", "7z i | grep -m1 7-Zip"}, {"ntfsck", "ntfsck -V 2>&1 | head -1"}, {"partclone.ntfs", "partclone.ntfs -v 2>&1 | head -1"},
		{"nbdcopy", "nbdcopy --version | head -1"}, {"fio", "fio --version"}, {"b3sum", "b3sum --version"},
		{"restic", "restic version"}, {"borg", "borg --version"}, {"fsarchiver", "fsarchiver -V 2>&1 | head -1"},
	} {
		if sh.has(v[0]) {
			list = append(list, v[0]+": "+sh.line(v[1]))
		} else {
			list = append(list, v[0]+": not installed, not measured")
		}
	}
	return list
}

// median of a list that is not empty.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
