package cli

import (
	"vitrine/capture"
)

// captureShow shows the events of a capture. With a proof every byte counts
// twice: when it is taken, and when it has been read back.
type captureShow struct {
	m     *meter
	proof *forecast // nil: the image is not read back
	phase capture.Phase
	total int64  // bytes to take
	word  string // of the second half
}

var captureWords = map[capture.Phase]string{
	capture.PhasePlan: "planning", capture.PhaseRead: "capturing", capture.PhaseFinish: "finishing",
}

func (s *captureShow) event(ev capture.Event) {
	word := captureWords[ev.Phase]
	if word == "" { // reading back shows itself
		return
	}
	switch {
	case ev.Phase == s.phase:
	case ev.Phase == capture.PhaseFinish:
		s.m.word(word)
	default:
		s.total = ev.Total
		s.m.begin(word, s.all())
	}
	s.phase = ev.Phase
	s.m.at(ev.Done, s.all(), ev.Item)
	s.ahead(ev)
}

// all is the work of the whole capture, in bytes.
func (s *captureShow) all() int64 {
	if s.proof != nil {
		return 2 * s.total
	}
	return s.total
}

// ahead tells the meter how fast the second half is expected to go, and how far
// that can be relied on.
func (s *captureShow) ahead(ev capture.Event) {
	if s.proof == nil || s.total == 0 {
		return
	}
	half := leg{bytes: s.total, unsure: 1} // nothing is known of it
	if secs := s.proof.seconds(ev); secs > 0 {
		half.pace, half.unsure = float64(s.total)/secs, trialUnsure
	}
	s.m.lumpy(s.proof.lumps(ev))
	s.m.ahead(half)
}

// proving shows how much has been read back.
func (s *captureShow) proving(v verifyStep) {
	switch {
	case s.word == "":
		s.m.step(v.word, 0)
	case s.word != v.word:
		s.m.word(v.word)
	}
	s.word = v.word
	done := s.total
	if v.total > 0 {
		done += int64(float64(s.total) * float64(v.done) / float64(v.total))
	}
	s.m.at(done, s.all(), v.item)
}
