package cli

import "golang.org/x/sys/windows"

// bePolite lowers this process's priority for processors. That for the disk goes
// with the source; background mode would also take nearly all memory away.
func bePolite() {
	windows.SetPriorityClass(windows.CurrentProcess(), windows.BELOW_NORMAL_PRIORITY_CLASS)
}
