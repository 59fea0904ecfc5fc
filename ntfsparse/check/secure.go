package check

import (
	"bytes"
	"maps"
	"math/bits"
	"slices"
)

// descriptor is what an entry of $SII and $SDH repeats of $SDS: hash, id, place
// and length.
type descriptor struct {
	hash, id uint32
	off      uint64
	n        uint32
}

// maxSecurityIDs bounds the security ids, and the owners of quotas, that are
// remembered. (Tests make it smaller.)
var maxSecurityIDs = 1 << 18

const (
	sdsHead  = 20
	sdsBlock = 256 << 10 // each such block of $SDS has its copy behind it
	maxSD    = sdsBlock - sdsHead
)

func parseDescriptor(b []byte) (d descriptor, ok bool) {
	if len(b) < sdsHead {
		return d, false
	}
	return descriptor{le.Uint32(b), le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint32(b[16:])}, true
}

// viewData is the data part of a view index's entry: offset (2), length (2).
func viewData(e []byte) []byte {
	off, n := int(le.Uint16(e)), int(le.Uint16(e[2:]))
	if off < entryHead || off > len(e) || n > len(e)-off {
		return nil
	}
	return e[off : off+n]
}

// security judges $Secure: both indexes against the descriptors, and the files'
// ids against the indexes.
func (c *checker) security() {
	e := c.table.peek(fSecure)
	if c.info.major < 3 || e == nil || e.flags&recUsed == 0 || e.flags&recBad != 0 {
		return
	}
	sds, err := c.load(fSecure, tData, nameSDS)
	if err != nil {
		c.find("S2", fSecure, "$DATA:$SDS", "The security descriptors cannot be read: %v.", err)
		return
	}
	c.start("security descriptors", max(0, min(sds.size, c.g.clusters*c.g.cluster)))
	defer func() { c.advance(c.done.Total) }()
	// With as many ids as are remembered, some that are used are not known to be.
	whole, unused := len(c.secIDs) < maxSecurityIDs, 0
	var balance uint64
	full := c.view(fSecure, nameSII, func(e, key []byte) {
		if d, ok := parseDescriptor(viewData(e)); ok && len(key) == 4 && d.id == le.Uint32(key) {
			balance += d.sum()
			if _, used := c.secIDs[d.id]; !used {
				unused++
			}
			delete(c.secIDs, d.id)
			c.descriptor(sds, d)
			return
		}
		c.find("S2", fSecure, "$INDEX_ROOT:$SII", "An entry of the security index $SII is malformed.")
	})
	full = c.view(fSecure, nameSDH, func(e, key []byte) {
		if d, ok := parseDescriptor(viewData(e)); ok && len(key) == 8 && d.hash == le.Uint32(key) && d.id == le.Uint32(key[4:]) {
			balance -= d.sum()
			return
		}
		c.find("S2", fSecure, "$INDEX_ROOT:$SDH", "An entry of the security index $SDH is malformed.")
	}) && full
	if full && balance != 0 {
		c.find("S2", fSecure, "$INDEX_ROOT:$SDH", "The security indexes $SII and $SDH do not list the same descriptors.")
	}
	if full {
		c.unknownDescriptors()
	}
	switch {
	case !full || !whole || unused == 0:
	case unused == 1:
		c.find("S6", fSecure, "$DATA:$SDS", "A security descriptor is used by no file.")
	default:
		c.find("S6", fSecure, "$DATA:$SDS", "%d security descriptors are used by no file.", unused)
	}
}

func (d descriptor) sum() uint64 {
	return mix(uint64(d.hash)<<32|uint64(d.id), mix(d.off, uint64(d.n)))
}

// view walks a view index; false when it is damaged or missing, which is
// reported.
func (c *checker) view(no uint64, name string, visit func(e, key []byte)) bool {
	t := c.openTree(no, name, visit)
	if t == nil {
		return false
	}
	t.walk()
	return !t.damaged
}

// descriptor judges one descriptor in $SDS.
func (c *checker) descriptor(sds *stream, d descriptor) {
	c.rep.Counts.Descriptors++
	c.advance(2 * int64(d.n)) // with its copy
	if d.n < sdsHead || d.n > maxSD || d.off > uint64(max(0, sds.size)) {
		c.find("S2", fSecure, "$DATA:$SDS", "The security descriptor %d is said to have %d bytes at %d.", d.id, d.n, d.off)
		return
	}
	if !c.afford(2 * int64(d.n)) {
		return
	}
	b := make([]byte, d.n)
	if err := c.readValid(sds, b, int64(d.off)); err != nil {
		c.find("S2", fSecure, "$DATA:$SDS", "The security descriptor %d cannot be read: %v.", d.id, err)
		return
	}
	if got, _ := parseDescriptor(b); got != d {
		c.find("S2", fSecure, "$DATA:$SDS", "The security descriptor %d is not where the index $SII says.", d.id)
		return
	}
	if h := securityHash(b[sdsHead:]); h != d.hash {
		c.find("S3", fSecure, "$DATA:$SDS", "The security descriptor %d has the checksum %08X instead of %08X.", d.id, h, d.hash)
	}
	if msg := securityFault(b[sdsHead:]); msg != "" {
		c.find("S5", fSecure, "$DATA:$SDS", "The security descriptor %d is malformed: %s.", d.id, msg)
	}
	twin := make([]byte, d.n)
	if c.readValid(sds, twin, int64(d.off)+sdsBlock) != nil || !bytes.Equal(b, twin) {
		c.find("S4", fSecure, "$DATA:$SDS", "The second copy of the security descriptor %d differs.", d.id)
	}
}

// securityHash is the checksum of $SDH: words added to the sum turned by three.
func securityHash(b []byte) (h uint32) {
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h, 3) + le.Uint32(b)
	}
	return h
}

// securityFault judges a self-relative descriptor [MS-DTYP 2.4.6]: revision (1),
// control (2 at 2), offsets of owner, group, SACL and DACL.
func securityFault(b []byte) string {
	if len(b) < 20 {
		return "it is too short"
	}
	if b[0] != 1 || le.Uint16(b[2:])&0x8000 == 0 {
		return "it is not self-relative or of an unknown revision"
	}
	for i := range 4 {
		off := int64(le.Uint32(b[4+4*i:]))
		if off == 0 {
			continue
		}
		if off < 20 || off+8 > int64(len(b)) {
			return "a part lies outside"
		}
		part := b[off:]
		if i < 2 && (part[0] != 1 || 8+4*int(part[1]) > len(part)) {
			return "an owner or group is no SID"
		}
		if i >= 2 && (part[0] < 2 || part[0] > 4 || int(le.Uint16(part[2:])) > len(part) || le.Uint16(part[2:]) < 8) {
			return "an access list does not fit"
		}
	}
	return ""
}

// unknownDescriptors reports the ids that files use and the index does not have:
// all that are left.
func (c *checker) unknownDescriptors() {
	for _, id := range slices.Sorted(maps.Keys(c.secIDs)) {
		no := c.secIDs[id]
		c.find("S1", uint64(no), "$STANDARD_INFORMATION", "Record %d uses the security descriptor %d, which does not exist.", no, id)
	}
}

// ownSecurity judges a descriptor inside a record.
func (c *checker) ownSecurity(a *attr) {
	v := a.value
	if a.nonRes {
		if v = c.shortValue(a, 64<<10); v == nil {
			return
		}
	}
	if msg := securityFault(v); msg != "" {
		c.find("S7", c.cur.base, a.label(), "The security descriptor of record %d is malformed: %s.", c.cur.no, msg)
	}
}
