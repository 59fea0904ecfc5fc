package iscsi

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests put the target before libiscsi's tools and qemu's driver.

func url(addr string) string { return "iscsi://" + addr + "/" + iqn + "/0" }

// tool runs a program that must succeed and returns its output.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed (packages libiscsi-bin, qemu-utils, qemu-block-extra): %v", name, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func wants(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in:\n%s", w, out)
		}
	}
}

func TestTools(t *testing.T) {
	_, d := testDisk(t)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(d)}, {Name: "iqn.2026-01.test.vitrine:other", LUNs: disk(d)}}})
	wants(t, tool(t, "iscsi-ls", "-s", "iscsi://"+addr+"/"), iqn, "vitrine:other", "Lun:0", "(Size:39M)", "DIRECT_ACCESS")
	wants(t, tool(t, "iscsi-inq", url(addr)), "Vendor:VITRINE", "Product:Image", "SPC-4")
	wants(t, tool(t, "iscsi-inq", "-e", "1", "-c", "128", url(addr)), "0123456789ABCDEF")
	for _, page := range []string{"0", "131", "176", "177", "178"} {
		tool(t, "iscsi-inq", "-e", "1", "-c", page, url(addr))
	}
	wants(t, tool(t, "iscsi-readcapacity16", url(addr)), "Total size:41943040")
}

func TestQemu(t *testing.T) {
	path, d := testDisk(t)
	before, _ := os.ReadFile(path)
	cow := overlaid(t, d)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: []*LUN{{Device: cow, Serial: "W"}, {Device: d, Serial: "R"}}}}})
	tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, url(addr))
	ro := strings.TrimSuffix(url(addr), "/0") + "/1"
	copied := filepath.Join(t.TempDir(), "copy")
	tool(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", ro, copied)
	if b, _ := os.ReadFile(copied); !bytes.Equal(b, before) {
		t.Error("the copy differs")
	}
	tool(t, "qemu-io", "-f", "raw", url(addr),
		"-c", "write -P 0x11 1024 70144", "-c", "write -f -P 0x22 3145728 65536", "-c", "write -P 0x33 8M 12M", "-c", "write -z 4194304 100k",
		"-c", "write -z -u 5242880 1M", "-c", "flush", "-c", "read -P 0x11 60416 10240",
		"-c", "discard 0 512k", "-c", "read -P 0 0 524288", "-c", "read -P 0x22 3145728 65536", "-c", "read -P 0x33 8M 12M",
		"-c", "read -P 0 4194304 100k", "-c", "read -P 0 5242880 1M")
	if out, err := try(t, "qemu-io", "-f", "raw", ro, "-c", "write 0 512"); err == nil || !strings.Contains(strings.ToLower(out), "read-only") && !strings.Contains(out, "ermi") && !strings.Contains(out, "rotect") {
		t.Errorf("writing to a read-only disk: %v %s", err, out)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the image was written to")
	}
}

func TestCHAP(t *testing.T) {
	_, d := testDisk(t)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(d),
		Auth: &CHAP{User: "ann", Secret: "secret-of-ann", MutualUser: "vitrine", MutualSecret: "secret-of-ours"}}}})
	login := func(user string) error {
		_, err := try(t, "iscsi-inq", "iscsi://"+user+addr+"/"+iqn+"/0")
		return err
	}
	if err := login("ann%secret-of-ann@"); err != nil {
		t.Errorf("right secret: %v", err)
	}
	if err := login("ann%wrong-secret!@"); err == nil {
		t.Error("wrong secret got in")
	}
	if err := login("bob%secret-of-ann@"); err == nil {
		t.Error("wrong user got in")
	}
	if err := login(""); err == nil {
		t.Error("no secret got in")
	}
	t.Setenv("LIBISCSI_CHAP_TARGET_USERNAME", "vitrine")
	t.Setenv("LIBISCSI_CHAP_TARGET_PASSWORD", "secret-of-ours")
	if err := login("ann%secret-of-ann@"); err != nil {
		t.Errorf("mutual: %v", err)
	}
	t.Setenv("LIBISCSI_CHAP_TARGET_PASSWORD", "something else")
	if err := login("ann%secret-of-ann@"); err == nil {
		t.Error("a target with the wrong secret was believed")
	}
}

// suite runs tests of libiscsi's; all must pass. docs/iscsi.md says which ones
// skip themselves, and why.
func suite(t *testing.T, tests string, args ...string) {
	t.Helper()
	out, err := try(t, "iscsi-test-cu", append([]string{"--normal", "--dataloss", "--test=" + tests}, args...)...)
	if err != nil || !strings.Contains(out, "Run Summary") || strings.Contains(out, "had failures") {
		t.Errorf("iscsi-test-cu %s: %v\n%s", tests, err, failures(out))
	}
	t.Log(tests, out[max(0, strings.Index(out, "Run Summary")):])
}

func TestSuite(t *testing.T) {
	_, d := testDisk(t)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(overlaid(t, d))}}})
	for _, tests := range []string{"CompareAndWrite", "GetLBAStatus", "Inquiry", "Mandatory", "ModeSense6", "OrWrite", "ProutReserve",
		"ReportSupportedOpcodes", "Reserve6", "Unmap", "Verify10", "WriteSame10", "iSCSIResiduals", "iSCSITMF"} {
		suite(t, "ALL."+tests, url(addr))
	}
}

func TestSuiteReadOnly(t *testing.T) {
	_, d := testDisk(t)
	addr := start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(d)}}})
	for _, tests := range []string{"ReadOnly", "Inquiry", "Mandatory", "ModeSense6", "PreventAllow", "Prefetch10", "Prefetch16",
		"Read6", "Read10", "Read12", "Read16", "ReadCapacity10", "ReadCapacity16", "ReadDefectData10", "ReadDefectData12",
		"ReportSupportedOpcodes", "TestUnitReady", "Verify10", "Verify12", "Verify16"} {
		suite(t, "ALL."+tests, url(addr))
	}
}

// failures picks what the suite says of failed tests.
func failures(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if strings.Contains(line, "FAILED") || strings.Contains(line, "had failures") || strings.Contains(line, ".c:") {
			b.WriteString(line)
		}
	}
	return b.String()
}
