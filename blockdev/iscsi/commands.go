package iscsi

// Operation codes of SCSI commands, SPC-4 and SBC-3.
const (
	cmdTestUnitReady  = 0x00
	cmdRequestSense   = 0x03
	cmdRead6          = 0x08
	cmdWrite6         = 0x0a
	cmdInquiry        = 0x12
	cmdModeSelect6    = 0x15
	cmdReserve6       = 0x16
	cmdRelease6       = 0x17
	cmdModeSense6     = 0x1a
	cmdStartStop      = 0x1b
	cmdSendDiagnostic = 0x1d
	cmdPreventRemoval = 0x1e
	cmdReadCapacity10 = 0x25
	cmdRead10         = 0x28
	cmdWrite10        = 0x2a
	cmdWriteVerify10  = 0x2e
	cmdVerify10       = 0x2f
	cmdPrefetch10     = 0x34
	cmdSync10         = 0x35
	cmdReadDefects10  = 0x37
	cmdWriteSame10    = 0x41
	cmdUnmap          = 0x42
	cmdModeSelect10   = 0x55
	cmdModeSense10    = 0x5a
	cmdReserveIn      = 0x5e
	cmdReserveOut     = 0x5f
	cmdRead16         = 0x88
	cmdCompareWrite   = 0x89
	cmdWrite16        = 0x8a
	cmdOrWrite        = 0x8b
	cmdWriteVerify16  = 0x8e
	cmdVerify16       = 0x8f
	cmdPrefetch16     = 0x90
	cmdSync16         = 0x91
	cmdWriteSame16    = 0x93
	cmdServiceIn16    = 0x9e
	cmdReportLUNs     = 0xa0
	cmdMaintenanceIn  = 0xa3
	cmdRead12         = 0xa8
	cmdWrite12        = 0xaa
	cmdWriteVerify12  = 0xae
	cmdVerify12       = 0xaf
	cmdReadDefects12  = 0xb7

	anyAction = -1
)

// How a command gets along with reservations, SPC-4 table 48 and SBC-3 table 13.
type access byte

const (
	always  access = iota // runs whatever is reserved
	reading               // conflicts with exclusive access
	writing               // conflicts with any reservation of others
	inside                // looks after reservations by itself
)

// command is one entry of the table that runs commands and that REPORT
// SUPPORTED OPERATION CODES shows.
type command struct {
	op     byte
	action int    // service action, or anyAction
	mask   string // bits of the CDB that are looked at, as bytes
	access access
	run    func(t *task) error
}

const (
	x4 = "\xff\xff\xff\xff"
	x8 = x4 + x4
)

var commands []command

func init() {
	commands = []command{
		{cmdTestUnitReady, anyAction, "\x00\x00\x00\x00\x00\x07", always, func(*task) error { return nil }},
		{cmdRequestSense, anyAction, "\x03\x01\x00\x00\xff\x07", always, (*task).requestSense},
		{cmdRead6, anyAction, "\x08\x1f\xff\xff\xff\x07", reading, (*task).read},
		{cmdWrite6, anyAction, "\x0a\x1f\xff\xff\xff\x07", writing, (*task).write},
		{cmdInquiry, anyAction, "\x12\x01\xff\xff\xff\x07", always, (*task).inquiry},
		{cmdModeSelect6, anyAction, "\x15\x11\x00\x00\xff\x07", writing, (*task).modeSelect},
		{cmdReserve6, anyAction, "\x16\x00\x00\x00\x00\x07", inside, (*task).reserve6},
		{cmdRelease6, anyAction, "\x17\x00\x00\x00\x00\x07", inside, (*task).release6},
		{cmdModeSense6, anyAction, "\x1a\x08\xff\xff\xff\x07", reading, (*task).modeSense},
		{cmdStartStop, anyAction, "\x1b\x01\x00\x0f\xf7\x07", writing, func(*task) error { return nil }},
		{cmdSendDiagnostic, anyAction, "\x1d\x04\x00\x00\x00\x07", writing, (*task).selfTest},
		{cmdPreventRemoval, anyAction, "\x1e\x00\x00\x00\x03\x07", writing, func(*task) error { return nil }},
		{cmdReadCapacity10, anyAction, "\x25\x00" + x4 + "\x00\x00\x01\x07", always, (*task).readCapacity10},
		{cmdRead10, anyAction, "\x28\xf8" + x4 + "\x1f\xff\xff\x07", reading, (*task).read},
		{cmdWrite10, anyAction, "\x2a\xf8" + x4 + "\x1f\xff\xff\x07", writing, (*task).write},
		{cmdWriteVerify10, anyAction, "\x2e\xf6" + x4 + "\x1f\xff\xff\x07", writing, (*task).write},
		{cmdVerify10, anyAction, "\x2f\xf6" + x4 + "\x1f\xff\xff\x07", reading, (*task).verify},
		{cmdPrefetch10, anyAction, "\x34\x02" + x4 + "\x1f\xff\xff\x07", reading, (*task).prefetch},
		{cmdSync10, anyAction, "\x35\x06" + x4 + "\x1f\xff\xff\x07", writing, (*task).sync},
		{cmdReadDefects10, anyAction, "\x37\x00\x1f\x00\x00\x00\x00\xff\xff\x07", reading, (*task).readDefects},
		{cmdWriteSame10, anyAction, "\x41\xf8" + x4 + "\x1f\xff\xff\x07", writing, (*task).writeSame},
		{cmdUnmap, anyAction, "\x42\x01\x00\x00\x00\x00\x1f\xff\xff\x07", writing, (*task).unmap},
		{cmdModeSelect10, anyAction, "\x55\x11\x00\x00\x00\x00\x00\xff\xff\x07", writing, (*task).modeSelect},
		{cmdModeSense10, anyAction, "\x5a\x18\xff\xff\x00\x00\x00\xff\xff\x07", reading, (*task).modeSense},
		{cmdReserveIn, prReadKeys, "\x5e\x1f\x00\x00\x00\x00\x00\xff\xff\x07", inside, (*task).reserveIn},
		{cmdReserveIn, prReadReservation, "\x5e\x1f\x00\x00\x00\x00\x00\xff\xff\x07", inside, (*task).reserveIn},
		{cmdReserveIn, prCapabilities, "\x5e\x1f\x00\x00\x00\x00\x00\xff\xff\x07", inside, (*task).reserveIn},
		{cmdReserveIn, prFullStatus, "\x5e\x1f\x00\x00\x00\x00\x00\xff\xff\x07", inside, (*task).reserveIn},
		{cmdReserveOut, prRegister, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prReserve, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prRelease, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prClear, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prPreempt, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prPreemptAbort, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdReserveOut, prRegisterIgnore, "\x5f\x1f\xff\x00\x00" + x4 + "\x07", inside, (*task).reserveOut},
		{cmdRead16, anyAction, "\x88\xf8" + x8 + x4 + "\x1f\x07", reading, (*task).read},
		{cmdCompareWrite, anyAction, "\x89\xf8" + x8 + "\x00\x00\x00\xff\x1f\x07", writing, (*task).compareAndWrite},
		{cmdWrite16, anyAction, "\x8a\xf8" + x8 + x4 + "\x1f\x07", writing, (*task).write},
		{cmdOrWrite, anyAction, "\x8b\xf8" + x8 + x4 + "\x1f\x07", writing, (*task).orWrite},
		{cmdWriteVerify16, anyAction, "\x8e\xf6" + x8 + x4 + "\x1f\x07", writing, (*task).write},
		{cmdVerify16, anyAction, "\x8f\xf6" + x8 + x4 + "\x1f\x07", reading, (*task).verify},
		{cmdPrefetch16, anyAction, "\x90\x02" + x8 + x4 + "\x1f\x07", reading, (*task).prefetch},
		{cmdSync16, anyAction, "\x91\x06" + x8 + x4 + "\x1f\x07", writing, (*task).sync},
		{cmdWriteSame16, anyAction, "\x93\xf9" + x8 + x4 + "\x1f\x07", writing, (*task).writeSame},
		{cmdServiceIn16, actReadCapacity16, "\x9e\x1f" + x8 + x4 + "\x01\x07", always, (*task).readCapacity16},
		{cmdServiceIn16, actLBAStatus, "\x9e\x1f" + x8 + x4 + "\x00\x07", reading, (*task).lbaStatus},
		{cmdReportLUNs, anyAction, "\xa0\x00\xff\x00\x00\x00" + x4 + "\x00\x07", always, (*task).reportLUNs},
		{cmdMaintenanceIn, actOpcodes, "\xa3\x1f\x87\xff\xff\xff" + x4 + "\x00\x07", always, (*task).reportOpcodes},
		{cmdMaintenanceIn, actFunctions, "\xa3\x1f\x80\x00\x00\x00" + x4 + "\x00\x07", always, (*task).reportFunctions},
		{cmdRead12, anyAction, "\xa8\xf8" + x4 + x4 + "\x1f\x07", reading, (*task).read},
		{cmdWrite12, anyAction, "\xaa\xf8" + x4 + x4 + "\x1f\x07", writing, (*task).write},
		{cmdWriteVerify12, anyAction, "\xae\xf6" + x4 + x4 + "\x1f\x07", writing, (*task).write},
		{cmdVerify12, anyAction, "\xaf\xf6" + x4 + x4 + "\x1f\x07", reading, (*task).verify},
		{cmdReadDefects12, anyAction, "\xb7\x1f\x00\x00\x00\x00" + x4 + "\x00\x07", reading, (*task).readDefects},
	}
}

// Service actions.
const (
	actReadCapacity16 = 0x10
	actLBAStatus      = 0x12
	actOpcodes        = 0x0c
	actFunctions      = 0x0d
)

// find returns the command of a CDB. The error tells whether the operation
// code is unknown or only its service action.
func find(cdb []byte) (*command, error) {
	known := false
	for i := range commands {
		c := &commands[i]
		if c.op != cdb[0] {
			continue
		}
		known = true
		if c.action == anyAction || c.action == int(cdb[1]&0x1f) {
			return c, nil
		}
	}
	if known {
		return nil, badCDB(1)
	}
	return nil, illegal(ascInvalidOpcode)
}

// execute runs the command. A nil error is the status GOOD.
func (t *task) execute() error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	op := t.cdb[0]
	if t.lun == nil && op != cmdInquiry && op != cmdReportLUNs && op != cmdRequestSense {
		return illegal(ascNoLUN)
	}
	if err := t.attend(); err != nil {
		return err
	}
	c, err := find(t.cdb[:])
	if err != nil {
		return err
	}
	if err := t.allowed(c.access); err != nil {
		return err
	}
	if n := len(c.mask); t.cdb[n-1]&0x04 != 0 { // NACA
		return badCDB(n - 1)
	}
	return c.run(t)
}

// attend reports a unit attention, but to the commands that must run anyway.
func (t *task) attend() error {
	switch t.cdb[0] {
	case cmdInquiry, cmdReportLUNs, cmdRequestSense:
		return nil
	}
	if asc, ok := t.lun.unit.takeAttention(t.c); ok {
		return &senseError{key: keyAttention, asc: asc}
	}
	return nil
}
