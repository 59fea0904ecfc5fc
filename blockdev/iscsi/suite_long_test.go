//go:build long && linux

package iscsi

import "testing"

// TestWholeSuite runs all of libiscsi's tests over two paths.
func TestWholeSuite(t *testing.T) {
	_, d := testDisk(t)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(overlaid(t, d))}}})
	suite(t, "ALL", url(addr), url(addr))
}
