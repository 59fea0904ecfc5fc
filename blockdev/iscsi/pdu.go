package iscsi

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var be = binary.BigEndian

// errProtocol marks an initiator that does not speak the protocol.
var errProtocol = errors.New("protocol violation")

// Operation codes, RFC 7143 section 11.2.1.2.
const (
	opNopOut      = 0x00
	opCommand     = 0x01
	opTaskMgmt    = 0x02
	opLogin       = 0x03
	opText        = 0x04
	opDataOut     = 0x05
	opLogout      = 0x06
	opNopIn       = 0x20
	opResponse    = 0x21
	opTaskMgmtRsp = 0x22
	opLoginRsp    = 0x23
	opTextRsp     = 0x24
	opDataIn      = 0x25
	opLogoutRsp   = 0x26
	opR2T         = 0x31
	opReject      = 0x3f

	opImmediate = 0x40
	opMask      = 0x3f
)

// Flags of byte 1.
const (
	flagFinal    = 0x80
	flagContinue = 0x40 // text and login
	flagRead     = 0x40 // command
	flagWrite    = 0x20
	flagStatus   = 0x01 // Data-In
	flagOverflow = 0x04 // response, Data-In
	flagUnder    = 0x02

	noTag = 0xffffffff
)

// Reasons of a Reject, section 11.17.1.
const (
	rejectProtocol    = 0x04
	rejectUnsupported = 0x05
	rejectImmediate   = 0x06
	rejectField       = 0x09
)

const (
	bhsLen = 48
	maxAHS = 80 // words: more than the longest CDB
)

// pdu is one protocol data unit. The header's fields, section 11.2:
//
//	off len field
//	  0   1 opcode; 0x40: immediate
//	  1   1 flags
//	  4   1 length of the additional header, in words
//	  5   3 length of the data, in bytes
//	  8   8 LUN
//	 16   4 initiator task tag
//	 20  28 of the opcode
type pdu struct {
	bhs  [bhsLen]byte
	data []byte
}

func (p *pdu) op() byte              { return p.bhs[0] & opMask }
func (p *pdu) immediate() bool       { return p.bhs[0]&opImmediate != 0 }
func (p *pdu) flags() byte           { return p.bhs[1] }
func (p *pdu) lun() uint64           { return be.Uint64(p.bhs[8:]) }
func (p *pdu) itt() uint32           { return be.Uint32(p.bhs[16:]) }
func (p *pdu) u32(off int) uint32    { return be.Uint32(p.bhs[off:]) }
func (p *pdu) set(off int, v uint32) { be.PutUint32(p.bhs[off:], v) }

// newPDU makes a PDU towards the initiator.
func newPDU(op, flags byte, itt uint32) *pdu {
	p := &pdu{}
	p.bhs[0], p.bhs[1] = op, flags
	p.set(16, itt)
	return p
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digests says which checksums a connection uses.
type digests struct{ header, data bool }

// readPDU reads one PDU whose data is at most max bytes long.
func readPDU(r *bufio.Reader, d digests, max int) (*pdu, error) {
	p := &pdu{}
	if _, err := io.ReadFull(r, p.bhs[:]); err != nil {
		return nil, err
	}
	head := p.bhs[:]
	if p.bhs[4] > maxAHS {
		return nil, fmt.Errorf("%w: %d words of additional header", errProtocol, p.bhs[4])
	}
	if n := int(p.bhs[4]) * 4; n > 0 { // additional headers: long CDBs, which we have not
		head = append(head[:bhsLen:bhsLen], make([]byte, n)...)
		if _, err := io.ReadFull(r, head[bhsLen:]); err != nil {
			return nil, err
		}
	}
	if err := checkDigest(r, d.header, head); err != nil {
		return nil, err
	}
	n := int(be.Uint32(p.bhs[4:]) & 0xffffff)
	if n > max {
		return nil, fmt.Errorf("%w: %d bytes of data in a PDU", errProtocol, n)
	}
	return p, p.readData(r, d.data, n)
}

func (p *pdu) readData(r *bufio.Reader, digest bool, n int) error {
	if n == 0 {
		return nil
	}
	b := make([]byte, (n+3)&^3)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	p.data = b[:n]
	return checkDigest(r, digest, b)
}

// checkDigest reads the CRC-32C that follows b. At error recovery level 0 a
// wrong one ends the connection.
func checkDigest(r *bufio.Reader, on bool, b []byte) error {
	if !on {
		return nil
	}
	var sum [4]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum[:]) != crc32.Checksum(b, castagnoli) {
		return fmt.Errorf("%w: wrong digest", errProtocol)
	}
	return nil
}

// encode returns the PDU as the pieces to be sent one after the other.
func (p *pdu) encode(d digests) [][]byte {
	n := len(p.data)
	p.bhs[5], p.bhs[6], p.bhs[7] = byte(n>>16), byte(n>>8), byte(n)
	head := p.bhs[:]
	if d.header {
		head = binary.LittleEndian.AppendUint32(head[:bhsLen:bhsLen], crc32.Checksum(head, castagnoli))
	}
	if n == 0 {
		return [][]byte{head}
	}
	tail := make([]byte, -n&3, 8)
	if d.data {
		sum := crc32.Update(crc32.Checksum(p.data, castagnoli), castagnoli, tail)
		tail = binary.LittleEndian.AppendUint32(tail, sum)
	}
	if len(tail) == 0 {
		return [][]byte{head, p.data}
	}
	return [][]byte{head, p.data, tail}
}
