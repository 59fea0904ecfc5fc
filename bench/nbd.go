//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
	"sync"

	"golang.org/x/sys/unix"
)

// nbdTasks read the same disk over NBD: from vitrine, and from qemu-nbd serving
// a qcow2 with zstd in clusters of 64 KiB. One client reads both: our own, which
// takes simple replies, anywhere where there are data; and fio's NBD engine,
// which like all clients built on libnbd takes structured ones, in the fullest
// 256 MiB for 8 seconds, as the peers were measured before there was a program.
func nbdTasks() (list []task) {
	kinds := []struct{ id, title, goal, flags, fio string }{
		{"nbd4k", "NBD: random reads of 4 KiB, cold, one reader", "≥ 1.2 of qemu-nbd, the same at any length of the chain", "-bs 4096", "randread --bs=4k"},
		{"nbd64k", "NBD: random reads of 64 KiB, cold, one reader", "≥ 1.2 of qemu-nbd, the same at any length of the chain", "-bs 65536", "randread --bs=64k"},
		{"nbdwarm", "NBD: random reads of 4 KiB, the same places again", "≥ 8 × qemu-nbd", "-bs 4096 -n 500 -warm -rounds 40", ""},
		{"nbdseq", "NBD: sequential read of 1 MiB each, cold", "≥ 2 × qemu-nbd", "-bs 1048576 -seq -time 20s", "read --bs=1m"},
	}
	const (
		ownNBD  = `daemon "$V" serve nbd %s --unix "$WORK/s"; until_ok test -S "$WORK/s"`
		qemuNBD = `daemon qemu-nbd -r -t -e 4 -k "$WORK/s" -f qcow2 %s; until_ok test -S "$WORK/s"`
		uri     = `"nbd+unix:///?socket=$WORK/s"`
		fio     = `fio --name=j --ioengine=nbd --uri=` + uri + ` --iodepth=1 --offset=$("$B" fullest used.raw) --size=256m --time_based --runtime=8` +
			` --readonly --output-format=terse --terse-version=3 --rw=%s | awk -F';' '$3 == "j" {print "value", $8, $7 * 1024 / 1e6}'`
	)
	for i, k := range kinds {
		t := task{id: k.id, title: k.title, goal: k.goal, rate: "reads/s"}
		if k.id == "nbdseq" {
			t.rate, t.column = "MB/s", 1
		}
		add := func(name, needs, files, serve, line string) {
			t.cases = append(t.cases, kase{name: name, needs: needs, setup: `rm -f "$WORK/s"; "$B" evict ` + files + "; " + serve, line: line})
		}
		read := `"$B" read -twin used.raw ` + k.flags + " " + uri
		add(ours, "qemu-nbd", "img/*.vtr", fmt.Sprintf(ownNBD, "img"), read)
		add("qemu-nbd, qcow2", "qemu-nbd", "used.qcow2", fmt.Sprintf(qemuNBD, "used.qcow2"), read)
		if i < 2 {
			add("vitrine, chain of 31", "qemu-nbd", "chain/*.vtr", fmt.Sprintf(ownNBD, "chain"), read)
			add("qemu-nbd, qcow2, chain of 31", "qemu-nbd", "used.qcow2 ov*.qcow2 chain.qcow2", fmt.Sprintf(qemuNBD, "chain.qcow2"), read)
		}
		list = append(list, t)
		if k.fio == "" {
			continue
		}
		t.id, t.title, t.cases = k.id+"-fio", k.title+", fio", nil
		read = fmt.Sprintf(fio, k.fio)
		add(ours, "qemu-nbd fio", "img/*.vtr", fmt.Sprintf(ownNBD, "img"), read)
		add("qemu-nbd, qcow2", "qemu-nbd fio", "used.qcow2", fmt.Sprintf(qemuNBD, "used.qcow2"), read)
		add("vitrine, chain of 31", "qemu-nbd fio", "chain/*.vtr", fmt.Sprintf(ownNBD, "chain"), read)
		add("qemu-nbd, qcow2, chain of 31", "qemu-nbd fio", "used.qcow2 ov*.qcow2 chain.qcow2", fmt.Sprintf(qemuNBD, "chain.qcow2"), read)
		list = append(list, t)
	}
	return list
}

// fullest is the command "fullest": it prints where a sparse file has most data
// in 256 MiB.
func fullest(args []string) error {
	const window = 256 << 20
	used, err := dataOf(args[0])
	if err != nil {
		return err
	}
	sums := map[int64]int64{}
	best := int64(0)
	for _, e := range used {
		for at := e.off; at < e.end; {
			w := at / window
			end := min(e.end, (w+1)*window)
			if sums[w] += end - at; sums[w] > sums[best] {
				best = w
			}
			at = end
		}
	}
	fmt.Println(best * window)
	return nil
}

// nbdDisk reads from an NBD server in the plainest way: simple replies, one
// request after the other, over a socket that blocks as that of a C program
// does, so that little but the server is measured.
type nbdDisk struct {
	mu sync.Mutex
	fd int
	b  []byte
}

// dialNBD opens the default export behind nbd+unix:///?socket=PATH.
func dialNBD(uri string) (*nbdDisk, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	d := &nbdDisk{}
	if d.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err := unix.Connect(d.fd, &unix.SockaddrUnix{Name: u.Query().Get("socket")}); err != nil {
		return nil, err
	}
	hello := binary.BigEndian.AppendUint32(nil, 3) // fixed newstyle, no zeroes
	hello = append(hello, "IHAVEOPT\x00\x00\x00\x01\x00\x00\x00\x00"...)
	if _, err := unix.Write(d.fd, hello); err != nil {
		return nil, err
	}
	return d, d.receive(make([]byte, 18+10)) // greeting; size and flags
}

// receive fills p.
func (d *nbdDisk) receive(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Read(d.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		p = p[n:]
	}
	return nil
}

// ReadAt reads as io.ReaderAt.
func (d *nbdDisk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	be := binary.BigEndian
	d.b = be.AppendUint32(d.b[:0], 0x25609513)
	d.b = be.AppendUint32(d.b, 0) // no flags, read
	d.b = be.AppendUint64(d.b, 1)
	d.b = be.AppendUint64(d.b, uint64(off))
	d.b = be.AppendUint32(d.b, uint32(len(p)))
	if _, err := unix.Write(d.fd, d.b); err != nil {
		return 0, err
	}
	var h [16]byte
	if err := d.receive(h[:]); err != nil {
		return 0, err
	}
	if e := be.Uint32(h[4:]); e != 0 {
		return 0, fmt.Errorf("the server answers error %d", e)
	}
	return len(p), d.receive(p)
}

// Close hangs up.
func (d *nbdDisk) Close() error { return unix.Close(d.fd) }
