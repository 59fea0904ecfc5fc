package vss

import (
	"errors"
	"fmt"
)

// ErrNone says that no volume of a set can have a shadow copy.
var ErrNone = errors.New("none of the volumes can have a shadow copy")

// ErrTimeout says that the service, or an application, did not answer in time.
var ErrTimeout = errors.New("no answer in time")

// HResult is a code of COM and of the service.
type HResult uint32

var texts = map[HResult]string{
	0x80004001: "this system has no volume shadow copies",
	0x80070005: "it takes the rights of an administrator",
	0x8007000E: "out of memory",
	0x80042301: "the service is in another state than expected",
	0x80042302: "the service failed; the event log says more",
	0x80042306: "the provider of shadow copies refused",
	0x80042308: "there is no such volume or copy",
	0x8004230C: "this volume cannot have a shadow copy",
	0x8004230E: "this volume cannot have a shadow copy",
	0x8004230F: "the provider of shadow copies failed; the event log says more",
	0x80042312: "too many volumes for one set",
	0x80042313: "the file systems did not come to rest in time",
	0x80042314: "the volumes could not be held at rest long enough; try when there is less to do",
	0x80042316: "another program is making a shadow copy",
	0x80042317: "the volume has as many shadow copies as it can have",
	0x80042318: "the applications that take part could not be asked",
	0x8004231D: "the volume is in use by another shadow copy",
	0x8004231F: "there is no room for the shadow copy; free some space on the volume",
	0x80042327: "the system must be started anew first",
}

func (h HResult) Error() string {
	text, ok := texts[h]
	if !ok {
		text = "failed"
	}
	return fmt.Sprintf("%s (0x%08X)", text, uint32(h))
}

// StepError says at which step the service refused.
type StepError struct {
	Step string // the method, as Microsoft calls it
	Err  error  // an [HResult], [ErrTimeout], or the context's
}

func (e *StepError) Error() string { return fmt.Sprintf("shadow copy: %s: %v", e.Step, e.Err) }

func (e *StepError) Unwrap() error { return e.Err }
