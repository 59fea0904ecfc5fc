// Package blockdev is the disk face: what shows a disk or a partition of an
// image as a block device to other programs.
//
// It declares the two small interfaces that its sub-packages share: [Device],
// what can be read, and [Writable], what can also be written. Package overlay
// makes a Writable out of any Device without ever touching it; packages nbd and
// iscsi serve either over the network; package vdisk dresses a Device up as
// other disks (a partition inside a made-up GPT, a fixed VHD, a flat VMDK).
//
//	dev, err := blockdev.OpenFile("disk.img", 512)
//	cow, err := overlay.New(dev, overlay.Options{})
//	srv := &nbd.Server{Exports: []*nbd.Export{{Name: "disk", Device: cow}}}
//	err = srv.Serve(ctx, listener)
//
// Everything here is safe for parallel use. A Device is trusted to keep its
// promises; whoever talks to a server is not trusted with anything.
package blockdev
