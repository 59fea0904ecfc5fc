#!/bin/busybox sh
# The init of a guest: it loads the modules that were packed, runs guest.sh and
# powers off. Lines that begin with LAB are for the test outside.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/lab:/bin LD_LIBRARY_PATH=/lib
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run /tmp /mnt /var/run /etc
mount -t tmpfs tmp /run
mount -t tmpfs tmp /tmp
mkdir -p /run/lock
ln -sfn /proc/mounts /etc/mtab
ln -sf /proc/self/fd /dev/fd
echo "root:x:0:0:root:/:/bin/sh" >/etc/passwd
echo "root:x:0:" >/etc/group
echo 3 >/proc/sys/kernel/printk
ip link set lo up
load() { for m in "$@"; do insmod "$m" || echo "LAB FAIL insmod $m"; done; }
load $(ls /modules/*.ko 2>/dev/null)

pass() { echo "LAB PASS $*"; }
fail() { echo "LAB FAIL $*"; }
check() { n=$1; shift; if "$@"; then pass "$n"; else fail "$n"; fi; }
quiet() { "$@" >/dev/null; }
refused() { n=$1; shift; if "$@" >/tmp/said 2>&1; then fail "$n: it was allowed"; else pass "$n: $(head -1 /tmp/said)"; fi; }
until_ok() { i=0; while ! "$@" >/dev/null 2>&1; do i=$((i + 1)); [ $i -lt 200 ] || return 1; sleep 0.1; done; }
sum() { md5sum <"$1" | cut -d' ' -f1; }
same() { n=$1; s=$(sum "$2"); if [ "$s" = "$3" ]; then pass "$n"; else fail "$n: the sum is $s, want $3"; fi; }
# ask NAME: have the test outside do something, and wait until it is done.
ask() { echo "LAB ASK $1"; read -r _ </dev/ttyS0; }

if [ -e /sys/class/net/eth0 ]; then
	ip link set eth0 up
	ip addr add 10.0.2.15/24 dev eth0
	ip route add default via 10.0.2.2
fi
# programs of the same name come before busybox's
for p in /lab/*; do n=${p##*/}; eval "$(echo "$n" | tr -c 'a-zA-Z0-9\n' _)() { $p \"\$@\"; }"; done
. /guest.sh
echo "LAB DONE"
sync
poweroff -f
