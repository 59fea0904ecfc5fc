package check

import (
	"bytes"
	"fmt"
	"math/bits"
)

// geometry is what the boot sector says.
//
//	 3  8  "NTFS    "        48  8  LCN of $MFT       68  1  index block size
//	11  2  bytes per sector  56  8  LCN of $MFTMirr   72  8  serial number
//	13  1  sectors per cluster (above 0x80: 2^(256-n))  510 2 55 AA
//	40  8  sectors           64  1  record size
//
// The last two sizes are clusters, or when negative 2^-n bytes.
type geometry struct {
	sector, cluster, record, index int64 // bytes
	sectors, clusters              int64
	mft, mirror                    int64 // LCNs
	serial                         uint64
}

const (
	bootSize    = 512
	maxCluster  = 2 << 20
	maxClusters = 1 << 32 // of a volume, and of its file records: Windows makes no more
)

// boot finds the geometry, in the boot sector or its backup.
func (c *checker) boot() bool {
	if c.size < bootSize {
		c.find("B8", NoRecord, "", "The volume is not NTFS: %d bytes are less than a boot sector has.", c.size)
		return false
	}
	b := make([]byte, bootSize)
	if err := c.readAt(b, 0); err != nil {
		return c.unreadBoot(err)
	}
	if name := foreign(b); name != "" {
		c.find("B8", NoRecord, "", "The volume is %s, not NTFS.", name)
		return false
	}
	g, faults := parseBoot(b, c.size)
	back, own := c.backup(g)
	if string(b[3:11]) != "NTFS    " && back == nil && !c.anyRecord() {
		c.find("B8", NoRecord, "", "The volume is not NTFS: it has no boot sector of one, no backup of it and no file records.")
		return false
	}
	if len(faults) == 0 && c.plausible(g) {
		c.use(g)
		if !own {
			back = nil // what stands elsewhere may be an older volume's
		}
		c.compareBackup(b, back)
		return true
	}
	return c.fallBack(b, g, faults, back)
}

// unreadBoot reports that the boot sector cannot be read and goes on with its
// backup.
func (c *checker) unreadBoot(err error) bool {
	sev, saved := Fatal, false
	if back, _ := c.backup(geometry{}); back != nil {
		if g, bad := parseBoot(back, c.size); len(bad) == 0 && c.plausible(g) {
			sev, saved = Error, true
			c.use(g)
		}
	}
	c.findAs(sev, "B1", NoRecord, "", "The boot sector cannot be read: %v.%s", err, backupHint(saved))
	return saved
}

// fallBack reports the damage of the boot sector and goes on with its backup,
// or with itself when the damage does not matter.
func (c *checker) fallBack(b []byte, g geometry, faults []fault, back []byte) bool {
	bg, bad := geometry{}, []fault{{"B6", "missing"}}
	if back != nil {
		bg, bad = parseBoot(back, c.size)
	}
	saved := len(bad) == 0 && c.plausible(bg)
	if saved {
		faults = againstBackup(b, back, faults)
	} else if len(faults) == 0 && back != nil && len(bootDifferences(b, back)) == 0 {
		c.find("M3", fMFT, "", "There is no file table at cluster %d and no mirror at cluster %d.", g.mft, g.mirror)
		return false
	} else if len(faults) == 0 {
		faults = []fault{{"B5", fmt.Sprintf("there is no file table at cluster %d and no mirror at cluster %d", g.mft, g.mirror)}}
	}
	usable := saved || onlyCosmetic(faults) && c.plausible(g)
	for _, f := range faults {
		sev := Codes[f.code].Severity
		if !usable {
			sev = Fatal
		}
		what := "The boot sector is damaged"
		if f.code == "B4" && !saved {
			what = "The volume was cut short, or its number of sectors is wrong"
		}
		c.findAs(sev, f.code, NoRecord, "", "%s: %s.%s", what, f.msg, backupHint(saved))
	}
	if saved {
		g = bg
	}
	if usable {
		c.use(g)
	}
	return usable
}

func backupHint(saved bool) string {
	if saved {
		return " Its backup is sound and was used."
	}
	return ""
}

// onlyCosmetic reports that faults leave all figures usable.
func onlyCosmetic(faults []fault) bool {
	for _, f := range faults {
		if f.code != "B1" && f.code != "B2" && f.code != "B4" {
			return false
		}
	}
	return true
}

// againstBackup names the damage by what a sound backup has differently.
func againstBackup(b, back []byte, faults []fault) (out []fault) {
	for _, f := range faults {
		if f.code == "B1" || f.code == "B2" {
			out = append(out, f)
		}
	}
	for _, d := range bootDifferences(b, back) {
		out = append(out, fault{d.code, d.String() + " in the backup"})
	}
	if len(out) == 0 {
		return append(faults, fault{"B5", "it leads to no file table"})
	}
	return out
}

func (c *checker) use(g geometry) {
	// A volume may be cut off, but hardly to less than a quarter: then the number of
	// sectors is what is wrong, and no bound of the check follows it.
	if most := c.size / g.cluster; g.sectors <= 0 || g.clusters/4 > most {
		g.clusters = most
	}
	g.clusters = min(g.clusters, maxClusters)
	c.g = g
	v := &c.rep.Volume
	v.Serial, v.Size = fmt.Sprintf("%016X", g.serial), g.sectors*g.sector
	v.SectorSize, v.ClusterSize, v.RecordSize, v.Clusters = g.sector, g.cluster, g.record, g.clusters
	if g.serial == 0 {
		c.find("B7", NoRecord, "", "The volume has no serial number.")
	}
	if room := c.size - v.Size; room > g.cluster+g.sector {
		c.findAs(Info, "B4", NoRecord, "", "The volume is %d bytes smaller than its device.", room)
	}
}

// foreign names what else a boot sector may announce.
func foreign(b []byte) string {
	toGo := []byte{0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01}
	switch {
	case string(b[3:11]) == "-FVE-FS-", bytes.Equal(b[0x1a8:0x1b8], toGo):
		return "encrypted with BitLocker"
	case string(b[3:7]) == "ReFS":
		return "ReFS"
	case string(b[3:11]) == "EXFAT   ":
		return "exFAT"
	}
	return ""
}

// anyRecord reports whether a file record stands at the start of the volume, or where
// Windows puts them in larger ones.
func (c *checker) anyRecord() bool {
	b := make([]byte, 1<<20)
	for _, off := range []int64{0, 0xC0000 << 12} {
		p := b[:max(0, min(int64(len(b)), c.size-off))]
		if c.readAt(p, off) != nil {
			continue
		}
		for i := 0; i+4096 <= len(p); i += 512 {
			if string(p[i:i+4]) == "FILE" && (isRecord(bytes.Clone(p[i:i+1024])) || isRecord(bytes.Clone(p[i:i+4096]))) {
				return true
			}
		}
	}
	return false
}

func parseBoot(b []byte, size int64) (g geometry, faults []fault) {
	add := func(code, format string, args ...any) {
		faults = append(faults, fault{code, fmt.Sprintf(format, args...)})
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		add("B1", "its signature is %02X %02X instead of 55 AA", b[510], b[511])
	}
	if string(b[3:11]) != "NTFS    " {
		add("B2", "it names the file system %q", b[3:11])
	}
	for _, f := range []struct {
		off, n int
		what   string
	}{{14, 2, "reserved sectors"}, {16, 1, "FATs"}, {17, 2, "root entries"}, {19, 2, "sectors in 16 bits"}, {22, 2, "sectors of a FAT"}, {32, 4, "sectors in 32 bits"}} {
		if v := number(b[f.off : f.off+f.n]); v != 0 {
			add("B2", "its number of %s is %d, which is 0 on NTFS", f.what, v)
		}
	}
	g.serial, g.sectors = le.Uint64(b[72:]), int64(le.Uint64(b[40:]))
	g.mft, g.mirror = int64(le.Uint64(b[48:])), int64(le.Uint64(b[56:]))
	if g.sector = int64(le.Uint16(b[11:])); !power(g.sector, 512, 4096) {
		add("B3", "a sector of %d bytes is impossible", g.sector)
		return g, faults
	}
	if g.cluster = clusterBytes(b[13]) * g.sector; !power(g.cluster, g.sector, maxCluster) {
		add("B3", "a cluster of %d (raw byte %#02x) sectors is impossible", g.cluster/g.sector, b[13])
		return g, faults
	}
	if g.record = structBytes(b[64], g.cluster); !power(g.record, 512, 64<<10) {
		add("B3", "a file record of %d bytes (raw byte %#02x) is impossible", g.record, b[64])
	}
	if g.index = structBytes(b[68], g.cluster); !power(g.index, 512, 2<<20) {
		add("B3", "an index block of %d bytes (raw byte %#02x) is impossible", g.index, b[68])
	}
	g.clusters = g.sectors / (g.cluster / g.sector)
	if g.sectors <= 0 || g.sectors > size/g.sector {
		add("B4", "it claims %d sectors of %d bytes, and %d bytes are here", g.sectors, g.sector, size)
		return g, faults
	}
	if g.clusters > maxClusters {
		add("B4", "it claims %d clusters, and NTFS has 2^32 at most", g.clusters)
	}
	for _, p := range []struct {
		what string
		lcn  int64
	}{{"the file table", g.mft}, {"its mirror", g.mirror}} {
		if p.lcn <= 0 || p.lcn >= g.clusters {
			add("B5", "%s at cluster %d is outside the volume of %d clusters", p.what, p.lcn, g.clusters)
		}
	}
	if g.mft == g.mirror {
		add("B5", "the file table and its mirror have the same place")
	}
	return g, faults
}

// power reports whether v is a power of two within [low, high].
func power(v, low, high int64) bool { return v >= low && v <= high && bits.OnesCount64(uint64(v)) == 1 }

func clusterBytes(b byte) int64 {
	if b > 0x80 {
		return 1 << min(256-int(b), 30)
	}
	return int64(b)
}

func structBytes(b byte, cluster int64) int64 {
	if b >= 0x80 {
		return 1 << min(256-int(b), 30)
	}
	return int64(b) * cluster
}

// plausible reports whether a file record stands where g says, at the file
// table's or its mirror's start.
func (c *checker) plausible(g geometry) bool {
	for _, lcn := range []int64{g.mft, g.mirror} {
		b := make([]byte, g.record)
		if c.readAt(b, lcn*g.cluster) == nil && isRecord(b) {
			return true
		}
	}
	return false
}

// isRecord reports whether b is a whole, untorn file record of this size.
func isRecord(b []byte) bool {
	return string(b[:4]) == "FILE" && fixup(b, headOld) == "" && int64(le.Uint32(b[28:])) == int64(len(b))
}

// backup finds the backup boot sector: behind the last sector (own), at the
// device's end, or, by old versions, in the middle.
func (c *checker) backup(g geometry) (b []byte, own bool) {
	places := []int64{g.sectors * g.sector, c.size - 512, c.size - 1024, c.size - 2048, c.size - 4096, c.size / 2 &^ 511}
	for i, off := range places {
		b := make([]byte, bootSize)
		if off <= 0 || c.readAt(b, off) != nil || string(b[3:11]) != "NTFS    " {
			continue
		}
		return b, i == 0
	}
	return nil, false
}

// difference is a field that two boot sectors have differently.
type difference struct {
	code, name string
	a, b       uint64
	grave      bool
}

func (d difference) String() string { return fmt.Sprintf("%s is %d, but %d", d.name, d.a, d.b) }

// bootDifferences compares all fields that matter.
func bootDifferences(a, b []byte) (out []difference) {
	for _, f := range []struct {
		code, name string
		off, n     int
		grave      bool
	}{
		{"B3", "the sector size", 11, 2, true}, {"B3", "the raw cluster size", 13, 1, true},
		{"B4", "the number of sectors", 40, 8, true}, {"B5", "the file table's cluster", 48, 8, true},
		{"B5", "the mirror's cluster", 56, 8, true}, {"B3", "the raw record size", 64, 1, true},
		{"B3", "the raw index block size", 68, 1, true}, {"B6", "the serial number", 72, 8, false},
	} {
		if x, y := number(a[f.off:f.off+f.n]), number(b[f.off:f.off+f.n]); x != y {
			out = append(out, difference{f.code, f.name, x, y, f.grave})
		}
	}
	return out
}

func firstDifference(a, b []byte) int {
	i := 0
	for i < bootSize && a[i] == b[i] {
		i++
	}
	return i
}

func number(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// compareBackup judges the backup of a sound boot sector. It is often zero in
// images, so that its absence is never an error.
func (c *checker) compareBackup(b, back []byte) {
	if back == nil {
		c.find("B6", NoRecord, "", "There is no backup boot sector at the volume's end.")
		return
	}
	diffs := bootDifferences(b, back)
	for _, d := range diffs {
		sev := Warning
		if _, bad := parseBoot(back, c.size); d.grave && len(bad) == 0 {
			sev = Error
		}
		c.findAs(sev, d.code, NoRecord, "", "The boot sector and its backup differ: %s in the backup.", d)
	}
	switch i := firstDifference(b, back); {
	case len(diffs) > 0:
	case back[510] != 0x55 || back[511] != 0xaa:
		c.find("B6", NoRecord, "", "The backup boot sector has no signature 55 AA.")
	case i < bootSize:
		c.findAs(Info, "B6", NoRecord, "", "The boot sector and its backup differ from byte %d on, in what reading the volume does not need.", i)
	}
}
