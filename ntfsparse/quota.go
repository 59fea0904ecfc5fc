package ntfsparse

import "fmt"

// Quota is what a volume records about an owner of files, in $Extend/$Quota:$Q.
// The key of an entry is the owner's number (4 bytes).
//
//	0x00 4 version (2); 0x04 4 flags; 0x08 8 bytes used; 0x10 8 time of change
//	0x18 8 threshold; 0x20 8 limit; 0x28 8 time when it was exceeded; 0x30 SID
type Quota struct {
	ID        uint32 // of the owner, as in StandardInfo.OwnerID; QuotaDefaults: the volume's own entry
	Flags     uint32 // Quota bits
	Used      int64  // bytes that the owner's files take
	Threshold int64  // bytes, -1 for none
	Limit     int64  // bytes, -1 for none
	Changed   Time
	Exceeded  Time   // 0: never
	SID       string // "S-1-5-…"; "" in the volume's own entry
}

// QuotaDefaults is the ID of the entry with the volume's defaults and state.
const QuotaDefaults = 1

// Flags of a quota entry; from QuotaTracking on in the volume's own alone.
const (
	QuotaUseDefaults = 0x1
	QuotaReached     = 0x2
	QuotaDeleted     = 0x4
	QuotaTracking    = 0x10
	QuotaEnforced    = 0x20
	QuotaOutOfDate   = 0x200
	QuotaCorrupt     = 0x400
)

// ParseQuota decodes an entry's data.
func ParseQuota(id uint32, b []byte) (Quota, error) {
	q := Quota{ID: id}
	if len(b) < 0x30 {
		return q, corrupt("quota entry is too short", len(b))
	}
	if v := le.Uint32(b); v != 1 && v != 2 {
		return q, classf(ErrUnsupported, NoRecord, "quota entry of version %d", v)
	}
	q.Flags, q.Used, q.Changed = le.Uint32(b[4:]), int64(le.Uint64(b[8:])), Time(le.Uint64(b[0x10:]))
	q.Threshold, q.Limit, q.Exceeded = int64(le.Uint64(b[0x18:])), int64(le.Uint64(b[0x20:])), Time(le.Uint64(b[0x28:]))
	if b = b[0x30:]; id == QuotaDefaults && len(b) < 8 {
		return q, nil
	}
	var err error
	q.SID, err = ParseSID(b)
	return q, err
}

// ParseSID gives the security identifier at the beginning of b in its usual
// spelling: revision (1), number of parts (1), authority (6, big-endian), parts
// (4 each) [MS-DTYP 2.4.2].
func ParseSID(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || 8+4*int(b[1]) > len(b) {
		return "", corrupt("SID is cut short or of an unknown revision", 0)
	}
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	s := fmt.Sprintf("S-1-%d", authority)
	if authority >= 1<<32 {
		s = fmt.Sprintf("S-1-%#x", authority)
	}
	for i := range int(b[1]) {
		s += fmt.Sprintf("-%d", le.Uint32(b[8+4*i:]))
	}
	return s, nil
}

// Quotas yields the volume's quota entries by their owners' numbers until yield
// returns false; fs.ErrNotExist when the volume has none. A damaged entry is
// yielded with its error.
func (v *Volume) Quotas(yield func(Quota, error) bool) error {
	f, err := v.Lookup("$Extend/$Quota")
	if err != nil {
		return err
	}
	x, err := f.Index("$Q")
	if err != nil {
		return err
	}
	x.Scan(-1, func(_ int64, e IndexEntry, err error) bool {
		if err != nil {
			return yield(Quota{}, err)
		}
		if len(e.Key()) != 4 {
			return yield(Quota{}, classf(ErrCorrupt, f.rec.N, "quota entry has a key of %d bytes", len(e.Key())))
		}
		q, err := ParseQuota(le.Uint32(e.Key()), e.Data())
		return yield(q, inRecord(err, f.rec.N))
	})
	return nil
}
