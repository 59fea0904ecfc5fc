#!/bin/busybox sh
# The init of the root file system of a disk that boots.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
say() { echo "LAB $*" >/dev/ttyS0; echo "$*" >/dev/tty0; }
firmware=BIOS
[ -d /sys/firmware/efi ] && firmware=UEFI
[ "$(md5sum </data | cut -d' ' -f1)" = "$(cat /data.sum)" ] && data=right || data=WRONG
touch /written && sync && write=done || write=FAILED
say "$(cat /marker) is up: $firmware, data $data, writing $write"
[ -e /stay ] && sleep 3600
poweroff -f
