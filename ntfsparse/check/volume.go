package check

import (
	"bytes"
	"fmt"
	"strings"
)

// Volume flags.
const (
	volDirty = 1
	volKnown = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x80 | 0x4000 | 0x8000
)

// readVolume reads version, flags and label from record 3.
func (c *checker) readVolume() {
	c.info = volumeInfo{major: 3, minor: 1}
	b, msg := c.record(fVolume, nil)
	if msg != "" {
		return // reported when the record's turn comes
	}
	each(b, func(a *attr) bool {
		switch {
		case a.typ == tVolInfo && len(a.value) >= 12:
			c.info = volumeInfo{a.value[8], a.value[9], le.Uint16(a.value[10:])}
		case a.typ == tVolName:
			if c.rep.Volume.Label = decode16(a.value); len(a.value)%2 != 0 {
				c.findAs(Warning, "T3", fVolume, a.label(), "The label has %d bytes, which are no whole letters.", len(a.value))
			}
		}
		return true
	})
	c.judgeVolume()
}

func (c *checker) judgeVolume() {
	i, v := c.info, &c.rep.Volume
	v.Version, v.Dirty = fmt.Sprintf("%d.%d", i.major, i.minor), i.flags&volDirty != 0
	if v.Dirty {
		c.find("V1", fVolume, "$VOLUME_INFORMATION", "The volume is marked dirty: it was not cleanly unmounted, or Windows wants to check it.")
	}
	if rest := i.flags &^ volKnown; rest != 0 {
		c.find("V2", fVolume, "$VOLUME_INFORMATION", "The volume has the unknown flags %#x.", rest)
	}
	if v.Version != "1.2" && v.Version != "3.0" && v.Version != "3.1" {
		c.find("V3", fVolume, "$VOLUME_INFORMATION", "The NTFS version %s is unknown.", v.Version)
	}
	c.attrDef()
}

// definition is what $AttrDef says of a type of attributes: name (128 bytes of
// UTF-16), type (4), display rule (4), collation (4), flags (4), least (8 at 144)
// and greatest size (8 at 152; -1: any).
type definition struct {
	least, most int64
	known       bool
}

const definitionSize = 160

// definitions are those of the types up to $LOGGED_UTILITY_STREAM.
type definitions [tUtility>>4 + 1]definition

func (d *definitions) of(typ uint32) definition {
	if i := typ >> 4; typ&0xf == 0 && i < uint32(len(d)) {
		return d[i]
	}
	return definition{}
}

// attrDef reads $AttrDef, whose entries stand by rising type.
func (c *checker) attrDef() {
	s, err := c.load(fAttrDef, tData, "")
	var b []byte
	if err == nil {
		b, err = c.readAll(s, 64<<10)
	}
	if err != nil {
		c.find("V6", fAttrDef, "$DATA", "The attribute definitions cannot be read: %v.", err)
		return
	}
	var defs definitions
	prev, n := uint32(0), 0
	for ; len(b) >= definitionSize && le.Uint32(b[128:]) != 0; b = b[definitionSize:] {
		typ := le.Uint32(b[128:])
		if typ <= prev || typ&0xf != 0 {
			c.find("V6", fAttrDef, "$DATA", "The attribute definitions are out of order at type %#x.", typ)
			return
		}
		if want, ok := typeNames[typ]; ok && c.info.major >= 3 {
			if name := strings.TrimRight(decode16(b[:128]), "\x00"); name != want {
				c.find("V6", fAttrDef, "$DATA", "The attribute definitions call the type %#x %q, not %s.", typ, name, want)
			}
		}
		d := definition{int64(le.Uint64(b[144:])), int64(le.Uint64(b[152:])), true}
		if d.least < 0 || d.most < -1 || d.most >= 0 && d.most < d.least {
			c.find("V6", fAttrDef, "$DATA", "The definition of %s allows sizes from %d to %d bytes.", attrName(typ, nil), d.least, d.most)
			return
		}
		if i := typ >> 4; i < uint32(len(defs)) {
			defs[i] = d
		}
		prev = typ
		n++
	}
	if rest := len(bytes.Trim(b, "\x00")); n < 10 || rest > 0 {
		c.find("V6", fAttrDef, "$DATA", "The attribute definitions end after %d, with %d bytes behind.", n, rest)
		return
	}
	c.defs = defs
}

// defined judges an attribute's size by the definition of its type. A volume
// without a label has an empty $VOLUME_NAME.
func (c *checker) defined(a *attr) {
	d, size := c.defs.of(a.typ), int64(len(a.value))
	if a.nonRes {
		size = a.size
	}
	if !d.known || a.nonRes && a.lowest != 0 || a.typ == tVolName && size == 0 {
		return
	}
	if size < d.least || d.most >= 0 && size > d.most {
		c.find("T4", c.cur.base, a.label(), "%s of record %d has %d bytes, which its definition does not allow.", a.label(), c.cur.no, size)
	}
}

// Restart page of $LogFile: "RSTR", update sequence, system page size (4 at 16),
// log page size (4 at 20), restart area offset (2 at 24), minor and major
// version (2 at 26, 28). Restart area: current LSN (8), clients (2), free list
// (2), in-use list (2), flags (2).
const (
	logClean = 2
	logNone  = 0xffff
)

// log judges the restart pages of $LogFile.
func (c *checker) log() {
	s, err := c.load(fLog, tData, "")
	if err != nil || s.size < 2*4096 {
		c.find("V4", fLog, "$DATA", "The log cannot be read.")
		return
	}
	page := make([]byte, 4096)
	var best []byte
	broken := 0
	for i := range int64(2) {
		if c.read(s, page, i*4096) != nil {
			broken++
			continue
		}
		switch {
		case len(bytes.Trim(page, "\xff")) == 0:
			continue // empty: as mkntfs and Linux leave it
		case string(page[:4]) == "CHKD":
			continue // emptied by chkdsk
		case string(page[:4]) != "RSTR" || fixup(page, 0x1e) != "":
			broken++
		case best == nil || restartLSN(page) > restartLSN(best):
			best = bytes.Clone(page)
		}
	}
	c.judgeLog(best, broken)
}

func restartLSN(page []byte) uint64 {
	if off := int(le.Uint16(page[24:])); off <= len(page)-16 {
		return le.Uint64(page[off:])
	}
	return 0
}

func (c *checker) judgeLog(page []byte, broken int) {
	if page == nil {
		if broken > 0 {
			c.find("V4", fLog, "$DATA", "The log has no readable restart page.")
		}
		return
	}
	off := int(le.Uint16(page[24:]))
	if off > len(page)-16 {
		c.find("V4", fLog, "$DATA", "The log's restart page is malformed.")
		return
	}
	if le.Uint16(page[28:]) >= 2 {
		c.find("V8", fLog, "$DATA", "The log has version 2, as while mounted by Windows 8 or later.")
	}
	inUse, flags := le.Uint16(page[off+12:]), le.Uint16(page[off+14:])
	if inUse != logNone && flags&logClean == 0 {
		c.rep.Volume.LogUnclean = true
		c.find("V4", fLog, "$DATA", "The log holds work that was not finished: the volume was in use or was not cleanly unmounted.")
	}
}

// hibernation looks at hiberfil.sys in the root.
func (c *checker) hibernation() {
	if c.hiberfil == 0 {
		return
	}
	s, err := c.load(c.hiberfil, tData, "")
	var b [4]byte
	if err != nil || s.size < 4096 || c.read(s, b[:], 0) != nil {
		return
	}
	switch string(b[:]) {
	case "hibr", "HIBR":
		c.rep.Volume.Hibernated = true
		c.find("V5", c.hiberfil, "$DATA", "Windows is hibernated on this volume, or was shut down with fast start-up.")
	case "WAKE": // of Windows 8 and later, which leaves it when it came back
		c.findAs(Info, "V5", c.hiberfil, "$DATA", "Windows began to wake from hibernation on this volume; whether it came back is not noted.")
	case "wake", "rstr", "RSTR":
		c.rep.Volume.Hibernated = true
		c.find("V5", c.hiberfil, "$DATA", "Windows began to wake from hibernation on this volume and has not noted that it did.")
	}
}
