package nbd

import (
	"context"
	"errors"

	"vitrine/blockdev"
)

// Numbers of doc/proto.md; all are sent in network byte order.
const (
	magicServer     = 0x4e42444d41474943 // NBDMAGIC
	magicOption     = 0x49484156454F5054 // IHAVEOPT
	magicOptReply   = 0x3e889045565a9
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef

	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1
)

// Options.
const (
	optExportName      = 1
	optAbort           = 2
	optList            = 3
	optStartTLS        = 5
	optInfo            = 6
	optGo              = 7
	optStructuredReply = 8
	optListMeta        = 9
	optSetMeta         = 10
)

// Replies to options.
const (
	repAck         = 1
	repServer      = 2
	repInfo        = 3
	repMetaContext = 4

	repErrUnsup    = 1<<31 + 1
	repErrPolicy   = 1<<31 + 2
	repErrInvalid  = 1<<31 + 3
	repErrTLSReqd  = 1<<31 + 5
	repErrUnknown  = 1<<31 + 6
	repErrShutdown = 1<<31 + 7
	repErrTooBig   = 1<<31 + 9
)

// Kinds of information about an export.
const (
	infoExport      = 0
	infoName        = 1
	infoDescription = 2
	infoBlockSize   = 3
)

// Transmission flags.
const (
	hasFlags     = 1 << 0
	readOnly     = 1 << 1
	sendFlush    = 1 << 2
	sendFUA      = 1 << 3
	sendTrim     = 1 << 5
	sendZeroes   = 1 << 6
	sendDF       = 1 << 7
	canMultiConn = 1 << 8
	sendCache    = 1 << 10
	sendFastZero = 1 << 11
)

// Commands and their flags.
const (
	cmdRead        = 0
	cmdWrite       = 1
	cmdDisc        = 2
	cmdFlush       = 3
	cmdTrim        = 4
	cmdCache       = 5
	cmdWriteZeroes = 6
	cmdBlockStatus = 7

	cmdFlagFUA      = 1 << 0
	cmdFlagNoHole   = 1 << 1
	cmdFlagDF       = 1 << 2
	cmdFlagReqOne   = 1 << 3
	cmdFlagFastZero = 1 << 4
)

// Structured replies.
const (
	chunkDone        = 1 << 0
	chunkNone        = 0
	chunkData        = 1
	chunkHole        = 2
	chunkBlockStatus = 5
	chunkError       = 1<<15 + 1
	chunkErrorOffset = 1<<15 + 2
)

// Metadata contexts: their names are their places here.
const (
	metaAllocation = "base:allocation"
	metaKind       = "vitrine:kind"

	stateHole = 1 << 0
	stateZero = 1 << 1
)

var metaContexts = []string{metaAllocation, metaKind}

// errno is an error number of the protocol.
type errno uint32

const (
	ePerm     errno = 1
	eIO       errno = 5
	eInval    errno = 22
	eNoSpc    errno = 28
	eNotSup   errno = 95
	eShutdown errno = 108
)

// errnoOf gives an error the number that a client understands.
func errnoOf(err error) errno {
	switch {
	case errors.Is(err, blockdev.ErrReadOnly):
		return ePerm
	case errors.Is(err, blockdev.ErrNoSpace):
		return eNoSpc
	case errors.Is(err, blockdev.ErrRange):
		return eInval
	case errors.Is(err, context.Canceled):
		return eShutdown
	}
	return eIO
}
