package check

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestReportAsJSON(t *testing.T) {
	rep := Report{Worst: Error, Findings: []Finding{
		{"B4", Error, NoRecord, "", "", "The number of sectors is wrong."},
		{"R7", Warning, 70, "/\xed\xa0\x80", "", "Record 70 has 1 names but counts 2 links."},
		{"R7", Warning, 0, "/$MFT", "$FILE_NAME", "Record 0 has 1 names but counts 2 links."},
	}}
	b, err := json.Marshal(&rep)
	must(t, err)
	for _, want := range []string{`"worst":"error"`, `{"code":"B4","severity":"error","message":`, `"record":0,"path":"/$MFT"`, `"path_bytes":"L+2ggA=="`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	var back Report
	must(t, json.Unmarshal(b, &back))
	if !slices.Equal(back.Findings, rep.Findings) || back.Worst != Error {
		t.Errorf("read back: %+v", back)
	}
}

func TestFindingsBeyondTheBoundAreCounted(t *testing.T) {
	c := newChecker(t.Context(), nil, 0, Options{MaxPerCode: 3})
	for i := range 10 {
		c.find("R7", uint64(9-i), "", "link %d", i)
	}
	c.find("M3", NoRecord, "", "fatal")
	c.rep.finish()
	r := c.rep
	if len(r.Findings) != 4 || r.Omitted["R7"] != 7 || r.Errors != 11 || r.Findings[0].Code != "M3" || r.Findings[1].Record != 7 {
		t.Errorf("%+v", r)
	}
}

// TestOmittedFindingsKeepTheirSeverity: a code's findings may be milder or worse
// than usual; many of one severity take no room from the others.
func TestOmittedFindingsKeepTheirSeverity(t *testing.T) {
	c := newChecker(t.Context(), nil, 0, Options{MaxPerCode: 3})
	for range 10 {
		c.findAs(Warning, "R3", 1, "", "untidy")
		c.findAs(Info, "R3", 1, "", "remark")
	}
	c.rep.finish()
	if r := c.rep; r.Worst != Warning || r.Errors != 0 || r.Warnings != 10 || r.Omitted["R3"] != 14 || r.Summary != "The file system is sound; 10 warnings." {
		t.Errorf("%+v", r)
	}
	c.find("R3", 2, "", "broken")
	c.rep.finish()
	if r := c.rep; !r.Damaged() || r.Findings[0].Message != "broken" || r.Summary != "The file system is damaged: 1 error, 10 warnings." {
		t.Errorf("%+v", r)
	}
}

func TestSummaries(t *testing.T) {
	for want, rep := range map[string]Report{
		"The file system is sound.":                                     {},
		"The file system is sound; 1 warning.":                          {Worst: Warning, Warnings: 1},
		"The file system is damaged: 1 error, 0 warnings.":              {Worst: Error, Errors: 1},
		"The file system cannot be read in full: The table is missing.": {Worst: Fatal, Findings: []Finding{{Code: "M3", Severity: Fatal, Message: "The table is missing."}}},
	} {
		if got := rep.summary(); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

func TestEveryCodeIsOrderedAndExplained(t *testing.T) {
	for code, c := range Codes {
		if len(code) < 2 || !strings.HasSuffix(c.Meaning, ".") {
			t.Errorf("%s: %q", code, c.Meaning)
		}
	}
	if compareCodes("C2", "C10") >= 0 || compareCodes("B9", "C1") >= 0 {
		t.Error("codes sort wrongly")
	}
}

// TestManySpans: neighbours and what is told twice are one range; what does not fit
// is counted.
func TestManySpans(t *testing.T) {
	var s spans
	for range 3 {
		for i := range int64(maxSpans / 2) {
			s.add(2*i, 1)
		}
	}
	s.add(1<<20, 7)
	s.add(1<<20+7, 3)
	s.add(1<<20+2, 3)
	s.merge()
	if last := s.list[len(s.list)-1]; len(s.list) != maxSpans/2+1 || s.more != 0 || last.lcn != 1<<20 || last.n != 10 {
		t.Errorf("%d ranges, %d more, %+v", len(s.list), s.more, last)
	}
	for i := range int64(maxSpans) {
		s.add(1<<21+2*i, 1)
	}
	before := s.more
	s.add(4, 1)
	s.add(1<<20+1, 9)
	s.add(1, 1)
	if len(s.list) > maxSpans || before == 0 || s.more != before+1 {
		t.Errorf("%d ranges, %d more, then %d", len(s.list), before, s.more)
	}
}
