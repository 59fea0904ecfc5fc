package ntfsparse

import (
	"context"
	"errors"
)

// scanSize is how many bytes of the MFT a scan reads at once.
const scanSize = 1 << 20

// Scan reads the whole MFT from record from on, in large pieces, and calls
// visit for each file record: with the record, in use or not, or with nil and
// why it cannot be read. The record and all that points into it are valid
// until visit returns. Records that were never used are left out. The scan
// ends with the first error that visit returns.
func (v *Volume) Scan(ctx context.Context, from uint64, visit func(n uint64, rec *Record, err error) error) error {
	size := uint64(v.boot.RecordSize)
	keep, buf := borrow(max(scanSize, int64(size)))
	defer scratch.Put(keep)
	mft := *v.mft
	mft.cached = false
	for n := from; n < v.records; {
		if err := checkContext(ctx); err != nil {
			return err
		}
		count := min(uint64(len(buf))/size, v.records-n)
		if err := v.scanPiece(&mft, n, buf[:count*size], visit); err != nil {
			return err
		}
		n += count
	}
	return nil
}

func (v *Volume) scanPiece(mft *Stream, n uint64, buf []byte, visit func(uint64, *Record, error) error) error {
	whole := mft.readRuns(buf, int64(n)*int64(v.boot.RecordSize))
	var rec Record
	for ; len(buf) > 0; n, buf = n+1, buf[v.boot.RecordSize:] {
		b := buf[:v.boot.RecordSize:v.boot.RecordSize]
		err := whole
		if err == nil {
			err = v.parseInPlace(&rec, n, b)
		}
		if err != nil && err != errNeverUsed {
			err = v.readRecord(&rec, n, b) // alone, or from the mirror
		}
		if errors.Is(err, ErrDeleted) {
			continue
		}
		if err := visitRecord(n, &rec, err, visit); err != nil {
			return err
		}
	}
	return nil
}

func visitRecord(n uint64, rec *Record, err error, visit func(uint64, *Record, error) error) error {
	if err != nil {
		return visit(n, nil, err)
	}
	return visit(n, rec, nil)
}
