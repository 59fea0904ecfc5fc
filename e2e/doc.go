// Package e2e drives the built program the way a user does, on real NTFS
// volumes made by mkntfs and ntfs-3g, and compares what comes back with what
// ntfs-3g showed when it was captured. It holds tests only.
package e2e
