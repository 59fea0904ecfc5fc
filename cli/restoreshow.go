package cli

import (
	"io"
	"time"

	"vitrine/restore"
)

// restoreShow shows how far a restore is. Reading back goes at another pace
// than writing; trials on what is written already tell which.
type restoreShow struct {
	m      *meter
	target io.ReaderAt // what is on the medium
	proof  int64       // bytes that are read back
	phase  restore.Phase
	pace   float64     // of reading back, bytes a second; 0: not known
	next   int64       // bytes done at which the next trial is made
	places [2]workMark // that were written a while ago
	began  time.Time   // of writing
}

// workMark is a place on the target and how much was done when it was written.
type workMark struct{ off, done int64 }

func newRestoreShow(m *meter, p *restore.Plan, target io.ReaderAt) *restoreShow {
	return &restoreShow{m: m, target: target, proof: p.Proof(), next: settled}
}

var restoreWords = map[restore.Phase]string{
	restore.Prepare: "preparing", restore.Write: "writing", restore.Flush: "syncing", restore.Prove: "reading back", restore.Done: "done",
}

func (s *restoreShow) event(p restore.Progress) {
	word := restoreWords[p.Phase]
	switch {
	case s.phase == "":
		s.m.begin(word, p.Total)
		s.m.ahead(leg{s.proof, 0})
	case p.Phase == restore.Prove && s.phase != p.Phase:
		s.m.step(word, s.pace)
	default:
		s.m.word(word)
	}
	s.phase = p.Phase
	s.m.at(p.Done, p.Total, "")
	if p.Phase == restore.Write && s.proof > 0 {
		s.look(p)
	}
}

// settled is how much must have been written behind a place before it is
// certain to have left the system's memory, in bytes.
const settled = 32 << 20

// look reads a little of what was written, if it is time to.
func (s *restoreShow) look(p restore.Progress) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if p.Done-s.places[1].done >= settled {
		s.places[0], s.places[1] = s.places[1], workMark{p.Off, p.Done}
	}
	if p.Done < s.next || s.places[0].done == 0 {
		return
	}
	s.next = 2 * p.Done
	// Writing may be in the way, but reading is hardly ever slower than writing.
	written := float64(p.Done) / time.Since(s.began).Seconds()
	s.pace = max(reading(io.NewSectionReader(s.target, s.places[0].off, trialBytes), trialBytes), written)
	s.m.ahead(leg{s.proof, s.pace})
}
