package mount

import (
	"golang.org/x/sys/unix"

	"vitrine/internal/mountinfo"
)

// alive says that a record's mount still exists; it marks one whose process was
// killed.
func alive(r *Record) bool {
	if r.Device != "" {
		return r.Start != "" && startTime(r.PID) == r.Start
	}
	m, ok := mountAt(r.Dir)
	if !ok || !ours(m) {
		return false
	}
	if r.Start != startTime(r.PID) {
		r.Dead = isDead(r.Dir)
		return r.Dead
	}
	return true
}

func isDead(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == unix.ENOTCONN
}

// addUnregistered adds the mounts that other users made.
func addUnregistered(list []Record) []Record {
	known := map[string]bool{}
	for _, r := range list {
		known[r.Dir] = true
	}
	all, _ := mountinfo.Read(mountinfo.Own)
	for _, m := range all {
		if ours(m) && !known[m.Dir] {
			known[m.Dir] = true
			list = append(list, Record{Dir: m.Dir, Image: m.Source})
		}
	}
	return list
}
