package ntfsparse

import (
	"errors"
	"testing"
)

// TestUSNUnreadable: a page that the disk does not give costs its own records alone.
func TestUSNUnreadable(t *testing.T) {
	const pages = 5
	for _, mapped := range []int64{pages, pages - 2} {
		b := newRB(400, 4096, 1024, 64)
		b.root(ixEntry(MakeRef(11, 11), fnv(5, 5, "$Extend", 3, nameIsDir)))
		b.put(11, 11, 3, 0, b.si(6), b.fn(5, 5, "$Extend", 3, nameIsDir), b.ixRoot(ixEntry(MakeRef(40, 1), fnv(11, 11, "$UsnJrnl", 3, 0))))
		j := make([]byte, pages*4096)
		for p := range pages {
			rec := j[p*4096:]
			le.PutUint32(rec, 0x48)
			le.PutUint16(rec[4:], 2)
			le.PutUint64(rec[0x18:], uint64(p*4096))
			le.PutUint16(rec[0x38:], 2)
			le.PutUint16(rec[0x3A:], 0x3C)
			rec[0x3C] = 'x'
		}
		lcn := b.alloc(pages, j)
		b.put(40, 1, 1, 0, b.si(6), b.fn(11, 11, "$UsnJrnl", 3, 0),
			b.nonres(TypeData, "$J", 0, 0, 0, mapped-1, runs(mapped, lcn), pages*4096, pages*4096, pages*4096))
		v, disk := b.openFlaky(t)
		disk.from, disk.to, disk.times = (lcn+1)*4096, (lcn+2)*4096, -1
		var at []int64
		bad := 0
		err := v.USNRecords(func(r USNRecord, err error) bool {
			if err == nil {
				at = append(at, r.USN/4096)
			} else if bad++; !errors.Is(err, errFlaky) {
				t.Error(err)
			}
			return true
		})
		if int64(len(at)) != mapped-1 || bad != 1 || mapped < pages != errors.Is(err, ErrCorrupt) {
			t.Errorf("%d pages mapped: records of pages %d, %d errors, %v", mapped, at, bad, err)
		}
	}
}
