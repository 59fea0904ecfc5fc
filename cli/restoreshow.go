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
	read   readPace
	places []workMark // written lately, in order
	next   int64      // bytes done at which the next trial is made
}

// readPace is how fast something is read that is being written. Rates are bytes
// a second.
type readPace struct {
	trial   float64 // the best of the trials
	written float64
	began   time.Time
}

// wrote is told how much has been written.
func (r *readPace) wrote(n int64) {
	if n <= 0 {
		return
	}
	if r.began.IsZero() {
		r.began = time.Now()
	}
	if d := time.Since(r.began); d > sureAfter {
		r.written = float64(n) / d.Seconds()
	}
}

func (r *readPace) tried(rate float64) { r.trial = max(r.trial, rate) }

// workMark is a place on the target and how much was done when it was written.
type workMark struct{ off, done int64 }

func newRestoreShow(m *meter, p *restore.Plan, target io.ReaderAt) *restoreShow {
	return &restoreShow{m: m, target: target, proof: p.Proof(), next: onItsWay + trialBytes}
}

var restoreWords = map[restore.Phase]string{
	restore.Prepare: "preparing", restore.Write: "writing", restore.Flush: "syncing", restore.Prove: "reading back", restore.Done: "done",
}

func (s *restoreShow) event(p restore.Progress) {
	word := restoreWords[p.Phase]
	switch {
	case s.phase == "":
		s.m.begin(word, p.Total)
		s.m.ahead(leg{bytes: s.proof})
	case p.Phase == restore.Prove && s.phase != p.Phase:
		s.m.step(word, s.pace())
	default:
		s.m.word(word)
	}
	s.phase = p.Phase
	s.m.at(p.Done, p.Total, "")
	if p.Phase == restore.Write && s.proof > 0 {
		s.look(p)
	}
}

// onItsWay is how much of what was written may not have reached the medium yet.
const onItsWay = 32 << 20

// look reads a little of what was written, if it is time to.
func (s *restoreShow) look(p restore.Progress) {
	if n := len(s.places); n == 0 || p.Done-s.places[n-1].done >= trialBytes {
		s.places = append(s.places, workMark{p.Off, p.Done})
	}
	for len(s.places) > 1 && s.places[1].done <= p.Done-onItsWay {
		s.places = s.places[1:]
	}
	s.read.wrote(p.Done)
	if p.Done >= s.next {
		s.next = 2 * p.Done
		there := io.NewSectionReader(s.target, s.places[0].off, trialBytes)
		s.read.tried(reading(there, there.Size()))
	}
	s.m.ahead(leg{bytes: s.proof, pace: s.pace()})
}

// pace is how fast reading back is expected to go. Writing stands in the way of
// the trials, but hardly a medium reads slower than it writes.
func (s *restoreShow) pace() float64 { return max(s.read.trial, s.read.written) }

// reading reads size bytes and gives the bytes a second; 0 when it cannot.
func reading(r io.ReaderAt, size int64) float64 {
	b := make([]byte, 1<<20)
	began := time.Now()
	for done := int64(0); done < size; {
		n, err := r.ReadAt(b[:min(int64(len(b)), size-done)], done)
		done += int64(n)
		if err != nil {
			return 0
		}
	}
	return float64(size) / max(time.Since(began).Seconds(), 1e-6)
}
