package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run the program in this process's binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"vitrine": func() { os.Exit(Main(os.Args[1:], OSStreams())) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
