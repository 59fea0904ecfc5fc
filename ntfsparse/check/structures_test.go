package check

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestRealRecords judges the file records of real Windows volumes of which only
// the file table was kept: nothing in them may look wrong.
func TestRealRecords(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples(t), "structures", "dfir_ntfs", "*.mft"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no file tables there")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { judgeTable(t, f) })
	}
}

func judgeTable(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	must(t, err)
	c := newChecker(context.Background(), nil, 1<<44, Options{})
	c.info, c.up = volumeInfo{major: 3, minor: 1}, plainUpcase()
	c.g = geometry{sector: 512, cluster: 4096, record: int64(le.Uint32(b[28:])), clusters: 1 << 32}
	c.records = uint64(int64(len(b)) / c.g.record)
	c.table.init(1 << 32 / 1024)
	c.owned.reset(0, c.g.clusters)
	for off := int64(0); off+c.g.record <= int64(len(b)); off += c.g.record {
		if rec := b[off : off+c.g.record]; string(rec[:4]) == "FILE" {
			c.scanRecord(uint64(le.Uint32(rec[44:])), rec)
		}
	}
	t.Logf("%+v", c.rep.Counts)
	for _, f := range c.rep.Findings {
		t.Errorf("%v %s record %d: %s", f.Severity, f.Code, f.Record, f.Message)
	}
}
