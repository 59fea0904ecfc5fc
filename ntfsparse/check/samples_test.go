package check

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// judged checks an image that is in memory.
func judged(t testing.TB, img []byte, o Options) *Report {
	t.Helper()
	rep, err := Run(context.Background(), bytes.NewReader(img), int64(len(img)), o)
	must(t, err)
	return rep
}

// judgedFile checks an image file, contents and all.
func judgedFile(t testing.TB, path string) *Report {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	rep, err := Run(context.Background(), f, st.Size(), Options{Deep: true})
	must(t, err)
	return rep
}

// sound fails the test for anything above a warning.
func sound(t testing.TB, rep *Report) {
	t.Helper()
	for _, f := range rep.Findings {
		if f.Severity > Warning {
			t.Errorf("%v %s %s: %s", f.Severity, f.Code, f.Path, f.Message)
		} else {
			t.Logf("%v %s %s: %s", f.Severity, f.Code, f.Path, f.Message)
		}
	}
}

// codes lists the codes of at least severity s, each once.
func codes(rep *Report, s Severity) (out []string) {
	for _, f := range rep.Findings {
		if f.Severity >= s && !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

// damagedSamples tells which code each damaged sample must have at least.
var damagedSamples = map[string]string{
	"bs_bytes_per_sector":             "B3",
	"bs_filesystem_siganture":         "B2",
	"bs_index_record_size":            "B3",
	"bs_mft_cluster_number":           "B5",
	"bs_mft_record_size":              "B3",
	"bs_mftmirror_cluster_number":     "B5",
	"bs_sector_per_cluster":           "B3",
	"bs_sector_signature":             "B1",
	"bs_total_sectors":                "B4",
	"mft_attr_bad_fields":             "T1 T2 T3",
	"mft_bitmap_unset_mft_in_use":     "M6",
	"mft_bitmap_unset_mft_in_use_2":   "M6 I9",
	"mft_file_bad_base_mft_record":    "R10 M7",
	"mft_file_bad_fixup_value_count":  "R2 M2",
	"mft_file_bad_fixup_value_offset": "R2 M2",
	"mft_file_bad_link_count":         "R7",
	"mft_file_bad_sequence_number":    "R6 M7 I7",
	"mft_file_corrupt_attrlist":       "R10 T13",
	"mft_file_missing_attrlist":       "R10 T13",
	"mft_file_missing_bitmap_attr":    "M5",
	"mft_file_missing_data_attr":      "M2",
	"mft_file_missing_filename_attr":  "R12 R7",
	"mft_non_attr_bad_fields":         "T1 T5 T7 T8",
	"mft_record_bad_fields":           "R1 R2 R3 R4 R6 R7 R8 R10",
}

// samples is the folder of volumes that other people made.
func samples(t testing.TB) string {
	if p := os.Getenv("VITRINE_SAMPLES"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	must(t, err)
	for ; len(dir) > 1; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		if p := filepath.Join(dir, "..", "shared", "samples"); exists(p) {
			return p
		}
	}
	t.Skip("the foreign samples are absent: set VITRINE_SAMPLES")
	return ""
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}
