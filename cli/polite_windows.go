package cli

import "golang.org/x/sys/windows"

// bePolite puts this process into background mode, which lowers its priority
// for processors, disks and memory.
func bePolite() {
	const processModeBackgroundBegin = 0x00100000
	windows.SetPriorityClass(windows.CurrentProcess(), processModeBackgroundBegin)
}
