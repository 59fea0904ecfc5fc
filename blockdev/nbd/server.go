package nbd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"vitrine/blockdev"
)

// Limits that no option changes.
const (
	maxName       = 4096     // bytes of a string, as the protocol says
	maxOption     = 64 << 10 // bytes of an option that is looked at
	maxSkip       = 1 << 20  // bytes of a longer option that are skipped; beyond: cut off
	maxOptions    = 1000     // of one negotiation
	maxQueries    = 64       // of one metadata option
	maxRequest    = 32 << 20 // bytes of one read or write
	maxPiece      = 1 << 20  // bytes of one chunk of a structured reply
	maxExtents    = 4096     // of one block status reply
	workers       = 16       // requests of one connection that run at a time
	negotiateTime = 30 * time.Second
	ioTime        = 30 * time.Second // for one write to, or one payload from, a client
	graceTime     = 5 * time.Second  // for running requests when the server stops
)

// Server serves exports. Its fields must not change while it serves.
type Server struct {
	// Exports are listed in this order; the first is also the default, the one
	// with the empty name.
	Exports []*Export
	// TLS allows clients to encrypt; with RequireTLS they must. Client
	// certificates are demanded by its ClientAuth.
	TLS        *tls.Config
	RequireTLS bool
	// MaxConns bounds connections; more are closed at once. 0: 128.
	MaxConns int
	// MaxMemory bounds the bytes that all running requests hold; at least
	// 32 MiB. 0: 256 MiB. Those of one connection hold at most a quarter of it,
	// or the largest one.
	MaxMemory int64
	// OnError, if set, is told why a connection ended badly. It may be called
	// in parallel.
	OnError func(client net.Addr, err error)

	once   sync.Once
	memory *semaphore.Weighted
	slots  *semaphore.Weighted
}

// Export is one device with a name of at most 4096 bytes.
type Export struct {
	Name        string
	Description string
	// Device is what is served.
	Device blockdev.Device
	// Open, if Device is nil, is called when a client first asks for the
	// export; an error is told to the client, and the next client tries again.
	Open func(ctx context.Context) (blockdev.Device, error)
	// ReadOnly serves a writable device as read-only.
	ReadOnly bool

	mu sync.Mutex
}

// device returns the export's device, opening it if need be.
func (e *Export) device(ctx context.Context) (blockdev.Device, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Device != nil {
		return e.Device, nil
	}
	d, err := e.Open(ctx)
	if err == nil {
		e.Device = d
	}
	return d, err
}

// Serve accepts connections from l, which it closes, until ctx ends; then
// running requests get a few seconds to finish. It may be called for several
// listeners. The error is nil after ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.once.Do(s.prepare)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return closeQuietly(nc)
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of descriptors, most likely: wait and go on
			time.Sleep(50 * time.Millisecond)
		case !s.slots.TryAcquire(1):
			nc.Close()
		default:
			conns.Go(func() { defer s.slots.Release(1); s.serve(ctx, nc) })
		}
	}
}

func closeQuietly(nc net.Conn) error {
	if nc != nil {
		nc.Close()
	}
	return nil
}

func (s *Server) prepare() {
	if s.MaxConns <= 0 {
		s.MaxConns = 128
	}
	if s.MaxMemory <= 0 {
		s.MaxMemory = 256 << 20
	}
	s.memory = semaphore.NewWeighted(max(s.MaxMemory, maxRequest+headRoom))
	s.slots = semaphore.NewWeighted(int64(s.MaxConns))
}

// share is how much of the memory one connection may hold: one that takes no
// replies must leave something to the others.
func (s *Server) share() int64 {
	return max(s.MaxMemory/4, maxRequest) + workers*headRoom
}

// ServeConn serves one connection, which it closes, until the client leaves or
// ctx ends.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	s.once.Do(s.prepare)
	c := newConn(ctx, s, nc)
	defer c.close()
	if err := c.negotiate(); err != nil || c.dev == nil {
		return err
	}
	return c.transmit()
}

func (s *Server) serve(ctx context.Context, nc net.Conn) {
	err := s.ServeConn(ctx, nc)
	if err != nil && ctx.Err() == nil && s.OnError != nil {
		s.OnError(nc.RemoteAddr(), err)
	}
}

// find returns the export with a name, or nil.
func (s *Server) find(name string) *Export {
	for i, e := range s.Exports {
		if e.Name == name || name == "" && i == 0 {
			return e
		}
	}
	return nil
}

// TLSFileError says what is wrong with a file that was named for TLS.
type TLSFileError struct {
	What string // "certificate", "key" or "authority"
	Path string
	Err  error
}

func (e *TLSFileError) Error() string { return fmt.Sprintf("TLS %s: %s: %v", e.What, e.Path, e.Err) }
func (e *TLSFileError) Unwrap() error { return e.Err }

// LoadTLS reads a server's certificate and key; with clientCA, clients must
// show a certificate that this authority signed. All are PEM files; what cannot
// be used of them is a [TLSFileError].
func LoadTLS(cert, key, clientCA string) (*tls.Config, error) {
	pair, err := loadPair(cert, key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return c, nil
	}
	authorities, err := loadPEM("authority", clientCA, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, &TLSFileError{"authority", clientCA, errors.New("no certificate in it can be read")}
	}
	if signsRSA(authorities) {
		c.MaxVersion = tls.VersionTLS12
	}
	return c, nil
}

func loadPair(cert, key string) (pair tls.Certificate, err error) {
	c, err := loadPEM("certificate", cert, "CERTIFICATE")
	if err != nil {
		return pair, err
	}
	k, err := loadPEM("key", key, "PRIVATE KEY")
	if err != nil {
		return pair, err
	}
	if pair, err = tls.X509KeyPair(c, k); err != nil {
		return pair, &TLSFileError{"certificate", cert + " with " + key, err}
	}
	return pair, nil
}

// maxPEM bounds a file for TLS: all authorities that systems bring along take a
// quarter of a megabyte.
const maxPEM = 4 << 20

// loadPEM reads a file that must hold a block of a kind.
func loadPEM(what, path, kind string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("TLS %s: %w", what, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, fmt.Errorf("TLS %s: %w", what, err)
	}
	if why := lacks(b, kind); why != "" {
		return nil, &TLSFileError{what, path, errors.New(why)}
	}
	if len(b) > maxPEM {
		return nil, &TLSFileError{what, path, errors.New("it is too long for one")}
	}
	return b, nil
}

// lacks tells why a file has no usable block of a kind, "" if it has one.
func lacks(file []byte, kind string) string {
	why := "there is no PEM in it, which begins with -----BEGIN " + kind + "-----"
	for b, rest := pem.Decode(file); b != nil; b, rest = pem.Decode(rest) {
		switch {
		case b.Type == "ENCRYPTED "+kind || strings.HasSuffix(b.Type, kind) && b.Headers["Proc-Type"] != "":
			return "it is encrypted with a password"
		case strings.HasSuffix(b.Type, kind):
			return ""
		}
		why = fmt.Sprintf("it holds a %s, not a %s", strings.ToLower(b.Type), strings.ToLower(kind))
	}
	return why
}

// signsRSA says that an authority signs with RSA. In TLS 1.3 Go's server does
// not tell that it takes such signatures in certificates, and GnuTLS, which
// libnbd and qemu use, then shows none.
func signsRSA(authorities []byte) bool {
	for b, rest := pem.Decode(authorities); b != nil; b, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(b.Bytes); err == nil && c.PublicKeyAlgorithm == x509.RSA {
			return true
		}
	}
	return false
}
