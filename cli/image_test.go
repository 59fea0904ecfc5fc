package cli

import "testing"

func TestParseImage(t *testing.T) {
	const id = "2394E9AA621DDC3A"
	tests := []struct {
		in      string
		windows bool
		want    imageRef
	}{
		{"", false, imageRef{}},
		{id, false, imageRef{Image: id}},
		{"/b/" + id + "-0003.vtr", false, imageRef{Image: "/b/" + id + "-0003.vtr"}},
		{"set@3", false, imageRef{Image: "set", Point: "3"}},
		{"set@latest", false, imageRef{Image: "set", Point: "latest"}},
		{"set@2026-11-02", false, imageRef{Image: "set", Point: "2026-11-02"}},
		{"set@2026-11-02T14:00", false, imageRef{Image: "set", Point: "2026-11-02T14:00"}},
		{"set@2026-11-02T14:00:2", false, imageRef{Image: "set", Point: "2026-11-02T14:00", Part: 2}},
		{"set@2026-11-02T14:00:30", false, imageRef{Image: "set", Point: "2026-11-02T14:00:30"}},
		{"set@2026-11-02T14:00:30:12", false, imageRef{Image: "set", Point: "2026-11-02T14:00:30", Part: 12}},
		{"set@2026-11-02T14:00Z:2:/a", false, imageRef{Image: "set", Point: "2026-11-02T14:00Z", Part: 2, Path: "/a"}},
		{"set@2026-11-02T14:00+01:00:/a", false, imageRef{Image: "set", Point: "2026-11-02T14:00+01:00", Path: "/a"}},
		{"set:2", false, imageRef{Image: "set", Part: 2}},
		{"set:2:/Users/ann", false, imageRef{Image: "set", Part: 2, Path: "/Users/ann"}},
		{"set:/Users/ann", false, imageRef{Image: "set", Path: "/Users/ann"}},
		{"set@3:2:/Users/ann", false, imageRef{Image: "set", Point: "3", Part: 2, Path: "/Users/ann"}},
		{"set:/", false, imageRef{Image: "set", Path: "/"}},
		{":/x", false, imageRef{Path: "/x"}},
		{":2:/x", false, imageRef{Part: 2, Path: "/x"}},
		// The path keeps what looks like a point or a partition.
		{"set:/a@3", false, imageRef{Image: "set", Path: "/a@3"}},
		{"set:/a:2", false, imageRef{Image: "set", Path: "/a:2"}},
		{"set:/a:/b", false, imageRef{Image: "set", Path: "/a:/b"}},
		// Names with the marks in them.
		{"/home/ann@work/x.vtr", false, imageRef{Image: "/home/ann@work/x.vtr"}},
		{"/home/ann@3/x.vtr@4", false, imageRef{Image: "/home/ann@3/x.vtr", Point: "4"}},
		{"./x@3/", false, imageRef{Image: "./x@3/"}},
		{"set@soon", false, imageRef{Image: "set@soon"}},
		{"set@3x", false, imageRef{Image: "set@3x"}},
		{"set:Users", false, imageRef{Image: "set:Users"}},
		{"set@3:Users", false, imageRef{Image: "set@3:Users"}},
		{"a:b.vtr:2", false, imageRef{Image: "a:b.vtr", Part: 2}},
		// Drives mean something on Windows alone.
		{`C:\b\x.vtr`, true, imageRef{Image: `C:\b\x.vtr`}},
		{`C:/b/x.vtr`, true, imageRef{Image: `C:/b/x.vtr`}},
		{`C:\b\x.vtr:2:/Users`, true, imageRef{Image: `C:\b\x.vtr`, Part: 2, Path: "/Users"}},
		{`C:\b\x.vtr:\Users\ann`, true, imageRef{Image: `C:\b\x.vtr`, Path: "/Users/ann"}},
		{`C:\b@3:\Users`, true, imageRef{Image: `C:\b`, Point: "3", Path: "/Users"}},
		{`\\?\C:\b:/x`, true, imageRef{Image: `\\?\C:\b`, Path: "/x"}},
		{`\\server\share\x.vtr:/a`, true, imageRef{Image: `\\server\share\x.vtr`, Path: "/a"}},
		{`\\.\C:`, true, imageRef{Image: `\\.\C:`}},
		{`C:/b`, false, imageRef{Image: "C", Path: "/b"}},
		{`x:\Users`, false, imageRef{Image: `x:\Users`}},
	}
	for _, tt := range tests {
		if got := parseImage(tt.in, tt.windows); got != tt.want {
			t.Errorf("parseImage(%q, windows=%v) = %+v, want %+v", tt.in, tt.windows, got, tt.want)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add(`C:\x@2026-11-02T14:00:2:/a`, true)
	f.Fuzz(func(t *testing.T, s string, windows bool) {
		r := parseImage(s, windows)
		if r.Path != "" && r.Path[0] != '/' {
			t.Errorf("path %q of %q does not start with /", r.Path, s)
		}
		if r.Part < 0 {
			t.Errorf("partition %d of %q", r.Part, s)
		}
	})
}
