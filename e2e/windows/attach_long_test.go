//go:build long

package windows

import "testing"

// A log-in of which the system makes no disk is undone, after half a minute, and
// a copy attached instead.
func TestNoDisk(t *testing.T) {
	m := &shared
	_, images := attachable(t)
	m.ok(t, setDisk("VITRINE_STANDIN_FAIL=GetDevicesForIScsiSession"), "attach", at(images))
	want := []string{"AddIScsiStaticTarget", "LoginIScsiTarget", "LogoutIScsiTarget", "RemoveIScsiStaticTarget",
		"OpenVirtualDisk", "AttachVirtualDisk", "GetVirtualDiskPhysicalPath"}
	if got := names(m.calls()); !sameList(got, want...) {
		t.Error(m.calls())
	}
	m.ok(t, setDisk(), "detach", diskSeven)
	noCopies(t, images)
}
