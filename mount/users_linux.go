package mount

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxUsers is how many users of a mount are named.
const maxUsers = 8

// usersOf names who uses a mount: processes with a file or their folder in it,
// as far as this user may see them, and loop devices.
func usersOf(dir string) []string {
	var users []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		if len(users) >= maxUsers {
			return append(users, "…")
		}
		if uses(proc, dir) {
			users = append(users, processName(proc))
		}
	}
	return append(users, loopsOn(dir)...)
}

func uses(proc, dir string) bool {
	links := []string{proc + "/cwd", proc + "/root", proc + "/exe"}
	fds, _ := filepath.Glob(proc + "/fd/*")
	for _, link := range append(links, fds...) {
		if target, err := os.Readlink(link); err == nil && within(target, dir) {
			return true
		}
	}
	return false
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func processName(proc string) string {
	name, _ := os.ReadFile(proc + "/comm")
	return strings.TrimSpace(string(name)) + " (" + filepath.Base(proc) + ")"
}

func loopsOn(dir string) (loops []string) {
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && within(strings.TrimSpace(string(b)), dir) {
			loops = append(loops, "/dev/"+filepath.Base(filepath.Dir(filepath.Dir(f))))
		}
	}
	return loops
}

// startTime tells one process from a later one with the same number: the time it
// started, in clock ticks since boot (proc_pid_stat(5), field 22). Empty when
// there is no such process, or none any more but for its exit code.
func startTime(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	rest := string(b)[strings.LastIndex(string(b), ")")+1:] // behind the name, which may hold anything
	const state, threads, start = 0, 17, 19                 // fields 3, 20 and 22: rest begins with the third
	f := strings.Fields(rest)
	if len(f) <= start || f[state] == "Z" && f[threads] <= "1" {
		return "" // a dead process with more threads still has its files
	}
	return f[start]
}
