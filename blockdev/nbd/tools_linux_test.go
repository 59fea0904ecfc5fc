package nbd

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

// These tests put the server before the clients that people use: libnbd's and
// qemu's tools, and fio.

// startUnix serves on a unix socket and returns its path.
func startUnix(t testing.TB, s *Server) string {
	t.Helper()
	sock := filepath.Join(t.TempDir(), "s")
	serveOn(t, s, "unix", sock)
	return sock
}

func uri(sock, export string) string { return "nbd+unix:///" + export + "?socket=" + sock }

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
		t.Fatalf("%s is not installed (packages libnbd-bin, qemu-utils, fio): %v", name, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func TestNbdinfo(t *testing.T) {
	_, d := testDisk(t)
	cow, _ := overlay.New(d, overlay.Options{})
	sock := startUnix(t, &Server{Exports: []*Export{
		{Name: "disk", Description: "the whole disk", Device: d},
		{Name: "disk-w", Device: cow},
		{Name: "lazy", Open: func(context.Context) (blockdev.Device, error) { return d, nil }},
		{Name: "broken", Open: func(context.Context) (blockdev.Device, error) { return nil, os.ErrNotExist }},
	}})
	out := tool(t, "nbdinfo", uri(sock, "disk"))
	for _, want := range []string{"is_read_only: true", "can_multi_conn: true", "can_df: true", "can_cache: true",
		"base:allocation", "vitrine:kind", "using structured packets", fmt.Sprint(diskSize), "block_size_maximum: 33554432", "the whole disk"} {
		if !strings.Contains(out, want) {
			t.Errorf("nbdinfo does not say %q:\n%s", want, out)
		}
	}
	out = tool(t, "nbdinfo", uri(sock, "disk-w"))
	for _, want := range []string{"is_read_only: false", "can_flush: true", "can_fua: true", "can_trim: true",
		"can_zero: true", "can_fast_zero: true", "can_multi_conn: true"} {
		if !strings.Contains(out, want) {
			t.Errorf("nbdinfo does not say %q:\n%s", want, out)
		}
	}
	if out := tool(t, "nbdinfo", "--size", uri(sock, "lazy")); strings.TrimSpace(out) != fmt.Sprint(diskSize) {
		t.Errorf("size of the lazy export: %s", out)
	}
	if out := tool(t, "nbdinfo", "--size", uri(sock, "")); strings.TrimSpace(out) != fmt.Sprint(diskSize) {
		t.Errorf("size of the default export: %s", out)
	}
	if out, err := try(t, "nbdinfo", uri(sock, "broken")); err == nil || !strings.Contains(out, "No such file") {
		t.Errorf("the broken export: %v\n%s", err, out)
	}
	if out, err := try(t, "nbdinfo", uri(sock, "none")); err == nil || !strings.Contains(out, "No such file") {
		t.Errorf("a missing export: %v\n%s", err, out)
	}
}

func TestNbdinfoList(t *testing.T) {
	_, d := testDisk(t)
	s := &Server{}
	for i := range 50 {
		s.Exports = append(s.Exports, &Export{Name: fmt.Sprintf("point-%d", i), Device: d})
	}
	var got struct {
		Exports []struct {
			Name string `json:"export-name"`
		}
	}
	out := tool(t, "nbdinfo", "--list", "--json", uri(startUnix(t, s), ""))
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Exports) != 50 || got.Exports[49].Name != "point-49" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestNbdinfoMap(t *testing.T) {
	_, d := testDisk(t)
	sock := startUnix(t, &Server{Exports: []*Export{{Device: d}}})
	var got []struct {
		Offset, Length int64
		Type           int
	}
	if err := json.Unmarshal([]byte(tool(t, "nbdinfo", "--map", "--json", uri(sock, ""))), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 28 || got[0].Type != 0 || got[1].Type != 3 || got[1].Offset != 1<<20 || got[1].Length != 2<<20 {
		t.Errorf("map: %v", got)
	}
}

func TestCopiesAreIdentical(t *testing.T) {
	path, d := testDisk(t)
	s := &Server{Exports: []*Export{{Name: "disk", Device: d}}}
	sock := startUnix(t, s)
	addr := serveOn(t, s, "tcp", "127.0.0.1:0")
	copied := filepath.Join(t.TempDir(), "copy")
	for _, u := range []string{uri(sock, "disk"), "nbd://" + addr.String() + "/disk"} {
		tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, u)
		tool(t, "nbdcopy", "--connections=4", u, copied)
		sameFiles(t, path, copied)
		os.Remove(copied)
		tool(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", u, copied)
		sameFiles(t, path, copied)
		os.Remove(copied)
	}
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

func TestQemuIO(t *testing.T) {
	path, d := testDisk(t)
	before, _ := os.ReadFile(path)
	cow, _ := overlay.New(d, overlay.Options{})
	sock := startUnix(t, &Server{Exports: []*Export{{Name: "w", Device: cow}, {Name: "r", Device: cow, ReadOnly: true}}})
	tool(t, "qemu-io", "-f", "raw", uri(sock, "w"),
		"-c", "write -P 0x11 1000 70000", "-c", "write -f -P 0x22 3145728 65536", "-c", "write -z 4194304 100k",
		"-c", "write -z -u 5242880 1M", "-c", "flush",
		"-c", "read -P 0x11 60000 10000", "-c", "discard 0 512k", "-c", "read -P 0 0 524288", "-c", "read -P 0x22 3145728 65536",
		"-c", "read -P 0 4194304 100k", "-c", "read -P 0 5242880 1M")
	if out, err := try(t, "qemu-io", "-f", "raw", uri(sock, "r"), "-c", "write 0 512"); err == nil || !strings.Contains(out, "Permission denied") {
		t.Errorf("writing to a read-only export: %s", out)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the image was written to")
	}
}

func TestConvertInto(t *testing.T) {
	path, _ := testDisk(t)
	blank, err := overlay.New(blockdev.Bytes{B: bytes.Repeat([]byte{7}, diskSize)}, overlay.Options{Memory: 4 << 20, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	u := uri(startUnix(t, &Server{Exports: []*Export{{Device: blank}}}), "")
	tool(t, "nbdcopy", "--connections=4", path, u)
	tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, u)
	tool(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", path, u)
	tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, u)
}

func TestFioVerify(t *testing.T) {
	path, d := testDisk(t)
	before, _ := os.ReadFile(path)
	cow, _ := overlay.New(d, overlay.Options{Memory: 4 << 20, Dir: t.TempDir()})
	u := uri(startUnix(t, &Server{Exports: []*Export{{Device: cow}}}), "")
	tool(t, "fio", "--name=v", "--ioengine=nbd", "--uri="+u, "--rw=randwrite", "--bsrange=512-64k", "--bs_unaligned=0",
		"--size=32M", "--io_size=32M", "--iodepth=8", "--verify=crc32c", "--verify_state_save=0", "--verify_fatal=1", "--do_verify=1", "--fsync=64")
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the image was written to")
	}
}

func TestNbdfuse(t *testing.T) {
	path, d := testDisk(t)
	sock := startUnix(t, &Server{Exports: []*Export{{Device: d}}})
	dir := t.TempDir()
	cmd := exec.Command("nbdfuse", dir, "--unix", sock)
	if err := cmd.Start(); err != nil {
		t.Fatalf("nbdfuse (package libnbd-bin or nbdfuse): %v", err)
	}
	defer func() { exec.Command("fusermount3", "-u", dir).Run(); cmd.Wait() }()
	for range 100 {
		if st, err := os.Stat(filepath.Join(dir, "nbd")); err == nil && st.Size() == diskSize {
			sameFiles(t, path, filepath.Join(dir, "nbd"))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("nbdfuse does not show the disk")
}

// ellipticKey and rsaKey make the two kinds of keys that people have.
func ellipticKey() crypto.Signer { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k }
func rsaKey() crypto.Signer      { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k }

// keys writes an authority, and certificates for server and client that it
// signed, under the names that qemu and libnbd expect.
func keys(t *testing.T, dir string, newKey func() crypto.Signer) {
	t.Helper()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	caKey := newKey()
	writeKey(t, dir, "ca", ca, ca, caKey, caKey)
	for i, name := range []string{"server", "client"} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: "localhost"},
			DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
		key := newKey()
		writeKey(t, dir, name, leaf, ca, key, caKey)
	}
}

func writeKey(t *testing.T, dir, name string, cert, parent *x509.Certificate, key, signer crypto.Signer) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := x509.MarshalPKCS8PrivateKey(key)
	os.WriteFile(filepath.Join(dir, name+"-cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	os.WriteFile(filepath.Join(dir, name+"-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}), 0o600)
}

func TestTLS(t *testing.T) {
	for name, newKey := range map[string]func() crypto.Signer{"elliptic": ellipticKey, "RSA": rsaKey} {
		t.Run(name, func(t *testing.T) { testTLS(t, newKey) })
	}
}

func testTLS(t *testing.T, newKey func() crypto.Signer) {
	path, d := testDisk(t)
	dir := t.TempDir()
	keys(t, dir, newKey)
	at := func(n string) string { return filepath.Join(dir, n) }
	conf, err := LoadTLS(at("server-cert.pem"), at("server-key.pem"), at("ca-cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	addr := serveOn(t, &Server{Exports: []*Export{{Name: "d", Device: d}}, TLS: conf, RequireTLS: true}, "tcp", "127.0.0.1:0")
	u := strings.Replace(addr.String(), "127.0.0.1", "localhost", 1) + "/d"
	copied := at("copy")
	tool(t, "nbdcopy", "nbds://"+u+"?tls-certificates="+dir, copied)
	sameFiles(t, path, copied)
	_, port, _ := net.SplitHostPort(addr.String())
	tool(t, "qemu-img", "compare", "-U", "--object", "tls-creds-x509,id=t,dir="+dir+",endpoint=client", "--image-opts",
		"driver=raw,file.filename="+path, "driver=nbd,host=localhost,port="+port+",export=d,tls-creds=t")
	if out, err := try(t, "nbdinfo", "nbd://"+u); err == nil {
		t.Errorf("a client without TLS got in:\n%s", out)
	}
	os.Remove(at("client-cert.pem"))
	os.Remove(at("client-key.pem"))
	if out, err := try(t, "nbdinfo", "nbds://"+u+"?tls-certificates="+dir); err == nil {
		t.Errorf("a client without a certificate got in:\n%s", out)
	}
}
