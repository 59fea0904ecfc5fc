package nbd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTLSFiles names what is no certificate or key.
func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	block := func(kind, head string) string {
		return "-----BEGIN " + kind + "-----\n" + head + "aGFsbG8=\n-----END " + kind + "-----\n"
	}
	for name, text := range map[string]string{
		"text": "hello", "cert": block("CERTIFICATE", ""), "key": block("PRIVATE KEY", ""), "ec": block("EC PARAMETERS", "") + block("EC PRIVATE KEY", ""),
		"locked": block("ENCRYPTED PRIVATE KEY", ""), "old": block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"), "empty": "",
		"huge": block("CERTIFICATE", "") + block("PRIVATE KEY", ""),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "huge"), maxPEM+1); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ cert, key, what, want string }{
		{"text", "key", "certificate", "there is no PEM in it, which begins with -----BEGIN CERTIFICATE-----"},
		{"cert", "empty", "key", "there is no PEM in it, which begins with -----BEGIN PRIVATE KEY-----"},
		{"key", "cert", "certificate", "it holds a private key, not a certificate"},
		{"cert", "cert", "key", "it holds a certificate, not a private key"},
		{"cert", "locked", "key", "it is encrypted with a password"},
		{"cert", "old", "key", "it is encrypted with a password"},
		{"cert", "key", "certificate", "x509: malformed certificate"},
		{"huge", "key", "certificate", "it is too long for one"},
		{"cert", "huge", "key", "it is too long for one"},
		{"cert", "ec", "certificate", "x509: malformed certificate"},
	} {
		_, err := LoadTLS(filepath.Join(dir, tc.cert), filepath.Join(dir, tc.key), "")
		e, ok := errors.AsType[*TLSFileError](err)
		if !ok || e.What != tc.what || e.Err.Error() != tc.want {
			t.Errorf("%s, %s: %v", tc.cert, tc.key, err)
		}
	}
	if _, err := LoadTLS(filepath.Join(dir, "nothing"), filepath.Join(dir, "key"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
