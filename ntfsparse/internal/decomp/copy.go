package decomp

import "encoding/binary"

var le = binary.LittleEndian

// copyMatch appends to dst[:pos] the n bytes that stand dist before it; they may
// overlap. The caller has checked 1 <= dist <= pos and n <= len(dst)-pos.
func copyMatch(dst []byte, pos, dist, n int) {
	if dist >= 8 && len(dst)-pos >= n+8 {
		copyWide(dst[pos-dist:], dist, n)
		return
	}
	d := dst[pos-dist : pos+n]
	if dist < n {
		repeat(d, dist)
		return
	}
	copy(d[dist:], d)
}

// copyShort copies 16 bytes from d[0] to d[dist], for matches of up to 16 bytes
// whose distance is at least 8; what it copies too much is not written yet.
func copyShort(d []byte, dist int) {
	to := d[dist : dist+16]
	le.PutUint64(to, le.Uint64(d))
	le.PutUint64(to[8:], le.Uint64(d[8:]))
}

// copyWide copies n bytes from d[0] to d[dist] eight at a time, and may spoil up
// to seven bytes behind them, which are not written yet.
func copyWide(d []byte, dist, n int) {
	for i := 0; i < n; i += 8 {
		le.PutUint64(d[dist+i:], le.Uint64(d[i:]))
	}
}

// repeat fills d with its first dist bytes over and over.
func repeat(d []byte, dist int) {
	if len(d)-dist <= 16 {
		for i := dist; i < len(d); i++ {
			d[i] = d[i-dist]
		}
		return
	}
	for ; dist < len(d); dist *= 2 {
		copy(d[dist:], d[:dist])
	}
}
