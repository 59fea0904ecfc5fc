package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Severity says how bad a finding is.
type Severity uint8

// Severities, rising.
const (
	Info    Severity = iota // normal, but worth knowing
	Warning                 // stale, untidy or lost space; no data in danger
	Error                   // a repair is needed; data are or can get lost
	Fatal                   // the check cannot go further here
)

var severityNames = [...]string{"info", "warning", "error", "fatal"}

func (s Severity) String() string { return severityNames[min(int(s), len(severityNames)-1)] }

// MarshalText gives the severity as a word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *Severity) UnmarshalText(b []byte) error {
	i := slices.Index(severityNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("no severity: %q", b)
	}
	*s = Severity(i)
	return nil
}

// NoRecord stands for findings that belong to no file record.
const NoRecord = ^uint64(0)

// Finding is one thing that is wrong or worth knowing.
type Finding struct {
	Code      string   `json:"code"` // never changes its meaning, see [Codes]
	Severity  Severity `json:"severity"`
	Record    uint64   `json:"record"`              // file record number; NoRecord: none, and not in JSON
	Path      string   `json:"path,omitempty"`      // of the record, '/' separated from the root
	Attribute string   `json:"attribute,omitempty"` // such as "$DATA:stream"
	Message   string   `json:"message"`             // a plain sentence
}

// plainFinding is a finding as JSON has it: with the path as bytes, too, where it is
// not valid Unicode.
type plainFinding struct {
	unmarshaled
	PathBytes []byte `json:"path_bytes,omitempty"`
}

type unmarshaled Finding // without the methods

// MarshalJSON leaves the record out where there is none.
func (f Finding) MarshalJSON() ([]byte, error) {
	p := plainFinding{unmarshaled: unmarshaled(f)}
	if !utf8.ValidString(f.Path) {
		p.PathBytes = []byte(f.Path)
	}
	if f.Record != NoRecord {
		return json.Marshal(p)
	}
	return json.Marshal(struct {
		plainFinding
		Record *uint64 `json:"record,omitempty"`
	}{plainFinding: p})
}

// UnmarshalJSON reads what MarshalJSON gives.
func (f *Finding) UnmarshalJSON(b []byte) error {
	p := plainFinding{unmarshaled: unmarshaled{Record: NoRecord}}
	err := json.Unmarshal(b, &p)
	if *f = Finding(p.unmarshaled); p.PathBytes != nil {
		f.Path = string(p.PathBytes)
	}
	return err
}

// Volume describes the volume that was checked.
type Volume struct {
	Label        string `json:"label"`
	Serial       string `json:"serial"` // 16 hexadecimal digits
	Version      string `json:"version"`
	Size         int64  `json:"size"` // bytes, the backup boot sector not counted
	SectorSize   int64  `json:"sector_size"`
	ClusterSize  int64  `json:"cluster_size"`
	RecordSize   int64  `json:"record_size"`
	Clusters     int64  `json:"clusters"`
	UsedClusters int64  `json:"used_clusters"` // as $Bitmap says
	Dirty        bool   `json:"dirty"`
	LogUnclean   bool   `json:"log_unclean"` // the log holds work that was not finished
	Hibernated   bool   `json:"hibernated"`
}

// Counts says how much was looked at.
type Counts struct {
	Records         int64 `json:"records"` // in use
	Extensions      int64 `json:"extension_records"`
	Files           int64 `json:"files"`
	Folders         int64 `json:"folders"`
	Streams         int64 `json:"data_streams"`
	ReparsePoints   int64 `json:"reparse_points"`
	IndexEntries    int64 `json:"index_entries"`
	IndexBlocks     int64 `json:"index_blocks"`
	Descriptors     int64 `json:"security_descriptors"`
	OwnedClusters   int64 `json:"owned_clusters"`   // by run lists
	UnownedClusters int64 `json:"unowned_clusters"` // marked used, owned by nobody
}

// Report is the outcome of a check.
type Report struct {
	Worst    Severity       `json:"worst"`
	Summary  string         `json:"summary"` // a plain sentence
	Errors   int            `json:"errors"`  // findings of severity error or fatal, those left out counted
	Warnings int            `json:"warnings"`
	Volume   Volume         `json:"volume"`
	Counts   Counts         `json:"counts"`
	Findings []Finding      `json:"findings"`          // worst first, then by code and record
	Omitted  map[string]int `json:"omitted,omitempty"` // findings beyond the bound, by code

	Incomplete bool `json:"incomplete,omitempty"` // not all was looked at, or can be judged: a finding V11, T18 or D3 says what
}

// Damaged reports whether something needs repair.
func (r *Report) Damaged() bool { return r.Worst >= Error }

func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), compareCodes(a.Code, b.Code), cmp.Compare(a.Record+1, b.Record+1), cmp.Compare(a.Message, b.Message))
	})
	r.Summary = r.summary()
	if r.Incomplete {
		r.Summary += " Not all was looked at."
	}
}

// compareCodes orders C2 before C10.
func compareCodes(a, b string) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func (r *Report) summary() string {
	errs, warns := r.Errors, r.Warnings
	switch {
	case r.Worst == Fatal:
		return "The file system cannot be read in full: " + r.firstMessage()
	case errs > 0 && (r.Volume.LogUnclean || r.Volume.Dirty):
		return "The file system is damaged: " + plural(errs, "error") + ", " + plural(warns, "warning") +
			". It was not cleanly unmounted: replaying its log may mend some of them."
	case errs > 0:
		return "The file system is damaged: " + plural(errs, "error") + ", " + plural(warns, "warning") + "."
	case warns > 0:
		return "The file system is sound; " + plural(warns, "warning") + "."
	}
	return "The file system is sound."
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (r *Report) firstMessage() string {
	if len(r.Findings) == 0 {
		return "nothing could be read."
	}
	return r.Findings[0].Message
}
