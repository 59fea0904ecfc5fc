// Package windows drives the Windows program under Wine, with files in the place
// of disks and with stand-ins for DLLs that Wine lacks: testdata/standin. What
// it gives is held against what the Linux program gives.
//
// It takes root: volumes are filled through ntfs-3g.
package windows
