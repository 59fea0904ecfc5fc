package iscsi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fullFeature serves a session until the initiator logs out, hangs up or
// breaks the rules. It returns when all commands are done.
func (c *conn) fullFeature() error {
	c.nc.SetDeadline(time.Time{})
	done := make(chan struct{})
	go func() { defer close(done); c.schedule() }()
	err := c.receive()
	if c.ctx.Err() == nil { // the initiator is gone: nobody waits for answers
		c.cancel()
	}
	close(c.order)
	<-done
	c.running.Wait()
	c.functions.Wait()
	return err
}

// detach forgets a session that had begun.
func (c *conn) detach() {
	if c.tsih == 0 {
		return
	}
	c.letGo()
	c.s.leave(c)
	close(c.gone)
}

// letGo gives up what the session holds of the units.
func (c *conn) letGo() {
	if c.target == nil {
		return
	}
	for _, l := range c.target.LUNs {
		l.unit.detach(c)
	}
}

// receive reads PDUs and hands them on.
func (c *conn) receive() error {
	for c.ctx.Err() == nil {
		p, err := readPDU(c.r, c.p.digests, maxReceive)
		if err != nil {
			return err
		}
		if err := c.dispatch(p); err != nil {
			if errors.Is(err, errLogout) {
				return nil
			}
			return err
		}
	}
	return nil
}

var errLogout = errors.New("logged out")

func (c *conn) dispatch(p *pdu) error {
	switch p.op() {
	case opDataOut:
		return c.dataOut(p)
	case opCommand:
		return c.command(p)
	}
	if !c.inOrder(p) {
		return nil
	}
	switch p.op() {
	case opNopOut:
		return c.nop(p)
	case opTaskMgmt:
		return c.manage(p)
	case opText:
		return c.text(p)
	case opLogout:
		return c.logout(p)
	}
	return c.reject(p, rejectUnsupported)
}

// inOrder counts a PDU that is no SCSI command but has a command number. What
// lies outside the window is ignored, section 4.2.2.1.
func (c *conn) inOrder(p *pdu) bool {
	if p.immediate() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.u32(24) != c.expCmdSN {
		return false
	}
	c.expCmdSN++
	c.releaseHeld()
	return true
}

// releaseHeld passes on commands that had come before their turn. The caller
// holds c.mu; there is room in the channel for all of a window.
func (c *conn) releaseHeld() {
	for {
		t := c.held[c.expCmdSN]
		if t == nil {
			return
		}
		delete(c.held, c.expCmdSN)
		c.expCmdSN++
		c.outstanding++
		c.order <- t
	}
}

func (c *conn) reject(p *pdu, reason byte) error {
	rsp := newPDU(opReject, flagFinal, noTag)
	rsp.bhs[2] = reason
	rsp.data = append([]byte(nil), p.bhs[:]...)
	return c.send(rsp, true)
}

// nop answers a ping. One without a tag is itself an answer, or for counting.
func (c *conn) nop(p *pdu) error {
	if p.itt() == noTag {
		return nil
	}
	rsp := newPDU(opNopIn, flagFinal, p.itt())
	copy(rsp.bhs[8:16], p.bhs[8:16])
	rsp.set(20, noTag)
	rsp.data = p.data[:min(len(p.data), c.p.maxSend)]
	return c.send(rsp, true)
}

// text answers a text request. Whatever is longer than a PDU goes out in
// several; the initiator's empty requests in between carry our tag.
func (c *conn) text(p *pdu) error {
	if p.flags()&flagContinue != 0 {
		return c.reject(p, rejectField)
	}
	pairs, err := parseText(p.data)
	if err != nil {
		return c.reject(p, rejectField)
	}
	var reply []pair
	for _, kv := range pairs {
		if kv.key == "SendTargets" {
			reply = append(reply, c.sendTargets(kv.value)...)
		} else {
			reply = append(reply, pair{kv.key, "NotUnderstood"})
		}
	}
	return c.sendText(p, formatText(reply))
}

func (c *conn) sendText(p *pdu, b []byte) error {
	rsp := newPDU(opTextRsp, flagFinal, p.itt())
	copy(rsp.bhs[8:16], p.bhs[8:16])
	rsp.set(20, noTag)
	if len(b) > c.p.maxSend {
		return fmt.Errorf("the list of targets takes %d bytes, the initiator %d", len(b), c.p.maxSend)
	}
	rsp.data = b
	return c.send(rsp, true)
}

func (c *conn) logout(p *pdu) error {
	rsp := newPDU(opLogoutRsp, flagFinal, p.itt())
	if p.flags()&0x7f == 2 { // removing a connection for recovery
		rsp.bhs[2] = 2 // is not supported
		return c.send(rsp, true)
	}
	c.letGo() // whoever hears of the logout may reserve at once
	if err := c.send(rsp, true); err != nil {
		return err
	}
	return errLogout
}

// Task management functions, section 11.5.1.
const (
	tmfAbortTask    = 1
	tmfAbortTaskSet = 2
	tmfClearACA     = 3
	tmfClearTaskSet = 4
	tmfLUNReset     = 5
	tmfWarmReset    = 6
	tmfColdReset    = 7
	tmfReassign     = 8
)

// Responses, section 11.6.1.
const (
	tmrComplete    = 0
	tmrNoTask      = 1
	tmrNoLUN       = 2
	tmrNoReassign  = 4
	tmrUnsupported = 5
)

// manage runs a task management function beside the reading of PDUs: what it
// waits for may itself wait for data.
func (c *conn) manage(p *pdu) error {
	if c.target == nil {
		return c.reject(p, rejectProtocol)
	}
	select {
	case c.managers <- struct{}{}:
	default:
		return c.reject(p, rejectImmediate)
	}
	c.functions.Go(func() {
		defer func() { <-c.managers }()
		rsp := newPDU(opTaskMgmtRsp, flagFinal, p.itt())
		rsp.bhs[2] = c.function(p)
		if err := c.send(rsp, true); err != nil || p.flags()&0x7f == tmfColdReset {
			c.hangUp(err)
		}
	})
	return nil
}

func (c *conn) function(p *pdu) byte {
	f := p.flags() & 0x7f
	lun := c.lunOf(p.lun())
	switch f {
	case tmfReassign:
		return tmrNoReassign
	case tmfWarmReset, tmfColdReset:
		for _, l := range c.target.LUNs {
			c.resetLUN(l)
		}
		return tmrComplete
	case tmfAbortTask:
		return c.abortTask(p.u32(20))
	}
	if lun == nil {
		return tmrNoLUN
	}
	switch f {
	case tmfAbortTaskSet:
		c.abortAll(lun)
	case tmfClearTaskSet:
		c.s.each(c.target, func(o *conn) { o.clearedBy(c, lun) })
	case tmfLUNReset:
		c.resetLUN(lun)
	default:
		return tmrUnsupported
	}
	return tmrComplete
}

func (c *conn) abortTask(itt uint32) byte {
	c.mu.Lock()
	t := c.tasks[itt]
	c.mu.Unlock()
	if t == nil {
		return tmrNoTask
	}
	t.abort()
	return tmrComplete
}

// abortAll ends the tasks of one disk without answers; it returns how many.
func (c *conn) abortAll(lun *LUN) int {
	c.mu.Lock()
	var all []*task
	for _, t := range c.tasks {
		if t.lun == lun {
			all = append(all, t)
		}
	}
	c.mu.Unlock()
	for _, t := range all {
		t.abort()
	}
	return len(all)
}

func (c *conn) clearedBy(by *conn, lun *LUN) {
	if c.abortAll(lun) > 0 && c != by {
		lun.unit.attention(c, ascCommandsCleared)
	}
}

func (c *conn) resetLUN(lun *LUN) {
	c.s.each(c.target, func(o *conn) {
		o.abortAll(lun)
		lun.unit.attention(o, ascReset) // the one that asked is told as well
	})
	lun.unit.reset()
}

// lunOf finds the disk that a LUN field means: peripheral or flat addressing.
func (c *conn) lunOf(field uint64) *LUN {
	n := int(field >> 48)
	if field<<16 != 0 || n>>14 > 1 {
		return nil
	}
	if n &= 0x3fff; c.target != nil && n < len(c.target.LUNs) {
		return c.target.LUNs[n]
	}
	return nil
}

// command takes in a SCSI command.
//
//	off len field
//	  1   1 flags: final, read, write, task attribute
//	 20   4 expected data transfer length, bytes
//	 24   4 CmdSN
//	 28   4 ExpStatSN
//	 32  16 CDB
func (c *conn) command(p *pdu) error {
	if c.target == nil {
		return c.reject(p, rejectProtocol)
	}
	if len(p.data) > 0 && (!c.p.immediate || p.flags()&flagWrite == 0 || len(p.data) > c.p.first) {
		return fmt.Errorf("%w: %d bytes of immediate data", errProtocol, len(p.data))
	}
	t := c.newTask(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tasks[t.itt] != nil {
		return fmt.Errorf("%w: task tag %#x is in use", errProtocol, t.itt)
	}
	if p.immediate() {
		return c.startImmediate(p, t)
	}
	ahead := p.u32(24) - c.expCmdSN
	if ahead >= queueDepth-c.outstanding || c.held[p.u32(24)] != nil {
		return nil // outside the window, or seen before: ignored
	}
	c.tasks[t.itt] = t
	c.held[p.u32(24)] = t
	c.releaseHeld()
	return nil
}

func (c *conn) startImmediate(p *pdu, t *task) error {
	if c.immediates == maxImmediates {
		go c.reject(p, rejectImmediate)
		return nil
	}
	c.immediates++
	t.immediate = true
	c.tasks[t.itt] = t
	c.order <- t
	return nil
}

// schedule starts commands in their order. One with the attribute ORDERED waits
// for those before it and is waited for by those after it.
func (c *conn) schedule() {
	for t := range c.order {
		if t.attribute == attrOrdered && !t.immediate {
			c.running.Wait()
			c.run(t)
			continue
		}
		c.running.Go(func() { c.run(t) })
	}
}

// run carries out a command and answers it, unless it was aborted.
func (c *conn) run(t *task) {
	defer c.finish(t)
	err := t.execute()
	if t.ctx.Err() != nil && c.work.Err() == nil && errors.Is(context.Cause(t.ctx), errAborted) {
		return
	}
	c.forget(t)
	if err := t.respond(err); err != nil {
		c.hangUp(err)
	}
}

// forget takes a task out of the window before its answer opens it again.
func (c *conn) forget(t *task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tasks[t.itt] != t {
		return
	}
	delete(c.tasks, t.itt)
	if t.immediate {
		c.immediates--
	} else {
		c.outstanding--
	}
}

func (c *conn) finish(t *task) {
	c.forget(t)
	t.release()
	t.cancel(nil)
	close(t.done)
}
