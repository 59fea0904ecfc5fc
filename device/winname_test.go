package device

import "testing"

func TestWinNames(t *testing.T) {
	for _, c := range []struct {
		in   string
		want winName
	}{
		{`C:`, winName{kind: winVolume, open: `\\.\C:`}},
		{`c:\`, winName{kind: winVolume, open: `\\.\C:`}},
		{`c:/`, winName{kind: winVolume, open: `\\.\C:`}},
		{`\\.\x:`, winName{kind: winVolume, open: `\\.\X:`}},
		{`\\?\x:\`, winName{kind: winVolume, open: `\\.\X:`}},
		{`//./x:`, winName{kind: winVolume, open: `\\.\X:`}},
		{`\\?\Volume{12345678-0000-0000-0000-100000000000}`, winName{kind: winVolume, open: `\\?\Volume{12345678-0000-0000-0000-100000000000}`}},
		{`\\?\Volume{12345678-0000-0000-0000-100000000000}\`, winName{kind: winVolume, open: `\\?\Volume{12345678-0000-0000-0000-100000000000}`}},
		{`\\.\PhysicalDrive0`, winName{kind: winDisk, open: `\\.\PhysicalDrive0`}},
		{`\\.\physicaldrive12`, winName{kind: winDisk, open: `\\.\PhysicalDrive12`, disk: 12}},
		{`\\.\HarddiskVolume3`, winName{kind: winVolume, open: `\\.\HarddiskVolume3`}},
		{`\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7\`, winName{kind: winVolume, open: `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7`}},
		{`\\.\PhysicalDriveX`, winName{kind: winOther, open: `\\.\PhysicalDriveX`}},
		{`\\.\PhysicalDrive-1`, winName{kind: winOther, open: `\\.\PhysicalDrive-1`}},
		{`\\.\PhysicalDrive999999999999`, winName{kind: winOther, open: `\\.\PhysicalDrive999999999999`}},
		{`\\.\pipe\x`, winName{kind: winOther, open: `\\.\pipe\x`}},
		{`\\?\C:\images\disk.img`, winName{kind: winFile, open: `\\?\C:\images\disk.img`}},
		{`\\?\UNC\server\share\disk.img`, winName{kind: winFile, open: `\\?\UNC\server\share\disk.img`}},
		{`\\?\Volume{1}\disk.img`, winName{kind: winFile, open: `\\?\Volume{1}\disk.img`}},
		{`\\server\share\disk.img`, winName{kind: winFile, open: `\\server\share\disk.img`}},
		{`C:disk.img`, winName{kind: winFile, open: `C:disk.img`}},
		{`C:\disk.img`, winName{kind: winFile, open: `C:\disk.img`}},
		{`1:`, winName{kind: winFile, open: `1:`}},
		{`disk.img`, winName{kind: winFile, open: `disk.img`}},
		{``, winName{kind: winFile}},
		{`\\.\`, winName{kind: winOther, open: `\\.\`}},
	} {
		if got := parseWinName(c.in); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.in, got, c.want)
		}
	}
}
