//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// wofArgs makes a CompactOS file of the largest resource in a WIM, whose bytes
// have the same form: wof WIM FILE NUMBER. FILE is on a volume that ntfs-3g
// mounted with streams_interface=windows, NUMBER is Windows' for the method.
func wofArgs(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("wof WIM FILE NUMBER")
	}
	wim, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	stream, size, err := resource(wim)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := os.WriteFile(args[1], nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(args[1], size); err != nil {
		return err
	}
	if err := os.WriteFile(args[1]+":WofCompressedData", stream, 0o644); err != nil {
		return err
	}
	point := binary.LittleEndian.AppendUint32(nil, 0x80000017)
	for _, v := range []uint32{16, 1, 2, 1, uint32(number)} {
		point = binary.LittleEndian.AppendUint32(point, v)
	}
	return syscall.Setxattr(args[1], "system.ntfs_reparse_data", point, 0)
}

// resource is the largest one of a WIM, as it is stored, and its plain size. The
// table at 48 of the header has 50 bytes for each: stored size in 7 bytes,
// flags, offset, plain size and others.
func resource(wim []byte) (stream []byte, size int64, err error) {
	le := binary.LittleEndian
	if len(wim) < 208 || string(wim[:5]) != "MSWIM" {
		return nil, 0, fmt.Errorf("this is no WIM")
	}
	at := le.Uint64(wim[56:])
	for table := wim[at:][:le.Uint64(wim[48:])&(1<<56-1)]; len(table) >= 50; table = table[50:] {
		if n := int64(le.Uint64(table[16:])); n > size {
			size, stream = n, wim[le.Uint64(table[8:]):][:le.Uint64(table)&(1<<56-1)]
		}
	}
	if size == 0 || int64(len(stream)) >= size {
		return nil, 0, fmt.Errorf("there is nothing compressed in it")
	}
	return stream, size, nil
}
