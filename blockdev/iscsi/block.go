package iscsi

import (
	"bytes"
	"sync"

	"vitrine/blockdev"
)

// The commands of SBC-3.

// Limits that the block limits page announces.
const (
	maxSame        = 1 << 22 // blocks of one WRITE SAME
	maxUnmapBlocks = 1 << 20
	maxUnmapRanges = 256
	maxCompare     = 255      // blocks of one COMPARE AND WRITE
	maxPrefetch    = 32 << 20 // bytes that are really read
	maxStatuses    = 1024     // descriptors of GET LBA STATUS
)

// span is the LBA and the number of blocks in a CDB.
func (t *task) span() (lba, n uint64) {
	c := t.cdb[:]
	switch c[0] >> 5 {
	case 0:
		n = uint64(c[4])
		if n == 0 {
			n = 256
		}
		return uint64(be.Uint32(c)) & 0x1fffff, n
	case 1, 2:
		return uint64(be.Uint32(c[2:])), uint64(be.Uint16(c[7:]))
	case 5:
		return uint64(be.Uint32(c[2:])), uint64(be.Uint32(c[6:]))
	}
	return be.Uint64(c[2:]), uint64(be.Uint32(c[10:]))
}

// checked returns the span in bytes if it lies inside the disk.
func (t *task) checked(lba, n uint64) (off, length int64, err error) {
	u := &t.lun.unit
	if lba >= u.blocks && (n > 0 || lba > u.blocks) || n > u.blocks-lba {
		return 0, 0, illegal(ascLBARange)
	}
	return int64(lba) * int64(u.sector), int64(n) * int64(u.sector), nil
}

// limit is how many bytes the command may move: what must be in memory at once
// is bounded, what is streamed need not be.
func (t *task) limit() int {
	switch t.cdb[0] {
	case cmdOrWrite, cmdVerify10, cmdVerify12, cmdVerify16:
		return maxHeld
	}
	return maxTransfer
}

// transfer is checked for commands that move the blocks: those have a length
// limit, and no protection information.
func (t *task) transfer() (off int64, n int, err error) {
	lba, blocks := t.span()
	if t.cdb[0]>>5 != 0 && t.cdb[1]>>5 != 0 { // RDPROTECT, WRPROTECT, VRPROTECT
		return 0, 0, badCDB(1)
	}
	off, length, err := t.checked(lba, blocks)
	if err == nil && length > int64(t.limit()) {
		err = badCDB(10)
	}
	return off, int(length), err
}

func (t *task) lba(off int64) uint64 { return uint64(off) / uint64(t.lun.unit.sector) }

var pieces = sync.Pool{New: func() any { b := make([]byte, maxPiece); return &b }}

// piece borrows n bytes, at most maxPiece, until the task ends.
func (t *task) piece(n int) ([]byte, error) {
	if err := t.hold(roomSize(n)); err != nil {
		return nil, err
	}
	return t.room(n), nil
}

// read, SBC-3 5.9 to 5.12. The initiator gets no more than it expects.
func (t *task) read() error {
	off, n, err := t.transfer()
	if err != nil {
		return err
	}
	t.wanted = n
	if !t.reads || n == 0 {
		return nil
	}
	end := off + int64(min(n, t.expected))
	buf, err := t.piece(int(min(end-off, maxPiece)))
	for ; off < end && err == nil; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), end-off)]
		if err = t.load(buf, off); err == nil {
			err = t.sendData(buf)
		}
	}
	return err
}

// load reads the device. On an error it finds the first block that fails.
func (t *task) load(p []byte, off int64) error {
	u := &t.lun.unit
	err := blockdev.ReadFull(t.ctx, u.dev, p, off)
	if err == nil || t.ctx.Err() != nil {
		return err
	}
	for at := 0; at < len(p); at += u.sector {
		if e := blockdev.ReadFull(t.ctx, u.dev, p[at:min(len(p), at+u.sector)], off+int64(at)); e != nil {
			return deviceError(e, t.lba(off+int64(at)), false)
		}
	}
	return nil // it was a passing trouble
}

// store writes the device, and makes it durable if FUA is set.
func (t *task) store(p []byte, off int64) error {
	u := &t.lun.unit
	if _, err := u.writable.WriteAtContext(t.ctx, p, off); err != nil {
		return deviceError(err, t.lba(off), true)
	}
	return t.durable(off, t.cdb[0]>>5 != 0 && t.cdb[1]&0x08 != 0)
}

func (t *task) durable(off int64, fua bool) error {
	if !fua {
		return nil
	}
	return deviceError(t.lun.unit.writable.Flush(t.ctx), t.lba(off), true)
}

// write, SBC-3 5.32 to 5.38: WRITE and WRITE AND VERIFY. Data that the
// initiator does not have is not written.
func (t *task) write() error {
	off, n, err := t.transfer()
	if err != nil {
		return err
	}
	u := &t.lun.unit
	if err := u.protected(); err != nil {
		return err
	}
	return t.stream(n, maxPiece, 0, func(b []byte, at int) error {
		u.atomic.RLock()
		defer u.atomic.RUnlock()
		return t.store(b[:len(b)/u.sector*u.sector], off+int64(at))
	})
}

// compareAndWrite, SBC-3 5.3.
func (t *task) compareAndWrite() error {
	lba, n := be.Uint64(t.cdb[2:]), uint64(t.cdb[13])
	if t.cdb[1]>>5 != 0 {
		return badCDB(1)
	}
	off, length, err := t.checked(lba, n)
	if err != nil {
		return err
	}
	u := &t.lun.unit
	if err := u.protected(); err != nil {
		return err
	}
	if int64(t.expected) != 2*length { // half a pair must not be compared
		return badCDB(13)
	}
	if length == 0 {
		return nil
	}
	b, err := t.receive(int(2*length), int(length))
	if err != nil || int64(len(b)) < 2*length {
		return err
	}
	u.atomic.Lock()
	defer u.atomic.Unlock()
	if err := t.compare(b[:length], off); err != nil {
		return err
	}
	return t.store(b[length:], off)
}

// compare reads and tells where the first difference is.
func (t *task) compare(want []byte, off int64) error {
	have := make([]byte, len(want))
	if err := t.load(have, off); err != nil {
		return err
	}
	for i := range want {
		if want[i] != have[i] {
			return &senseError{key: keyMiscomp, asc: ascMiscompare, info: uint64(i), valid: true}
		}
	}
	return nil
}

// orWrite, SBC-3 5.7.
func (t *task) orWrite() error {
	off, n, err := t.transfer()
	if err != nil {
		return err
	}
	u := &t.lun.unit
	if err := u.protected(); err != nil {
		return err
	}
	b, err := t.receive(n, n)
	if err != nil {
		return err
	}
	b = b[:len(b)/u.sector*u.sector]
	u.atomic.Lock()
	defer u.atomic.Unlock()
	have := make([]byte, len(b))
	if err := t.load(have, off); err != nil {
		return err
	}
	for i := range b {
		b[i] |= have[i]
	}
	return t.store(b, off)
}

// verify, SBC-3 5.25 to 5.28. Without BYTCHK the blocks are read and nothing
// else, with 1 compared with as many, with 3 each with one.
func (t *task) verify() error {
	check := t.cdb[1] >> 1 & 3
	lba, n := t.span()
	off, length, err := t.checked(lba, n)
	switch {
	case err != nil:
		return err
	case t.cdb[1]>>5 != 0 || check == 2, check == 1 && length > int64(t.limit()):
		return badCDB(1)
	case check == 0:
		return t.scan(off, length)
	case length == 0:
		return nil
	}
	unit := int(length)
	if check == 3 {
		unit = t.lun.unit.sector
	}
	want, err := t.receive(unit, unit)
	if err != nil || len(want) < unit {
		return err
	}
	return t.verifyAgainst(want, off, length)
}

func (t *task) verifyAgainst(want []byte, off, length int64) error {
	for end := off + length; off < end; off += int64(len(want)) {
		if err := t.compare(want, off); err != nil {
			return err
		}
	}
	return nil
}

// scan reads without giving anything to the initiator.
func (t *task) scan(off, length int64) error {
	if length == 0 {
		return nil
	}
	buf, err := t.piece(int(min(length, maxPiece)))
	for end := off + length; off < end && err == nil; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), end-off)]
		err = t.load(buf, off)
	}
	return err
}

// prefetch, SBC-3 5.6. No blocks means all up to the end.
func (t *task) prefetch() error {
	lba, n := t.span()
	off, length, err := t.checked(lba, n)
	if err != nil {
		return err
	}
	return t.scan(off, min(length, maxPrefetch))
}

// sync, SBC-3 5.22: all is flushed, whatever the range.
func (t *task) sync() error {
	lba, n := t.span()
	if _, _, err := t.checked(lba, n); err != nil {
		return err
	}
	w := t.lun.unit.writable
	if w == nil {
		return nil
	}
	return deviceError(w.Flush(t.ctx), lba, true)
}

// writeSame, SBC-3 5.39 and 5.40. Zeros cost no space; as holes if unmapping
// was asked for.
func (t *task) writeSame() error {
	u := &t.lun.unit
	flags := t.cdb[1]
	lba, n := t.span()
	bare := t.cdb[0] == cmdWriteSame16 && flags&0x01 != 0 // NDOB
	if flags>>5 != 0 || flags&0x10 != 0 {
		return badCDB(1) // protection; anchoring
	}
	off, length, err := t.checked(lba, n)
	if err != nil {
		return err
	}
	if err := u.protected(); err != nil {
		return err
	}
	if n == 0 || n > maxSame || !bare && t.expected != u.sector {
		return badCDB(10)
	}
	block := make([]byte, u.sector)
	if !bare {
		if block, err = t.receive(u.sector, int(min(length, maxPiece))); err != nil || len(block) < u.sector {
			return err
		}
	}
	u.atomic.RLock()
	defer u.atomic.RUnlock()
	return t.fill(block, off, length, flags&0x08 != 0)
}

func (t *task) fill(block []byte, off, length int64, hole bool) error {
	w := t.lun.unit.writable
	if len(bytes.Trim(block, "\x00")) == 0 {
		return deviceError(w.ZeroRange(t.ctx, off, length, hole), t.lba(off), true)
	}
	piece := bytes.Repeat(block, int(min(length, maxPiece))/len(block))
	for end := off + length; off < end; off += int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), end-off)]
		if _, err := w.WriteAtContext(t.ctx, piece, off); err != nil {
			return deviceError(err, t.lba(off), true)
		}
	}
	return nil
}

// unmap, SBC-3 5.23: all ranges are checked before the first is trimmed.
func (t *task) unmap() error {
	n := int(be.Uint16(t.cdb[7:]))
	if t.cdb[1]&1 != 0 { // anchoring
		return badCDB(1)
	}
	if err := t.lun.unit.protected(); err != nil || n == 0 {
		return err
	}
	b, err := t.receive(n, 0)
	if err != nil {
		return err
	}
	ranges, err := t.unmapRanges(b)
	if err != nil {
		return err
	}
	u := &t.lun.unit
	u.atomic.RLock()
	defer u.atomic.RUnlock()
	for _, r := range ranges {
		if err := u.writable.ZeroRange(t.ctx, r[0], r[1], true); err != nil {
			return deviceError(err, t.lba(r[0]), true)
		}
	}
	return nil
}

func (t *task) unmapRanges(b []byte) (ranges [][2]int64, err error) {
	if len(b) < 8 {
		return nil, illegal(ascParameterLength)
	}
	list := b[8:]
	list = list[:min(len(list), int(be.Uint16(b[2:])))]
	var total uint64
	for ; len(list) >= 16; list = list[16:] {
		lba, n := be.Uint64(list), uint64(be.Uint32(list[8:]))
		off, length, err := t.checked(lba, n)
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, [2]int64{off, length})
		total += n
	}
	if len(ranges) > maxUnmapRanges || total > maxUnmapBlocks {
		return nil, badData(8)
	}
	return ranges, nil
}

// readCapacity10, SBC-3 5.13.
func (t *task) readCapacity10() error {
	u := &t.lun.unit
	if t.cdb[8]&1 == 0 && be.Uint32(t.cdb[2:]) != 0 {
		return badCDB(2)
	}
	b := be.AppendUint32(nil, uint32(min(u.blocks-1, 0xffffffff)))
	return t.give(be.AppendUint32(b, uint32(u.sector)), 8)
}

// readCapacity16, SBC-3 5.14.
func (t *task) readCapacity16() error {
	u := &t.lun.unit
	b := make([]byte, 32)
	be.PutUint64(b, u.blocks-1)
	be.PutUint32(b[8:], uint32(u.sector))
	if u.writable != nil {
		b[14] = 0xc0 // LBPME, LBPRZ
	}
	return t.give(b, int(be.Uint32(t.cdb[10:])))
}

// lbaStatus, SBC-3 5.4: mapped or deallocated.
func (t *task) lbaStatus() error {
	u := &t.lun.unit
	lba := be.Uint64(t.cdb[2:])
	allocation := int(be.Uint32(t.cdb[10:]))
	if lba >= u.blocks {
		return illegal(ascLBARange)
	}
	limit := min(maxStatuses, max(1, (allocation-8)/16))
	b, err := u.statuses(t, lba, limit)
	if err != nil {
		return deviceError(err, lba, false)
	}
	return t.give(b, allocation)
}

const maxStatusBlocks = 1 << 31 // that one answer looks at

// statuses lists ranges of blocks that are alike; a block that is a hole only
// in part is mapped.
func (u *unit) statuses(t *task, lba uint64, limit int) ([]byte, error) {
	sector := int64(u.sector)
	b := make([]byte, 8)
	at := int64(lba)
	end := int64(min(u.blocks, lba+maxStatusBlocks))
	put := func(to int64, hole bool) {
		b = be.AppendUint64(b, uint64(at))
		b = be.AppendUint32(b, uint32(to-at))
		b = append(b, 0, 0, 0, 0)
		if hole {
			b[len(b)-4] = 1
		}
		at = to
	}
	err := u.dev.Extents(t.ctx, at*sector, (end-at)*sector, func(off, n int64, k blockdev.Kind) bool {
		first, last := (off+sector-1)/sector, (off+n)/sector
		if !k.ReadsZero() || last <= first {
			return true
		}
		if first > at {
			put(first, false)
		}
		if len(b) < 8+16*limit {
			put(last, true)
		}
		return len(b) < 8+16*limit
	})
	if len(b) < 8+16*limit && at < end {
		put(end, false)
	}
	be.PutUint32(b, uint32(len(b)-4))
	return b, err
}

// readDefects, SBC-3 5.16: there are none.
func (t *task) readDefects() error {
	if t.cdb[0] == cmdReadDefects12 {
		return t.give([]byte{0, t.cdb[1] & 0x1f, 0, 0, 0, 0, 0, 0}, int(be.Uint32(t.cdb[6:])))
	}
	return t.give([]byte{0, t.cdb[2] & 0x1f, 0, 0}, int(be.Uint16(t.cdb[7:])))
}

// blockLimits is the body of VPD page B0, SBC-3 6.6.3.
func (u *unit) blockLimits() []byte {
	b := make([]byte, 60)
	sector := uint32(u.sector)
	b[0] = 1 // WSNZ: WRITE SAME of no blocks is refused
	b[1] = maxCompare
	be.PutUint16(b[2:], uint16(max(1, 4096/sector)))
	be.PutUint32(b[4:], maxTransfer/sector)
	be.PutUint32(b[8:], maxPiece/sector)
	if u.writable != nil {
		be.PutUint32(b[16:], maxUnmapBlocks)
		be.PutUint32(b[20:], maxUnmapRanges)
		be.PutUint32(b[24:], max(1, 4096/sector))
		be.PutUint32(b[28:], 1<<31) // aligned at block 0
	}
	be.PutUint64(b[32:], maxSame)
	return b
}

// provisioning is the body of VPD page B2, SBC-3 6.6.4: thin, with UNMAP and
// WRITE SAME, reading zeros after it.
func (u *unit) provisioning() []byte {
	if u.writable == nil {
		return make([]byte, 4)
	}
	return []byte{0, 0xe4, 2, 0}
}
