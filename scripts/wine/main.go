// Wine runs the tests of packages as Windows programs, under Wine, with the
// flags of "go test".
//
//	go run ./scripts/wine ./index ./reader
//	go run ./scripts/wine -run Names -v ./volume
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"vitrine/internal/wine"
)

func main() {
	err := test(context.Background(), os.Args[1:])
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wine:", err)
		os.Exit(1)
	}
}

func test(ctx context.Context, args []string) error {
	p, err := wine.Shared(ctx)
	if err != nil {
		return err
	}
	stop, err := p.Serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	overlay, err := wine.Overlay()
	if err != nil {
		return err
	}
	// Vetted before; -vet=off saves building everything twice.
	flags := []string{"test", "-vet=off", "-overlay", overlay, "-exec", wine.Loader()}
	c := exec.CommandContext(ctx, "go", append(flags, args...)...)
	c.Env = append(p.Env(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}
