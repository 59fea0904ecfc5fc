package check

import "fmt"

// Entries of $Quota:$Q: the key is an owner's number (4); the data: version (4),
// flags (4), bytes used (8), time of change (8), threshold (8), limit (8), time
// when it was exceeded (8), the owner's SID. $Quota:$O leads from SIDs to owners'
// numbers.
const (
	quotaDefaults = 1     // the entry of the volume's defaults, without a SID
	quotaFirst    = 0x100 // the first owner's number
	quotaVersion  = 2
	quotaDeleted  = 4 // a flag: the owner is being removed, and may have gone from $O
	quotaHead     = 48
)

// quota judges the two quota tables against each other.
func (c *checker) quota() {
	no := c.folders["$Quota"]
	if no == 0 {
		return
	}
	owners := map[uint32]uint64{} // hash of the SID
	leaving := 0                  // of them
	full := c.view(no, nameQ, func(e, key []byte) {
		if msg := quotaFault(viewData(e), key); msg != "" {
			c.find("X2", no, "$INDEX_ROOT:$Q", "An entry of the quota table %s.", msg)
		}
		switch {
		case len(key) == 4 && len(owners) < maxSecurityIDs:
			owners[le.Uint32(key)] = quotaOwner(viewData(e))
			if d := viewData(e); len(d) >= quotaHead && le.Uint32(d[4:])&quotaDeleted != 0 {
				leaving++
			}
		case len(key) == 4:
			c.leftOut("owners of quotas")
		}
	})
	if _, ok := owners[quotaDefaults]; full && len(owners) > 0 && !ok {
		c.find("X2", no, "$INDEX_ROOT:$Q", "The quota table has no default entry.")
	}
	full = full && len(owners) < maxSecurityIDs
	seen := 0
	whole := c.view(no, nameO, func(e, key []byte) {
		seen++
		d := viewData(e)
		if len(d) < 4 {
			c.find("X2", no, "$INDEX_ROOT:$O", "An entry of the list of quota owners is malformed.")
			return
		}
		owner, ok := owners[le.Uint32(d)]
		switch {
		case full && !ok:
			c.find("X2", no, "$INDEX_ROOT:$O", "The list of quota owners names the owner %#x, who has no quota entry.", le.Uint32(d))
		case full && owner != hashBytes(key):
			c.find("X2", no, "$INDEX_ROOT:$O", "The list of quota owners gives the owner %#x another SID than the quota table does.", le.Uint32(d))
		}
	})
	delete(owners, quotaDefaults)
	if full && whole && seen < len(owners)-leaving {
		c.find("X2", no, "$INDEX_ROOT:$O", "%d quota entries have owners that are not in the list of owners.", len(owners)-seen)
	}
}

// quotaFault says what is wrong with an entry of the quota table.
func quotaFault(d, key []byte) string {
	switch {
	case len(key) != 4 || len(d) < quotaHead:
		return "is malformed"
	case le.Uint32(d) != quotaVersion && le.Uint32(d) != 1:
		return fmt.Sprintf("has the unknown version %d", le.Uint32(d))
	case le.Uint32(key) >= quotaFirst && sidLength(d[quotaHead:]) == 0:
		return fmt.Sprintf("has no valid SID for the owner %#x", le.Uint32(key))
	}
	return ""
}

func quotaOwner(d []byte) uint64 {
	if len(d) < quotaHead {
		return 0
	}
	sid := d[quotaHead:]
	return hashBytes(sid[:sidLength(sid)])
}

// sidLength is the length of the SID at the beginning of b [MS-DTYP 2.4.2.2]:
// revision (1), number of parts (1), authority (6), parts (4 each); 0 when there
// is none.
func sidLength(b []byte) int {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || 8+4*int(b[1]) > len(b) {
		return 0
	}
	return 8 + 4*int(b[1])
}
