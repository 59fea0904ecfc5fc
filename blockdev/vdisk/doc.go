// Package vdisk dresses a device up as another disk without copying it: one
// partition as a disk with a partition table of its own, a disk as a fixed VHD
// or as the flat extent of a VMDK.
//
//	disk, err := vdisk.GPT(partition, vdisk.GPTOptions{Seed: pointID})
//	file, err := vdisk.VHD(disk, pointID)
//
// All identifiers come from the seed: the same seed gives the same bytes, and
// none of them is that of the disk the image was taken of, so that both can be
// in one machine. Everything is read-only; an overlay goes on top. All methods
// may be called in parallel.
package vdisk
