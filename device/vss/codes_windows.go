package vss

// Codes that decide what is done next.
const (
	codeNotSupported  HResult = 0x8004230C // VSS_E_VOLUME_NOT_SUPPORTED
	codeNotByProvider HResult = 0x8004230E // VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER
	codeInProgress    HResult = 0x80042316 // VSS_E_SNAPSHOT_SET_IN_PROGRESS
	codeNotFound      HResult = 0x80042308 // VSS_E_OBJECT_NOT_FOUND
	codeTooLate       HResult = 0x80010119 // RPC_E_TOO_LATE: COM's security is set already
	asyncPending      HResult = 0x00042309 // VSS_S_ASYNC_PENDING
	asyncFinished     HResult = 0x0004230A // VSS_S_ASYNC_FINISHED
	asyncCancelled    HResult = 0x0004230B // VSS_S_ASYNC_CANCELLED
)

// unsupported reports a volume that is refused, while others may not be.
func (h HResult) unsupported() bool {
	return h == codeNotSupported || h == codeNotByProvider || h == codeNotFound
}

func step(name string, err error) error {
	if err == nil {
		return nil
	}
	return &StepError{name, err}
}
