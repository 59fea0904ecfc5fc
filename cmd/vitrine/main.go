// Command vitrine images disks and partitions and lets people back into the
// images at once.
package main

import (
	"os"

	"vitrine/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.OSStreams())) }
