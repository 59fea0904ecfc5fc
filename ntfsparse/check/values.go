package check

import "bytes"

// standard judges $STANDARD_INFORMATION: four times, flags (32), and since 3.0
// owner (48), security id (52), quota, USN.
func (c *checker) standard(a *attr) {
	k := &c.cur
	k.standard = true
	if k.h.base != 0 {
		c.find("R12", k.base, a.label(), "%s of record %d is in its extension record %d, where systems do not look for it.", a.label(), k.base, k.no)
	}
	if len(a.value) < 48 {
		c.find("T3", k.base, a.label(), "%s of record %d has %d bytes, at least 48 are needed.", a.label(), k.no, len(a.value))
		return
	}
	k.hasStd, k.stdFlags = true, le.Uint32(a.value[32:])
	k.e.changed = coarse(le.Uint64(a.value[16:]))
	if len(a.value) >= 72 {
		c.useSecurity(le.Uint32(a.value[52:]))
	}
}

// coarse keeps a time in steps of 3.4 seconds, up to the year 2057.
func coarse(t uint64) uint32 { return uint32(min(t>>25, 1<<32-1)) }

// useSecurity remembers that a file uses a descriptor.
func (c *checker) useSecurity(id uint32) {
	if id == 0 {
		return
	}
	if _, ok := c.secIDs[id]; ok {
		return
	}
	if len(c.secIDs) == maxSecurityIDs {
		c.leftOut("security ids that files have")
		return
	}
	c.secIDs[id] = uint32(c.cur.base)
}

// name judges a $FILE_NAME and adds it to what the indexes should hold.
func (c *checker) name(a *attr) {
	k := &c.cur
	k.names++
	f, ok := parseFileName(a.value)
	if !ok {
		c.find("T3", k.base, a.label(), "A name of record %d is longer than its attribute.", k.no)
		k.e.flags |= recBad
		return
	}
	if msg := illegal(&f); msg != "" || k.base != fRoot && dots(f.name) {
		if msg == "" {
			msg = "stands for a folder itself or the one above"
		}
		c.find("I12", k.base, a.label(), "A name of record %d %s.", k.no, msg)
	}
	if len(a.value) != nameHead+len(f.name) {
		c.findAs(Warning, "T3", k.base, a.label(), "A name of record %d has %d bytes instead of %d.", k.no, len(a.value), nameHead+len(f.name))
	}
	if k.e.parent == 0 {
		k.e.parent = f.parent
	}
	k.e.sum += hashName(f.parent, f.space, f.name)
	if (f.space == spaceWin32 || f.space == spaceDOS) && k.nPairs < len(k.spaces) {
		k.parents[k.nPairs], k.spaces[k.nPairs] = f.parent, f.space
		k.nPairs++
	}
}

// illegal says what no file name may be.
func illegal(f *fileName) string {
	if len(f.name) == 0 {
		return "is empty"
	}
	if f.space > spaceBoth {
		return "is in an unknown name space"
	}
	for i := 0; i < len(f.name); i += 2 {
		if f.name[i+1] == 0 && (f.name[i] == 0 || f.name[i] == '/') {
			return "has a NUL or a slash inside"
		}
	}
	return ""
}

// dots reports whether a name is "." or "..".
func dots(name []byte) bool {
	return string(name) == ".\x00" || string(name) == ".\x00.\x00"
}

func (c *checker) objectID(a *attr) {
	k := &c.cur
	if c.info.major < 3 {
		return // the type had another meaning
	}
	if len(a.value) < 16 {
		c.find("X1", k.base, a.label(), "The object identifier of record %d has %d bytes instead of 16 or 64.", k.no, len(a.value))
		return
	}
	if k.no != fVolume {
		k.e.sum += hashName(keyObject, 0, a.value[:16])
	}
}

// Seeds that keep the kinds of index entries apart in an entry's sum; no parent
// reference has them, since record numbers end at 48 bits and these have the
// sequence 0.
const (
	keyObject  = 1<<48 - 1
	keyReparse = 1<<48 - 2
)

func (c *checker) data(a *attr) {
	k := &c.cur
	k.noteData(a)
	if a.lowest == 0 {
		c.rep.Counts.Streams++
	}
	if a.nonRes && a.method() != 0 {
		k.e.flags |= recPacked
	}
}

// noteData notes what the first extents of the streams tell, above all the unnamed one's.
func (k *current) noteData(a *attr) {
	k.data = true
	k.wofData = k.wofData || string(a.name) == nameWof
	if a.lowest != 0 {
		return
	}
	if k.sealed = k.sealed || a.flags&aEncrypted != 0; len(a.name) > 0 {
		return
	}
	k.unnamed, k.dataSeen, k.dataFlags = true, true, a.flags
	switch k.size, k.taken = a.size, a.alloc; {
	case !a.nonRes:
		k.size, k.taken = int64(len(a.value)), int64(len(a.value)+7)&^7
	case a.flags&(aSparse|aCompressed) != 0:
		k.taken = a.total
	}
	k.whole = k.size > 0 && a.flags&aSparse == 0
}

// root notes an index root; the index itself is judged when it is walked.
func (c *checker) root(a *attr) {
	k := &c.cur
	k.noteRoot(a)
	if len(a.value) < rootHead {
		return
	}
	block, per := int64(le.Uint32(a.value[8:])), int64(a.value[12])
	if power(block, 512, 2<<20) && !c.blockUnits(block, per) {
		c.findAs(Warning, "I1", k.base, a.label(), "The index root of record %d has blocks of %d bytes, which it calls %d clusters.", k.base, block, per)
	}
}

// blockUnits reports whether an index block has that many clusters. Where it is
// smaller than one, these are pieces of 512 bytes; of mkntfs sectors, too, or as
// in the boot sector the negative power of 2.
func (c *checker) blockUnits(block, per int64) bool {
	if block >= c.g.cluster {
		return per*c.g.cluster == block
	}
	return per*512 == block || per*c.g.sector == block || int64(1)<<(256-per) == block
}

func (k *current) noteRoot(a *attr) {
	k.i30 = k.i30 || string(a.name) == nameI30
	k.view = k.view || len(a.name) > 0 && string(a.name) != nameI30 // one without a name is no index
}

// Reparse tags that the check knows.
const (
	tagWof       = 0x80000017
	tagDedup     = 0x80000013
	tagMount     = 0xA0000003
	tagSymlink   = 0xA000000C
	tagLXSymlink = 0xA000001D
	tagMS        = 1 << 31 // made by Microsoft: no GUID behind the header
	maxReparse   = 16 << 10
	wofWIM       = 1
	wofFile      = 2
	wofHead      = 16
	reparseHead  = 8
	attrReparse  = 0x400 // the file's flag
)

// reparsePoint judges a reparse point [MS-FSCC 2.1.2] and adds it to what the
// index of reparse points should hold.
func (c *checker) reparsePoint(a *attr) {
	k := &c.cur
	k.reparse = true
	v := a.value
	if a.nonRes {
		if v = c.shortValue(a, maxReparse); v == nil && c.valueBudget > 0 {
			c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d cannot be read.", k.no)
		}
		if v == nil {
			return
		}
	}
	if len(v) < reparseHead {
		c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d has %d bytes.", k.no, len(v))
		return
	}
	k.tag = le.Uint32(v)
	head := reparseHead
	if k.tag&tagMS == 0 {
		head += 16
	}
	claim := head + int(le.Uint16(v[4:]))
	sev := Warning
	if k.tag == tagWof || claim > len(v) {
		sev = Error // the contents are found by it, or it cannot be read
	}
	if len(v) != claim {
		c.findAs(sev, "T15", k.base, a.label(), "The reparse point of record %d has %d bytes, but claims %d.", k.no, len(v), claim)
	}
	if claim <= len(v) {
		if msg := linkFault(k.tag, v[head:claim]); msg != "" {
			c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d is a link whose target %s.", k.no, msg)
		}
	}
	if k.wof = isWof(v); k.tag == tagWof && !k.wof {
		c.overlayProvider(a, v)
	}
	k.e.sum += hashName(keyReparse, 0, v[:4])
}

// linkFault says what is wrong with where a link's names are in its data: offset and length
// of the target (2, 2) and of what is shown for it (2, 2), flags (4, of symlinks), names.
func linkFault(tag uint32, v []byte) string {
	const outside = "lies outside it"
	head := map[uint32]int{tagMount: 8, tagSymlink: 12}[tag]
	switch {
	case head == 0 && !(tag == tagLXSymlink && len(v) < 4):
		return ""
	case head == 0 || len(v) < head:
		return outside
	}
	room := len(v) - head
	if int(le.Uint16(v))+int(le.Uint16(v[2:])) > room || int(le.Uint16(v[4:]))+int(le.Uint16(v[6:])) > room {
		return outside
	}
	if (v[0]|v[2]|v[4]|v[6])&1 != 0 {
		return "begins or ends within a letter"
	}
	return ""
}

// overlayProvider judges a reparse point of the overlay filter that does not mark
// the file as compressed.
func (c *checker) overlayProvider(a *attr, v []byte) {
	k := &c.cur
	switch {
	case len(v) < reparseHead+8:
		c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d does not name its provider.", k.no)
	case le.Uint32(v[reparseHead+4:]) == wofWIM:
		c.findAs(Info, "T17", k.base, a.label(), "The contents of record %d are in a WIM archive, which the check does not look for.", k.no)
	case le.Uint32(v[reparseHead+4:]) == wofFile:
		c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d does not say how the file is compressed.", k.no)
	default:
		c.findAs(Error, "T15", k.base, a.label(), "The reparse point of record %d names the unknown provider %d.", k.no, le.Uint32(v[reparseHead+4:]))
	}
}

// isWof reports whether a reparse point marks a file as compressed by the
// overlay filter (provider 2).
func isWof(v []byte) bool {
	return len(v) >= reparseHead+wofHead && le.Uint32(v) == tagWof && le.Uint32(v[reparseHead+4:]) == wofFile
}

// shortValue reads a non-resident attribute of at most limit bytes; nil when it
// cannot.
func (c *checker) shortValue(a *attr, limit int64) []byte {
	var s stream
	if s.extend(a) != nil || s.size > limit || !c.afford(s.size) {
		return nil
	}
	v, err := c.readAll(&s, limit)
	if err != nil {
		return nil
	}
	return v
}

// afford takes n bytes from what may still be read beside the tables; a sound
// volume never uses it up, one whose files overlap may.
func (c *checker) afford(n int64) bool {
	if c.valueBudget.take(n) {
		return true
	}
	c.leftOut("values, security descriptors and compressed contents, which together are larger than the volume")
	return false
}

// keys reports whether an attribute has the keys of an encrypted file: anything at all.
func (c *checker) keys(a *attr) bool {
	if a.typ != tUtility || string(a.name) != nameEFS || a.lowest != 0 {
		return false
	}
	v := a.value
	if a.nonRes {
		if v = c.shortValue(a, 64<<10); v == nil {
			return true // not looked at
		}
	}
	return len(bytes.Trim(v, "\x00")) > 0
}

// eaInfo reads $EA_INFORMATION: packed size (2), how many are needed (2), size
// (4).
func (c *checker) eaInfo(a *attr) {
	k := &c.cur
	if k.eaInfo = len(a.value) >= 8; k.eaInfo {
		k.eaPacked, k.eaNeed, k.eaSize = le.Uint16(a.value), int(le.Uint16(a.value[2:])), int(le.Uint32(a.value[4:]))
		return
	}
	c.find("T14", k.base, a.label(), "%s of record %d has %d bytes instead of 8.", a.label(), k.no, len(a.value))
}

// ea judges the chain of extended attributes; those of 64 KiB and more are not
// followed.
func (c *checker) ea(a *attr) {
	k := &c.cur
	k.ea = true
	v := a.value
	if a.nonRes {
		if v = c.shortValue(a, 64<<10); v == nil {
			return
		}
	}
	need, packed, odd, p := 0, 0, byte(0), v
	for n := 0; len(p) >= eaHead; p = p[n:] {
		if n = eaLength(p); n == 0 {
			break
		}
		need += int(p[4] >> 7)
		odd |= p[4] &^ eaNeeded
		packed += 5 + int(p[5]) + int(le.Uint16(p[6:]))
	}
	if len(p) >= eaHead || len(bytes.Trim(p, "\x00")) > 0 {
		c.findAs(Error, "T14", k.base, a.label(), "The extended attributes of record %d break off at byte %d.", k.no, len(v)-len(p))
		return
	}
	if odd != 0 {
		c.findAs(Warning, "T14", k.base, a.label(), "Extended attributes of record %d have the unknown flags %#x.", k.no, odd)
	}
	switch {
	case !k.eaInfo:
	case k.eaSize != len(v):
		c.find("T14", k.base, a.label(), "The extended attributes of record %d have %d bytes, but claim %d.", k.no, len(v), k.eaSize)
	case need != k.eaNeed:
		c.find("T14", k.base, a.label(), "Of the extended attributes of record %d %d are marked as needed, but %d are claimed.", k.no, need, k.eaNeed)
	case uint16(packed) != k.eaPacked:
		c.find("T14", k.base, a.label(), "The extended attributes of record %d have %d bytes when packed, but claim %d.", k.no, packed, k.eaPacked)
	}
}

const (
	eaHead   = 8    // bytes of an extended attribute before its name
	eaNeeded = 0x80 // its only flag: who does not understand it must not open the file
)

// eaLength is the length of the first entry of a chain, 0 if it is not sound: next
// (4), flags (1), name length (1), value length (2), name and NUL, value. The last
// entry's next may be 0.
func eaLength(p []byte) int {
	name, value := int(p[5]), int(le.Uint16(p[6:]))
	n := int(le.Uint32(p))
	if n == 0 {
		n = len(p)
	}
	if name == 0 || n < eaHead+name+1+value || n > len(p) || p[eaHead+name] != 0 {
		return 0
	}
	return n
}

// eaPair looks that both attributes are there or none.
func (c *checker) eaPair() {
	if k := &c.cur; k.ea != k.eaInfo {
		c.find("T14", k.no, "$EA", "Record %d has only one of $EA and $EA_INFORMATION.", k.no)
	}
}
