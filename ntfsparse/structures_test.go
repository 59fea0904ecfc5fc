package ntfsparse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// structure reads a file below the samples' folder of structures.
func structure(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(structures(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func structures(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("VITRINE_SAMPLES"), "../../shared/samples"} {
		if _, err := os.Stat(filepath.Join(dir, "structures")); dir != "" && err == nil {
			return filepath.Join(dir, "structures")
		}
	}
	t.Skip("the foreign samples are not here: set VITRINE_SAMPLES")
	return ""
}

// pieces is a device of which only some ranges are known; the rest is zeros.
type pieces map[int64][]byte

func (p pieces) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for at, data := range p {
		if from := max(at, off); from < min(at+int64(len(data)), off+int64(len(b))) {
			copy(b[from-off:], data[from-at:])
		}
	}
	return len(b), nil
}

func TestRealBootSectors(t *testing.T) {
	for _, c := range []struct {
		name           string
		sector, record int
		cluster        int64
	}{
		{"512.boot", 512, 1024, 512}, {"4k.boot", 512, 1024, 4096}, {"4kn.boot", 4096, 4096, 4096},
		{"64k.boot", 512, 1024, 65536}, {"128k.boot", 512, 1024, 128 << 10}, {"nobootcode.boot", 512, 1024, 4096},
	} {
		b, err := ParseBoot(structure(t, "dfir_ntfs/"+c.name))
		if err != nil || b.SectorSize != c.sector || b.ClusterSize != c.cluster || b.RecordSize != c.record {
			t.Errorf("%s: %+v, %v", c.name, b, err)
		}
	}
}

// mftVolume shows an MFT alone as a volume: each piece at the place that the
// MFT's first record gives for it.
func mftVolume(t *testing.T, name string, recordSize int) *Volume {
	t.Helper()
	mft := structure(t, name)
	rec, err := ParseRecord(0, bytes.Clone(mft[:recordSize]))
	if err != nil {
		t.Fatal(err)
	}
	attrs, _ := collect(nil, rec)
	boot := bytes.Clone(structure(t, "dfir_ntfs/4k.boot"))
	boot[0x40] = map[int]byte{1024: 0xF6, 4096: 0xF4}[recordSize]
	data := extentsOf(attrs, TypeData, "")[0]
	cluster := data.Alloc() / (data.HighVCN() + 1)
	boot[0x0D] = byte(cluster / 512)
	le.PutUint64(boot[0x28:], 1<<40)
	dev := pieces{0: boot}
	DecodeRuns(data.RunList(), 0, 1<<40, func(r Run) bool {
		if r.VCN == 0 {
			le.PutUint64(boot[0x30:], uint64(r.LCN))
		}
		from, to := r.VCN*cluster, min((r.VCN+r.Len)*cluster, int64(len(mft)))
		if from < to {
			dev[r.LCN*cluster] = mft[from:to]
		}
		return true
	})
	v, err := Open(dev, 1<<50)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var flsLine = regexp.MustCompile(`^(?:r/r|d/d) (\d+)-(\d+)-\d+:\t([^\t]*)\t(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \((\w+)\)\t.*\t(\d+)\t\d+\t\d+$`)

// TestRealMFTs compares names and sizes with the listings made by fls.
func TestRealMFTs(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
	}{{"4k-large", 4096}, {"orphan", 1024}, {"unicode", 1024}} {
		t.Run(c.name, func(t *testing.T) {
			v := mftVolume(t, "dfir_ntfs/"+c.name+".mft", c.size)
			got := map[string]string{}
			err := v.Walk(context.Background(), func(e *WalkEntry) error {
				if !e.Info.IsDir {
					got[strings.TrimPrefix(e.Path, "/")] = fmt.Sprintf("%d %d", e.Info.Ref.Record(), e.Info.Size)
				}
				return e.Err
			})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(structure(t, "dfir_ntfs/"+c.name+".fls"))) {
				m := flsLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
				if m == nil || m[2] != "128" || strings.Contains(m[3], ":") || len(m[1]) < 2 || m[1] < "24" || strings.HasPrefix(m[3], "$Extend") {
					continue
				}
				n++
				if want := m[1] + " " + m[6]; got[m[3]] != want {
					t.Errorf("%s: got %q, want %q", m[3], got[m[3]], want)
				}
				delete(got, m[3])
			}
			if len(got) > 0 || n == 0 {
				t.Errorf("%d names in the listing; besides: %v", n, got)
			}
		})
	}
}

// TestMappingPairs decodes every run list of MFTs that have odd ones.
func TestMappingPairs(t *testing.T) {
	for _, name := range []string{"mapping_pairs_1", "mapping_pairs_2", "compressed_sparse", "deleted", "different_la", "slack", "slack-2", "slack-3"} {
		v := mftVolume(t, "dfir_ntfs/"+name+".mft", 1024)
		lists := 0
		err := v.Scan(context.Background(), 0, func(n uint64, rec *Record, err error) error {
			if err != nil || !rec.InUse() {
				return err
			}
			for a, err := range rec.Attrs() {
				if err != nil {
					t.Errorf("%s: record %d: %v", name, n, err)
					continue
				}
				if a.Resident() {
					continue
				}
				lists++
				if err := new(Runs).addExtent(a, geometry{v.geo.cluster, v.geo.shift, 1 << 50}); err != nil && a.LowVCN() == 0 {
					t.Errorf("%s: record %d, %v: %v", name, n, a.Type(), err)
				}
			}
			return nil
		})
		if err != nil || lists == 0 {
			t.Errorf("%s: %d run lists, %v", name, lists, err)
		}
	}
}

// sectors opens a volume of which single sectors were recorded.
func sectors(t *testing.T, name string) *Volume {
	t.Helper()
	dev := pieces{}
	list, _ := filepath.Glob(filepath.Join(structures(t), "go-ntfs", name, "0x*.bin"))
	for _, file := range list {
		off, _ := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".bin"), 0, 64)
		dev[off], _ = os.ReadFile(file)
	}
	v, err := Open(dev, 1<<50)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var istatRun = regexp.MustCompile(`Start?ing address: (\w+), length: (\d+)`)

// istatRuns reads the runs of the n-th non-resident attribute that istat
// lists as ranges.
func istatRuns(t *testing.T, name, attribute string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(string(structure(t, "go-ntfs/"+name+"/istat.txt")), attribute)
	if !ok {
		t.Fatalf("istat of %s lists no %s", name, attribute)
	}
	if i := strings.Index(rest, "Type:"); i >= 0 {
		rest = rest[:i]
	}
	var runs []string
	for _, m := range istatRun.FindAllStringSubmatch(rest, -1) {
		runs = append(runs, m[1]+" "+m[2])
	}
	return runs
}

// runStrings shows runs like istat, which does not join those that touch.
func runStrings(t *testing.T, f *File, typ AttrType, name string) []string {
	t.Helper()
	var runs []string
	for _, a := range extentsOf(f.attrs, typ, string(EncodeName(name))) {
		err := DecodeRuns(a.RunList(), a.LowVCN(), 1<<40, func(r Run) bool {
			at := fmt.Sprint(r.LCN)
			if r.LCN == Hole {
				at = "X"
			}
			runs = append(runs, fmt.Sprintf("%s %d", at, r.Len))
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
	return runs
}

func TestRecordedSectors(t *testing.T) {
	for _, c := range []struct {
		dir    string
		record uint64
		typ    AttrType
		name   string
		listed string
	}{
		{"highly_fragmented_mft", 0, TypeData, "", "Type: $DATA"},
		{"highly_fragmented_mft", 0, TypeBitmap, "", "Type: $BITMAP"},
		{"usn_with_two_vcns", 68310, TypeData, "$J", "Name: $J"},
	} {
		v := sectors(t, c.dir)
		f, err := v.File(c.record)
		if err != nil {
			t.Errorf("%s: %v", c.dir, err)
			continue
		}
		want, got := istatRuns(t, c.dir, c.listed), runStrings(t, f, c.typ, c.name)
		if n := len(want); n == len(got) && n > 0 { // istat ends the last run at the file's size
			want[n-1], got[n-1] = strings.Fields(want[n-1])[0], strings.Fields(got[n-1])[0]
		}
		if len(want) == 0 || fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("%s %v: %d runs, istat has %d\n got %v\nwant %v", c.dir, c.typ, len(got), len(want), got, want)
		}
	}
}

func TestSmallValidLength(t *testing.T) {
	f, err := sectors(t, "large_file_small_init").File(46)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil || s.Size() != 1<<20 || s.Valid() != 4096 {
		t.Fatalf("%+v, %v", s, err)
	}
	b := make([]byte, 1<<20)
	if _, err := s.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if zeros(b[:4096]) || !zeros(b[4096:]) {
		t.Error("what was never written does not read as zeros")
	}
}

func TestRealLogs(t *testing.T) {
	for _, c := range []struct {
		name string
		want LogState
	}{
		{"LogFile_7.bin", LogState{Major: 1, Minor: 1}},
		{"LogFile_10.bin", LogState{Major: 2, Minor: 0}},
		{"LogFile_10_large.bin", LogState{Major: 2, Minor: 0}},
		{"LogFile_10_downgraded.bin", LogState{Major: 1, Minor: 1}},
		{"LogFile_empty.bin", LogState{Empty: true, Clean: true}},
	} {
		s, err := ParseLog(structure(t, "dfir_ntfs/"+c.name))
		t.Logf("%s: %+v", c.name, s)
		if err != nil || s.Major != c.want.Major || s.Minor != c.want.Minor || s.Empty != c.want.Empty {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
}

func TestRealEAs(t *testing.T) {
	for _, name := range []string{"ea-1.bin", "ea-2.bin"} {
		list, err := ParseEAs(structure(t, "dfir_ntfs/"+name))
		if err != nil || len(list) != 2 || list[0].Name != "LXXATTR" || list[1].Name != "LXATTRB" || len(list[1].Value) != 56 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	p, ok := parseLXAttr(structure(t, "dfir_ntfs/lxattrb_wsl_1.bin"))
	if !ok || p.Mode != 0o100644 {
		t.Errorf("LXATTRB: %+v", p)
	}
	x := parseLXXattr(structure(t, "dfir_ntfs/lxxattr_wsl_1.bin"))
	want := []EA{{Name: "user.test", Value: []byte("test_value")}, {Name: "user.another_test", Value: []byte("another_value")}}
	if fmt.Sprint(x) != fmt.Sprint(want) {
		t.Errorf("LXXATTR: %q", x)
	}
}

func TestRealReparsePoint(t *testing.T) {
	rec, err := ParseRecord(0x6A, structure(t, "dfir_ntfs/rp.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var in Info
	if err := new(Volume).infoOf(rec, &in, nil); err != nil {
		t.Fatal(err)
	}
	if target, err := in.LinkTarget(); target != "target.txt" || err != nil {
		t.Errorf("%q, %v", target, err)
	}
}

// "." and ".." are names in need of an escape, but not as a link's target.
func TestLinkToFolderAbove(t *testing.T) {
	for _, target := range []string{".", "..", "../..", "./x", "a/..", "...", "\U0010FF2E", "\xED\xA0\x80"} {
		units := EncodeName(target)
		if target == "\U0010FF2E" {
			units = appendUnits(nil, escapeBase+'.')
			target = "\U0010FF5C\U0010FF2E"
		}
		in := Info{resident: true, Size: int64(8 + len(units)), data: append([]byte(interixLink), units...)}
		in.Attributes = WinSystem
		if got, err := in.LinkTarget(); err != nil || got != target {
			t.Errorf("Interix: %q, want %q; %v", got, target, err)
		}
		data := make([]byte, 12, 12+len(units))
		le.PutUint16(data[2:], uint16(len(units)))
		le.PutUint32(data[8:], 1)
		p := ReparsePoint{Tag: TagSymlink, Data: append(data, units...)}
		if got, err := p.LinkTarget(); err != nil || got != target {
			t.Errorf("symlink: %q, want %q; %v", got, target, err)
		}
	}
}

var fsutilField = regexp.MustCompile(`(?m)^(Usn|File name|Reason|File ID|Parent file ID|File attributes|Major version|Record length) *: (?:0x)?([^\r\n]*?)(?:: .*)?\r?$`)

// TestRealJournal compares the records with what fsutil says about them.
func TestRealJournal(t *testing.T) {
	var want, got []string
	for entry := range strings.SplitSeq(string(structure(t, "dfir_ntfs/usnjrnlj.fsutil.txt")), "Usn               :") {
		m := map[string]string{}
		for _, f := range fsutilField.FindAllStringSubmatch("Usn               :"+entry, -1) {
			m[f[1]] = f[2]
		}
		if m["File ID"] == "" || m["Major version"] == "4" {
			continue
		}
		want = append(want, fmt.Sprint(m["Usn"], m["File name"], m["Reason"], m["File ID"][16:], m["Parent file ID"][16:]))
	}
	b := structure(t, "dfir_ntfs/usnjrnlj.bin")
	for off := 0; off < len(b); off += usnPage {
		usnRecords(b[off:min(off+usnPage, len(b))], func(r USNRecord, err error) bool {
			if err != nil {
				t.Error(err)
			}
			if r.Major < 4 {
				got = append(got, fmt.Sprint(r.USN, r.Name, fmt.Sprintf("%08x", r.Reason), fmt.Sprintf("%016x", uint64(r.File)), fmt.Sprintf("%016x", uint64(r.Parent))))
			}
			return true
		})
	}
	t.Logf("%d records, fsutil shows %d", len(got), len(want))
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("record %d: got %s, want %s", i, got[i], want[i])
		}
	}
	if len(got) == 0 || len(want) == 0 {
		t.Error("nothing compared")
	}
}

var _ io.ReaderAt = pieces{}
