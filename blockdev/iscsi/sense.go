package iscsi

import (
	"errors"
	"fmt"

	"vitrine/blockdev"
)

// Sense keys, SPC-4 table 43.
const (
	keyNone      = 0x0
	keyMedium    = 0x3
	keyHardware  = 0x4
	keyIllegal   = 0x5
	keyAttention = 0x6
	keyProtect   = 0x7
	keyAborted   = 0xb
	keyMiscomp   = 0xe
)

// Additional sense codes with their qualifiers, SPC-4 annex F.
const (
	ascWriteError        = 0x0c00
	ascReadError         = 0x1100
	ascParameterLength   = 0x1a00
	ascMiscompare        = 0x1d00
	ascInvalidOpcode     = 0x2000
	ascLBARange          = 0x2100
	ascInvalidField      = 0x2400
	ascNoLUN             = 0x2500
	ascInvalidParameter  = 0x2600
	ascInvalidRelease    = 0x2604
	ascWriteProtected    = 0x2700
	ascSpaceAllocation   = 0x2707
	ascReset             = 0x2900
	ascModeChanged       = 0x2a01
	ascReservedPreempted = 0x2a03
	ascReservedReleased  = 0x2a04
	ascRegisteredPreempt = 0x2a05
	ascCommandsCleared   = 0x2f00
	ascSWP               = 0x2702
	ascDataCRC           = 0x4705 // protocol service CRC error
	ascRegistrationsFull = 0x5504
	ascSavingUnsupported = 0x3900
)

// senseError is a CHECK CONDITION.
type senseError struct {
	key   byte
	asc   uint16
	info  uint64 // an LBA or an offset, if valid
	valid bool
	field int // byte of the CDB or parameter list that is wrong, if hasField
	data  bool
	point bool
}

func (e *senseError) Error() string {
	return fmt.Sprintf("sense key %#x, code %#04x", e.key, e.asc)
}

// errConflict is a RESERVATION CONFLICT.
var errConflict = errors.New("reservation conflict")

func illegal(asc uint16) error { return &senseError{key: keyIllegal, asc: asc} }

// badCDB points at a byte of the CDB, badData at one of the parameter list.
func badCDB(byteNo int) error {
	return &senseError{key: keyIllegal, asc: ascInvalidField, field: byteNo, point: true}
}

func badData(byteNo int) error {
	return &senseError{key: keyIllegal, asc: ascInvalidParameter, field: byteNo, point: true, data: true}
}

// deviceError gives an error of the device its sense.
func deviceError(err error, lba uint64, writing bool) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, blockdev.ErrNoSpace):
		return &senseError{key: keyProtect, asc: ascSpaceAllocation}
	case errors.Is(err, blockdev.ErrReadOnly):
		return &senseError{key: keyProtect, asc: ascWriteProtected}
	case writing:
		return &senseError{key: keyMedium, asc: ascWriteError, info: lba, valid: true}
	}
	return &senseError{key: keyMedium, asc: ascReadError, info: lba, valid: true}
}

// encode makes sense data, SPC-4 4.5: fixed (18 bytes) or with descriptors.
func (e *senseError) encode(descriptors bool) []byte {
	if descriptors {
		return e.descriptors()
	}
	b := make([]byte, 18)
	b[0], b[2], b[7] = 0x70, e.key, 10
	if e.valid && e.info <= 0xffffffff {
		b[0] |= 0x80
		be.PutUint32(b[3:], uint32(e.info))
	}
	be.PutUint16(b[12:], e.asc)
	if e.point {
		copy(b[15:], e.pointer())
	}
	return b
}

func (e *senseError) descriptors() []byte {
	b := []byte{0x72, e.key, byte(e.asc >> 8), byte(e.asc), 0, 0, 0, 0}
	if e.valid {
		b = append(b, 0, 10, 0x80, 0)
		b = be.AppendUint64(b, e.info)
	}
	if e.point {
		b = append(b, 2, 6, 0, 0)
		b = append(b, e.pointer()...)
		b = append(b, 0)
	}
	b[7] = byte(len(b) - 8)
	return b
}

// pointer is the sense-key specific field: which byte is wrong.
func (e *senseError) pointer() []byte {
	flags := byte(0x80)
	if !e.data {
		flags |= 0x40
	}
	return []byte{flags, byte(e.field >> 8), byte(e.field)}
}
