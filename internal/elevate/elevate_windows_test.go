package elevate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// outEnv names the file to which a program that was started again writes its
// arguments.
const outEnv = "VITRINE_ELEVATE_TEST"

func TestMain(m *testing.M) {
	if out := os.Getenv(outEnv); out != "" {
		dir, _ := os.Getwd()
		b, _ := json.Marshal(append(os.Args[1:], dir))
		os.WriteFile(out, b, 0o600)
		os.Exit(7)
	}
	os.Exit(m.Run())
}

// Arguments and the folder arrive as they are, and the exit code comes back.
func TestRestart(t *testing.T) {
	out := filepath.Join(t.TempDir(), "args")
	t.Setenv(outEnv, out)
	args := []string{"capture", `C:\with spaces\`, "ü 日本", `quote"d`, "", `\\.\X:`, "--comment=a b"}
	code, err := Restart(args)
	if code != 7 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	dir, _ := os.Getwd()
	if want := append(args, dir); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
