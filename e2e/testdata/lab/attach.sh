# vitrine attach, inside: without any driver, through FUSE and a loop device, and
# through the kernel's NBD client.
export XDG_RUNTIME_DIR=/run HOME=/tmp
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" /tmp/attached; }
attach() {
	check "attach $*" sh -c 'vitrine attach --json "$@" >/tmp/attached' sh "$@"
	dev=$(field device) pid=$(field pid)
}
# gone: no device, no process, no partition, nothing listed
gone() {
	until_ok sh -c "! kill -0 $pid"
	[ "$(blockdev --getsize64 "$dev" 2>/dev/null || echo 0)" = 0 ] && [ ! -e "${dev}p1" ] && ! /lab/vitrine mounts | grep "$dev"
}
use() { # KIND
	attach /images
	case $dev in /dev/$1*) pass "it is $dev" ;; *) fail "it is $dev" ;; esac
	check "$1: three partitions" [ -e "${dev}p1" -a -e "${dev}p2" -a -e "${dev}p3" ]
	check "$1: write-protected" [ "$(blockdev --getro "$dev")$(blockdev --getro "${dev}p2")" = 11 ]
	check "$1: size" [ "$(blockdev --getsize64 "$dev")" = "$SIZE" ]
	same "$1: whole disk" "$dev" "$DISK"
	refused "$1: writing" dd if=/dev/zero of="$dev" bs=4096 count=1 conv=fsync
	mount -t ext4 -o ro "${dev}p2" /mnt
	refused "$1: detach while in use" vitrine detach "$dev"
	same "$1: file in ext4" /mnt/another "$ANOTHER"
	umount /mnt
	check "$1: listed" quiet sh -c "/lab/vitrine mounts | grep '$dev'"
	check "$1: detach" vitrine detach "$dev"
	check "$1: nothing is left" until_ok gone

	attach /images --overlay
	check "$1: mount to write" mount -t ext4 -o discard "${dev}p2" /mnt
	head -c 3000000 /dev/urandom >/mnt/new
	new=$(sum /mnt/new)
	check "$1: fstrim" fstrim /mnt
	umount /mnt
	mount -t ext4 "${dev}p2" /mnt
	same "$1: what was written" /mnt/new "$new"
	umount /mnt
	kill -9 "$pid"
	check "$1: nothing is left after a kill" until_ok gone

	attach /images:2
	check "$1: one partition" mount -t ext4 -o ro "$dev" /mnt
	kill "$pid" # asked to end, it serves those who use it
	sleep 1
	same "$1: still served" /mnt/another "$ANOTHER"
	umount /mnt
	check "$1: nothing is left after the last user" until_ok gone
}
vitrine attach /images >/tmp/said 2>&1
code=$?
check "no driver: exit 6, not $code: $(tr '\n' ' ' </tmp/said)" [ $code = 6 ]
load /later/*fuse.ko /later/*loop.ko
use loop
load /later/*nbd.ko
use nbd
