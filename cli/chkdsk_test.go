package cli

import (
	"errors"
	"testing"
)

func TestChkdskVerdict(t *testing.T) {
	for code, want := range map[int]exitCode{0: exitDone, 1: exitDamage, 2: exitDone, 3: exitDamage, 5: exitFailed, -1: exitFailed} {
		said := false
		err := chkdskVerdict(code, false, func(string, ...any) { said = true })
		got := exitDone
		if p, ok := errors.AsType[*problem](err); ok {
			got = p.code
		}
		if got != want || said != (want == exitDone) {
			t.Errorf("%d: %d, want %d", code, got, want)
		}
	}
}
