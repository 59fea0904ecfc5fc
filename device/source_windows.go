package device

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/windows"

	"vitrine/device/vss"
)

// freeze holds the volumes of the source still with shadow copies.
func (d *Device) freeze(ctx context.Context, o SourceOptions) error {
	return d.freezeOn(ctx, windowsHost{o.Polite}, o)
}

// windowsHost is the running system.
type windowsHost struct{ polite bool }

func (windowsHost) volumes() []winVol           { return volumes() }
func (windowsHost) volumeAt(open string) winVol { return volumeAt(open) }
func (windowsHost) writable(v *winVol) bool     { return v.writable() }

// starts compares with what Windows keeps about its own start. That volume
// hardly ever changes.
func (windowsHost) starts(v *winVol) bool {
	boot := bootVolume()
	return boot != "" && (&winTarget{disk: -1, vol: v}).clashes(&winVol{extents: extentsOfVolume(boot)})
}

func (h windowsHost) open(name string) (opened, error) {
	v, err := openVolume(name)
	if err != nil {
		return nil, err
	}
	if h.polite {
		bePolite(v.f)
	}
	return v, nil
}

func (windowsHost) shadows(ctx context.Context, roots []string) (shadows, error) {
	set, err := vss.Create(ctx, roots, vss.Options{})
	if err != nil {
		return nil, err
	}
	return set, nil
}

// openVolume opens a volume or a copy of one by its exact name.
func openVolume(open string) (*Device, error) {
	n := winName{kind: winVolume, open: strings.TrimSuffix(open, `\`)}
	f, err := openDevice(open, n, windows.GENERIC_READ)
	if err != nil {
		return nil, err
	}
	info, err := blockInfo(open, n, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Device{info: info, f: f, raw: newRawFile(blockIO(f), info)}, nil
}
