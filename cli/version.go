package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"vitrine/mount"
)

// Version is set by the linker (see the Makefile); without it the version is
// what Go knows of the sources.
var Version string

func version() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", GroupID: groupMore, Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if e.json {
				e.emit("version", map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
				return nil
			}
			_, err := fmt.Fprintf(e.Out, "vitrine %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if onWindows {
				fmt.Fprintf(e.Out, "Drives are mounted through %s\n", mount.WinFspNotice)
			}
			return err
		},
	}
}
