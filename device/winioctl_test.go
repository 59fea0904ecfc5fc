package device

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// unhex reads bytes as a dump shows them.
func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The answers of drivers for a GPT disk with an EFI partition and a volume, as
// DeviceIoControl gives them.
const (
	layoutHead = `
		01000000 02000000
		785634127856341278563412 78563412
		0044000000000000 00bcffff1d000000
		80000000 00000000`
	layoutEFI = `
		01000000 00000000 0000100000000000 0000400600000000
		01000000 00000000
		28732ac11ff8d211ba4b00a0c93ec93b 11111111111111111111111111111111
		0000000000000080
		450046004900200073007900730074006500` // "EFI system", cut below
	layoutData = `
		01000000 00000000 0000500600000000 0000a0f91d000000
		02000000 00000000
		a2a0d0ebe5b9334487c068b6b72699c7 22222222222222222222222222222222
		0000000000000000
		42006100730069006300`
)

func padTo(b []byte, n int) []byte { return append(b, make([]byte, n-len(b))...) }

func gptLayout(t *testing.T) []byte {
	b := padTo(unhex(t, layoutHead), 48)
	b = append(b, padTo(unhex(t, layoutEFI), 144)...)
	return append(b, padTo(unhex(t, layoutData), 144)...)
}

func TestDecodeLayoutGPT(t *testing.T) {
	l, err := decodeLayout(gptLayout(t))
	want := diskLayout{styleGPT, 0, []layoutPartition{
		{Number: 1, Off: 1 << 20, Len: 100 << 20, Type: efiSystem, ID: [16]byte(unhex(t, "11111111111111111111111111111111")), Name: "EFI syste"},
		{Number: 2, Off: 101 << 20, Len: 0x1df9a00000, Type: basicData, ID: [16]byte(unhex(t, "22222222222222222222222222222222")), Name: "Basic"},
	}}
	if err != nil || !reflect.DeepEqual(l, want) {
		t.Errorf("got %+v, %v; want %+v", l, err, want)
	}
	if l.Partitions[0].holdsFiles(l.Style) || !l.Partitions[1].holdsFiles(l.Style) {
		t.Error("only the second one holds files")
	}
	if l.system() != &l.Partitions[0] || l.at(101<<20) != &l.Partitions[1] || l.at(5) != nil {
		t.Error("partitions are not found")
	}
	l.Partitions[1].ID = [16]byte(unhex(t, "785634127856341212345678 9abcdef0"))
	if id := l.identity(&l.Partitions[1]); id != "12345678-5678-1234-1234-56789abcdef0" {
		t.Error(id)
	}
}

func TestDecodeLayoutMBR(t *testing.T) {
	b := padTo(unhex(t, "00000000 04000000 efbeadde"), 48+4*144)
	one := b[48:]
	copy(one, unhex(t, "00000000 00000000 0000100000000000 0000004000000000 01000000 00000000 07 01 01 00 00080000"))
	l, err := decodeLayout(b)
	want := diskLayout{styleMBR, 0xDEADBEEF, []layoutPartition{{Number: 1, Off: 1 << 20, Len: 1 << 30, MBRType: 7, Active: true}}}
	if l.system() == nil || l.identity(l.system()) != "deadbeef at 1048576" {
		t.Error("what the machine starts from is not found")
	}
	if err != nil || !reflect.DeepEqual(l, want) || !l.Partitions[0].holdsFiles(l.Style) {
		t.Errorf("got %+v, %v; want %+v", l, err, want)
	}
}

func TestDecodeExtents(t *testing.T) {
	b := unhex(t, `02000000 00000000
		00000000 00000000 0000500600000000 0000a0f91d000000
		03000000 00000000 0000100000000000 0000004000000000`)
	got, err := decodeExtents(b)
	want := []diskExtent{{0, 101 << 20, 0x1df9a00000}, {3, 1 << 20, 1 << 30}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDecodeDescriptor(t *testing.T) {
	b := padTo(unhex(t, `28000000 7a000000 00000001 28000000 31000000 00000000 52000000 0b000000 00000000 00000000`), 0x7a)
	copy(b[0x28:], "Samsung \x00SSD 990 PRO 2TB \x00")
	copy(b[0x52:], "  0025_38B3\x01 \x00")
	model, serial, bus, err := decodeDescriptor(b)
	if model != "Samsung SSD 990 PRO 2TB" || serial != "0025_38B3" || bus != 11 || err != nil {
		t.Errorf("got %q, %q, %d, %v", model, serial, bus, err)
	}
	binary.LittleEndian.PutUint32(b[24:], 0xFFFFFFFF) // some drivers say so when there is none
	if _, serial, _, err = decodeDescriptor(b); serial != "" || err != nil {
		t.Errorf("no serial number: %q, %v", serial, err)
	}
}

func TestDecodeSmall(t *testing.T) {
	if n, err := decodeLength(unhex(t, "0060db391e000000")); n != 0x1e39db6000 || err != nil {
		t.Error(n, err)
	}
	sector, size, err := decodeGeometry(unhex(t, `513b000000000000 0c000000 ff000000 3f000000 00020000 0060db391e000000`))
	if sector != 512 || size != 0x1e39db6000 || err != nil {
		t.Error(sector, size, err)
	}
	logical, physical, err := decodeAlignment(unhex(t, `1c000000 1c000000 00000000 00000000 00020000 00100000 00000000`))
	if logical != 512 || physical != 4096 || err != nil {
		t.Error(logical, physical, err)
	}
	disk, part, err := decodeNumber(unhex(t, `07000000 02000000 03000000`))
	if disk != 2 || part != 3 || err != nil {
		t.Error(disk, part, err)
	}
	attr, err := decodeAttributes(unhex(t, `10000000 00000000 0300000000000000`))
	if attr != diskOffline|diskReadOnly || err != nil {
		t.Error(attr, err)
	}
	want := unhex(t, `28000000 00000000 0100000000000000 0100000000000000 00000000000000000000000000000000`)
	if got := encodeAttributes(diskOffline, diskOffline); !reflect.DeepEqual(got, want) {
		t.Errorf("%x", got)
	}
}

func TestEncodeTrim(t *testing.T) {
	want := unhex(t, `1c000000 01000000 00000000 00000000 00000000 20000000 10000000 00000000`+
		` 0000500000000000 0000000001000000`)
	if got := encodeTrim(5<<20, 1<<32); !reflect.DeepEqual(got, want) {
		t.Errorf("%x", got)
	}
}

// An answer that is cut off anywhere, or that says it holds more than it does,
// is an error, not a panic.
func TestDecodeCutOff(t *testing.T) {
	lies := gptLayout(t)
	binary.LittleEndian.PutUint32(lies[4:], 0xFFFFFFFF)
	if _, err := decodeLayout(lies); !errors.Is(err, errShortAnswer) {
		t.Error("layout with too many entries:", err)
	}
	whole := gptLayout(t)
	for n := range len(whole) {
		if _, err := decodeLayout(whole[:n]); !errors.Is(err, errShortAnswer) {
			t.Fatalf("layout of %d bytes: %v", n, err)
		}
		decodeDescriptor(whole[:n])
		decodeExtents(whole[:n])
		decodeGeometry(whole[:n])
		decodeAlignment(whole[:n])
		decodeAttributes(whole[:n])
		decodeNumber(whole[:n])
		decodeLength(whole[:n])
	}
}

func FuzzDecodeAnswers(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := decodeLayout(b); err == nil && len(l.Partitions)*144 > len(b) {
			t.Error("more partitions than bytes")
		}
		decodeDescriptor(b)
		decodeExtents(b)
	})
}
