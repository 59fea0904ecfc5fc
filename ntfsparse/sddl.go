package ntfsparse

import (
	"bytes"
	"fmt"
	"strings"
)

// SDDL writes a self-relative security descriptor in Windows' language for them
// [MS-DTYP 2.5.1]: owner, group, access list, audit list.
//
//	0x00 1 revision; 0x02 2 control; offsets (4 each): 0x04 owner, 0x08 group,
//	0x0C SACL, 0x10 DACL; a list: 0x00 1 revision; 0x02 2 size; 0x04 2 entries
//
// Entries of kinds that have no place in a file's descriptor are written as
// their type's number; with flags, rights, SID and "..." where there is more behind
// the SID, such as the condition under which an entry holds. Windows takes neither.
// Rights are names where one stands for all of them, else a number.
func SDDL(b []byte) (string, error) {
	if len(b) < 20 || b[0] != 1 {
		return "", corrupt("security descriptor is too short or of an unknown revision", 0)
	}
	var out strings.Builder
	for _, p := range []struct {
		tag string
		at  int
	}{{"O:", 4}, {"G:", 8}} {
		off := int64(le.Uint32(b[p.at:]))
		if off == 0 {
			continue
		}
		if off > int64(len(b)) {
			return "", corrupt("security descriptor has its owner outside", p.at)
		}
		sid, err := ParseSID(b[off:])
		if err != nil {
			return "", err
		}
		out.WriteString(p.tag + shortSID(sid))
	}
	for _, p := range []struct {
		tag     string
		at      int
		present uint16
		shift   uint // of the list's flags in the control word
	}{{"D:", 16, 4, 0}, {"S:", 12, 16, 1}} {
		control := le.Uint16(b[2:])
		if control&p.present == 0 {
			continue
		}
		acl, err := aclText(b, int64(le.Uint32(b[p.at:])))
		if err != nil {
			return "", err
		}
		out.WriteString(p.tag + aclFlags(control>>p.shift) + acl)
	}
	return out.String(), nil
}

// aclFlags are protected, inheritance wanted, inherited.
func aclFlags(control uint16) (s string) {
	for _, f := range []struct {
		bit  uint16
		text string
	}{{0x1000, "P"}, {0x100, "AR"}, {0x400, "AI"}} {
		if control&f.bit != 0 {
			s += f.text
		}
	}
	return s
}

func aclText(b []byte, off int64) (string, error) {
	if off == 0 {
		return "NO_ACCESS_CONTROL", nil
	}
	if off > int64(len(b)) || len(b)-int(off) < 8 {
		return "", corrupt("access list lies outside its descriptor", int(off))
	}
	acl := b[off:]
	size, n := int(le.Uint16(acl[2:])), int(le.Uint16(acl[4:]))
	if size < 8 || size > len(acl) {
		return "", corrupt("access list is longer than its descriptor", int(off))
	}
	var out strings.Builder
	for p := acl[8:size]; n > 0; n-- {
		if len(p) < 8 || int(le.Uint16(p[2:])) < 8 || int(le.Uint16(p[2:])) > len(p) {
			return "", corrupt("access list breaks off", int(off))
		}
		ace := p[:le.Uint16(p[2:])]
		s, err := aceText(ace)
		if err != nil {
			return "", err
		}
		out.WriteString(s)
		p = p[len(ace):]
	}
	return out.String(), nil
}

var (
	aceTypes  = map[byte]string{0: "A", 1: "D", 2: "AU", 3: "AL", 5: "OA", 6: "OD", 7: "OU", 9: "XA", 10: "XD", 11: "ZA", 0x11: "ML", 0x12: "RA", 0x13: "SP"}
	aceFlags  = []string{"OI", "CI", "NP", "IO", "ID", "CR", "SA", "FA"}
	aceRights = map[uint32]string{0x1F01FF: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200A0: "FX", 0x10000000: "GA", 0x80000000: "GR", 0x40000000: "GW", 0x20000000: "GX"}
	mlRights  = []string{"NW", "NR", "NX"}
	rightBits = []struct {
		bit  uint32
		text string
	}{{0x10000, "SD"}, {0x20000, "RC"}, {0x40000, "WD"}, {0x80000, "WO"}, {0x20000000, "GX"}, {0x40000000, "GW"}, {0x80000000, "GR"}, {0x10000000, "GA"}}
)

// rightsText names rights when names cover them all, as Windows does.
func rightsText(mask uint32) (s string) {
	if name, ok := aceRights[mask]; ok {
		return name
	}
	rest := mask
	for _, r := range rightBits {
		if mask&r.bit != 0 {
			s += r.text
			rest &^= r.bit
		}
	}
	if rest != 0 {
		return fmt.Sprintf("%#x", mask)
	}
	return s
}

// aceText is one entry: type (1), flags (1), size (2), rights (4), in object
// entries flags (4) and up to two GUIDs, SID.
func aceText(ace []byte) (string, error) {
	kind, ok := aceTypes[ace[0]]
	if !ok {
		return fmt.Sprintf("(%#x)", ace[0]), nil
	}
	flags := ""
	for i, f := range aceFlags {
		if ace[1]>>i&1 != 0 {
			flags += f
		}
	}
	mask, rest := le.Uint32(ace[4:]), ace[8:]
	rights := rightsText(mask)
	if kind == "ML" && mask>>len(mlRights) == 0 {
		rights = ""
		for i, r := range mlRights {
			if mask>>i&1 != 0 {
				rights += r
			}
		}
	}
	var guids [2]string
	if ace[0] >= 5 && ace[0] <= 7 || ace[0] == 11 {
		if len(rest) < 4 {
			return "", corrupt("object entry of an access list is cut short", -1)
		}
		has := le.Uint32(rest)
		rest = rest[4:]
		for i := range guids {
			if has>>i&1 == 0 {
				continue
			}
			if len(rest) < 16 {
				return "", corrupt("object entry of an access list is cut short", -1)
			}
			guids[i], rest = GUIDText(rest), rest[16:]
		}
	}
	sid, err := ParseSID(rest)
	if err != nil {
		return "", err
	}
	more := ""
	if behind := rest[8+4*int(rest[1]):]; len(bytes.TrimRight(behind, "\x00")) > 0 {
		kind, more = fmt.Sprintf("%#x", ace[0]), ";..."
	}
	return fmt.Sprintf("(%s;%s;%s;%s;%s;%s%s)", kind, flags, rights, guids[0], guids[1], shortSID(sid), more), nil
}

// wellKnown are the SIDs that SDDL has two letters for and files often have.
var wellKnown = map[string]string{
	"S-1-1-0": "WD", "S-1-3-0": "CO", "S-1-3-1": "CG", "S-1-3-4": "OW", "S-1-5-4": "IU", "S-1-5-2": "NU", "S-1-5-7": "AN", "S-1-5-11": "AU",
	"S-1-5-18": "SY", "S-1-5-19": "LS", "S-1-5-20": "NS", "S-1-5-32-544": "BA", "S-1-5-32-545": "BU", "S-1-5-32-546": "BG", "S-1-5-32-547": "PU",
	"S-1-5-32-551": "BO", "S-1-15-2-1": "AC", "S-1-16-4096": "LW", "S-1-16-8192": "ME", "S-1-16-12288": "HI", "S-1-16-16384": "SI",
}

func shortSID(sid string) string {
	if s, ok := wellKnown[sid]; ok {
		return s
	}
	return sid
}

// GUIDText is a GUID of 16 bytes in its usual spelling; "" when b is shorter.
func GUIDText(b []byte) string {
	if len(b) < 16 {
		return ""
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}
