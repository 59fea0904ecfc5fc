package cli

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowly is a writer that tests look into while it is written to.
type slowly struct {
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
	err    error
}

func (s *slowly) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.writes++
	return s.b.Write(p)
}

func (s *slowly) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestSettling(t *testing.T) {
	both := &slowly{}
	s, settle := gather(&Streams{Out: both, Err: both})
	for range 10_000 {
		s.Out.Write([]byte("a line of a listing\n"))
	}
	s.Err.Write([]byte("error\n"))
	s.Out.Write(bytes.Repeat([]byte("x"), settleBytes+1))
	s.Out.Write([]byte("end\n"))
	settle()
	want := strings.Repeat("a line of a listing\n", 10_000) + "error\n" + strings.Repeat("x", settleBytes+1) + "end\n"
	if both.text() != want {
		t.Error("what was written came out changed, or in another order")
	}
	if both.writes > 10 {
		t.Errorf("%d writes", both.writes)
	}
}

// A line reaches whoever waits for it though nothing follows.
func TestSettlingAlone(t *testing.T) {
	out := &slowly{}
	s, _ := gather(&Streams{Out: out, Err: out})
	s.Out.Write([]byte("listening\n"))
	for out.text() == "" {
		time.Sleep(time.Millisecond)
	}
}

func TestSettlingFails(t *testing.T) {
	full := errors.New("full")
	s, settle := gather(&Streams{Out: &slowly{err: full}, Err: &slowly{}})
	s.Out.Write([]byte("lost\n"))
	if err := settle(); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Out.Write([]byte("more\n")); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}
