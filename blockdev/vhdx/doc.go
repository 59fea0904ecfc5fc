// Package vhdx writes a disk as a dynamic VHDX file, which Windows and qemu
// attach as a disk. Only blocks that hold data take space.
//
//	err := vhdx.Write(ctx, file, disk, vhdx.Options{Seed: pointID})
//
// The identifiers come from the seed: the same disk and seed give the same bytes.
// What marks the file as a VHDX is written last, so that one that was cut off is
// not taken for a disk.
//
// Source: Virtual Hard Disk v2 (VHDX) File Format, [MS-VHDX] 7.0.
package vhdx
