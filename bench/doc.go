//go:build linux

// Bench measures vitrine beside the tools that do the same work.
//
// It builds volumes (volumes.sh), runs every case of a task in turn, several
// rounds, and writes a table and a picture into bench/results. It needs root,
// FUSE and, for each peer, that peer; those that are not installed are named
// and left out. Caches are emptied for the files at hand alone, so that other
// work on the machine is not disturbed.
//
//	go run ./bench -scale small -runs 5
//	go run ./bench -only 'capture|restore'
package main
