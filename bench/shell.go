//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// prelude is in front of every line of shell. WORK, V, B and PIDS are set: the
// folder, vitrine, this program, and the file that daemons are noted in.
const prelude = `
set -u -o pipefail
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
daemon() { "$@" </dev/null >>"$WORK/daemon.log" 2>&1 & echo $! >>"$PIDS"; }
until_ok() { for _ in $(seq 1500); do "$@" >/dev/null 2>&1 && return 0; sleep 0.02; done; echo "timed out: $*" >&2; return 1; }
is_mounted() { mountpoint -q "$1"; }
has_size() { [ "$(stat -c %s "$1")" = "$2" ]; }
export_qcow2() { # FILE WHERE [SIZE]: with the storage daemon's FUSE export
	touch "$2"
	daemon qemu-storage-daemon --blockdev driver=file,node-name=f,filename="$1",auto-read-only=on \
		--blockdev driver=qcow2,node-name=q,file=f,read-only=on --export type=fuse,id=e,node-name=q,mountpoint="$2",writable=off
	until_ok has_size "$2" "$3"
}
mount_ntfs() { # FILE DIR
	mkdir -p "$2"
	daemon ntfs-3g -o ro,noatime,no_detach "$1" "$2"
	until_ok is_mounted "$2"
}
mount_vitrine() { # IMAGE DIR [FLAG…]
	local img=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	daemon "$V" mount "$img" "$dir" "$@"
	until_ok is_mounted "$dir"
}
make_flat() { # flat.raw: one folder of 100,000 names in random order
	rm -f flat.part
	truncate -s 512M flat.part
	mkntfs -q -F -Q -c 4096 -p 2048 -H 255 -S 63 flat.part
	mkdir -p m3
	ntfs-3g -o big_writes,noatime,no_detach flat.part m3 & local pid=$!
	until_ok is_mounted m3
	"$B" fill flat m3 100000
	umount m3
	wait $pid
	mv flat.part flat.raw
}
make_small() { # small.raw, as for every other task
	"$VOLUMES" "$B" small
}
make_packed() { # packed.raw: the same text and programs in each compressed form
	mkdir -p packed
	"$B" fill plain packed/source 256
	rm -f packed.part
	truncate -s 2G packed.part
	mkntfs -q -F -Q -c 4096 -H 255 -S 63 -p 2048 packed.part
	mkdir -p m3
	ntfs-3g -o compression,streams_interface=windows,big_writes,no_detach packed.part m3 & local pid=$!
	until_ok is_mounted m3
	mkdir m3/lznt1 m3/wof
	setfattr -n system.ntfs_attrib_be -v 0x00000810 m3/lznt1 || return 1
	cp packed/source/plain m3/lznt1/plain || return 1
	pack xpress4k XPRESS 4096 0 && pack xpress8k XPRESS 8192 2 && pack xpress16k XPRESS 16384 3 && pack lzx LZX 32768 1 || return 1
	umount m3
	wait $pid
	mv packed.part packed.raw
}
pack() { # NAME METHOD CHUNK NUMBER: a CompactOS file, and the WIM that its contents come from
	wimlib-imagex capture packed/source packed/$1.wim --compress=$2 --chunk-size=$3 && "$B" wof packed/$1.wim m3/wof/$1 $4
}
size_of() { stat -c %s "$1"; }
`

// shell runs lines of bash.
type shell struct {
	c    *config
	env  []string
	pids string
}

func newShell(c *config) *shell {
	self, _ := os.Executable()
	s := &shell{c: c, pids: filepath.Join(c.work, "pids")}
	s.env = append(os.Environ(), "WORK="+c.work, "V="+c.vitrine, "B="+self, "PIDS="+s.pids, "SCALE="+c.scale, "VOLUMES="+volumesScript())
	return s
}

func (s *shell) command(line string) *exec.Cmd {
	c := exec.Command("bash", "-c", prelude+line)
	c.Env = s.env
	return c
}

// do runs a line that is not measured.
func (s *shell) do(line string) error {
	if line == "" {
		return nil
	}
	c := s.command(line)
	if s.c != nil {
		c.Dir = s.c.work
	}
	out, err := os.CreateTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	c.Stdout, c.Stderr = out, out // a file: daemons may keep it open
	if err := c.Run(); err != nil {
		b, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", line, err, lastLines(b))
	}
	return nil
}

func lastLines(b []byte) string {
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-300):])
}

// line is the first line that a command prints, "?" without any.
func (s *shell) line(line string) string {
	b, _ := s.command(line).CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if first == "" {
		return "?"
	}
	return first
}

func (s *shell) has(program string) bool { return s.command("command -v "+program).Run() == nil }

// prepare builds the volumes and images that tasks share, where they are
// missing.
func (s *shell) prepare() error {
	steps := []struct{ file, line string }{
		{"used.raw", `"` + volumesScript() + `" "$B"`},
		{"used.qcow2", "qemu-img convert -c -W -m 4 -f raw -O qcow2 -o compression_type=zstd used.raw used.part && mv used.part used.qcow2"},
		{"small.qcow2", "qemu-img convert -c -W -m 4 -f raw -O qcow2 -o compression_type=zstd small.raw small.part && mv small.part small.qcow2"},
		{"img", `rm -rf img.part; "$V" capture mixed.raw -o img.part && mv img.part img`},
		{"simg", `rm -rf simg.part; "$V" capture small.raw -o simg.part && mv simg.part simg`},
		{"chain", chainOurs},
		{"chain.qcow2", chainQemu},
		{"long", chainLong},
	}
	for _, st := range steps {
		if _, err := os.Stat(filepath.Join(s.c.work, st.file)); err == nil {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench: making", st.file)
		if err := s.do(st.line); err != nil {
			return err
		}
	}
	return nil
}

func volumesScript() string {
	p, _ := filepath.Abs("bench/volumes.sh")
	return p
}

// chainLength is how many incrementals stand on the full of a long chain, each
// with chainWrites changed blocks.
const chainOurs = `
rm -rf chain.part chain.raw; mkdir -p mnt chain.part
cp --sparse=always used.raw chain.raw
"$V" capture chain.raw -o chain.part
for i in $(seq 30); do
	ntfs-3g -o big_writes,noatime,no_detach chain.raw mnt & pid=$!
	until_ok is_mounted mnt
	"$B" patch mnt/big/random.bin $i 200
	umount mnt; wait $pid
	"$V" capture chain.raw -o chain.part --onto chain.part || exit 1
done
rm chain.raw; mv chain.part chain`

// chainLong makes a chain of 1,000 on 128 MiB of data, and "one", a full of its
// last state.
const chainLong = `
rm -rf long.part one long.raw; mkdir long.part
"$B" fill random long.raw 128
"$V" capture long.raw -o long.part || exit 1
for i in $(seq 999); do
	"$B" patch long.raw $i 4
	"$V" capture long.raw -o long.part --onto long.part || exit 1
done
"$V" capture long.raw -o one && mv long.part long`

const chainQemu = `
prev=used.qcow2
for i in $(seq 30); do
	next=ov$i.qcow2; [ $i = 30 ] && next=chain.part
	qemu-img create -q -f qcow2 -o compression_type=zstd -b $prev -F qcow2 $next
	"$B" patch -list used.raw $i 200 | qemu-io -f qcow2 $next >/dev/null
	prev=$next
done
mv chain.part chain.qcow2`

// processes are the daemons of the case at hand.
func (s *shell) processes() (pids []int) {
	b, _ := os.ReadFile(s.pids)
	for f := range strings.FieldsSeq(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// cpuOf is a process's processor time so far in seconds, rssOf its highest
// resident size in bytes; 0 when it is gone.
func cpuOf(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	sys, _ := strconv.Atoi(f[12])
	return float64(user+sys) / 100 // USER_HZ, part of Linux' ABI
}

func rssOf(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if !ok {
		return 0
	}
	kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kb << 10
}
