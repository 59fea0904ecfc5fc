package mount

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestStartTime(t *testing.T) {
	own := startTime(os.Getpid())
	if n, err := strconv.Atoi(own); err != nil || n <= 0 {
		t.Errorf("own start time %q", own)
	}
	if s := startTime(1 << 30); s != "" {
		t.Errorf("a process that is not there started at %q", s)
	}
}

func TestHides(t *testing.T) {
	for _, tt := range []struct {
		dir, image string
		want       bool
	}{
		{"/a/b", "/a/b/c.vtr", true}, {"/a/b", "/a/b/c/d.vtr", true}, {"/a/b", "/a/bc.vtr", false},
		{"/a/b", "", false}, {"/a/b/c", "/a/b/c.vtr", false}, {"/", "/x.vtr", true},
	} {
		if got := hides(tt.dir, tt.image); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestHelperErrors(t *testing.T) {
	err := helperError("fusermount3: fuse device not found, try 'modprobe fuse' first\n", os.ErrInvalid)
	if !strings.Contains(err.Error(), ErrNoDriver.Error()) {
		t.Error(err)
	}
	err = helperError("fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf\n", os.ErrInvalid)
	if !strings.Contains(err.Error(), ErrNoRight.Error()) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}

func TestHelper(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want *Helper
	}{
		{[]string{"a.vtr", "/mnt"}, &Helper{Source: "a.vtr", Dir: "/mnt"}},
		{[]string{"a.vtr@3", "/mnt", "-o", "ro,raw"}, &Helper{Source: "a.vtr@3", Dir: "/mnt", Raw: true}},
		{[]string{"a.vtr", "/mnt", "-sfnv", "-o", "timeline,x=1"}, &Helper{Source: "a.vtr", Dir: "/mnt", All: true, Fake: true, Verbose: true, Rest: []string{"x=1"}}},
		{[]string{"-vo", "noexec", "a.vtr", "/mnt", "-t", "fuse.vitrine"}, &Helper{Source: "a.vtr", Dir: "/mnt", Verbose: true, Options: Options{NoExec: true}}},
		{[]string{"a.vtr", "/mnt", "-oro,dev,suid"}, &Helper{Source: "a.vtr", Dir: "/mnt"}},
		{[]string{"a.vtr"}, nil},
		{[]string{"a.vtr", "/mnt", "/more"}, nil},
		{[]string{"a.vtr", "/mnt", "-o"}, nil},
		{[]string{"a.vtr", "/mnt", "-x"}, nil},
		{[]string{"a.vtr", "/mnt", "-o", "rw"}, &Helper{Source: "a.vtr", Dir: "/mnt"}},
		{[]string{"a.vtr", "/mnt", "-o", "rw,noexec"}, &Helper{Source: "a.vtr", Dir: "/mnt", Options: Options{NoExec: true}}},
		{nil, nil},
	} {
		got, err := ParseHelper(tt.args)
		if (err == nil) != (tt.want != nil) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v", tt.args, got, err)
		}
	}
	for _, tt := range []struct {
		args []string
		want bool
	}{
		{[]string{"/sbin/mount.vitrine", "a", "/mnt"}, true},
		{[]string{"/sbin/mount.fuse.vitrine", "a", "/mnt"}, true},
		{[]string{"vitrine", "a.vtr", "/mnt", "-o", "ro"}, true},
		{[]string{"vitrine", "mount", "a.vtr", "-o", "ro"}, false},
		{[]string{"vitrine", "mount", "/mnt"}, false},
		{nil, false},
	} {
		if IsHelper(tt.args) != tt.want {
			t.Errorf("%q: %v", tt.args, !tt.want)
		}
	}
}
