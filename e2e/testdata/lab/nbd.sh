# The kernel's NBD client against three servers: RO, RW (with an overlay) and
# KILL, which the test outside ends without warning.
connect() { # PORT
	check "nbd-client connects to $1" quiet nbd_client "$HOST" "$1" /dev/nbd0 -N disk -b 512 -C 2
	blockdev --getsize64 /dev/nbd0 >/dev/null # the first open makes the kernel look for partitions
	check "three partitions" until_ok test -e /dev/nbd0p1 -a -e /dev/nbd0p2 -a -e /dev/nbd0p3
}
disconnect() {
	check "nbd-client disconnects" quiet nbd_client -d /dev/nbd0
	check "the device is empty" until_ok sh -c '[ "$(blockdev --getsize64 /dev/nbd0)" = 0 ]'
}
until_ok test -e /sys/class/net/eth0

connect "$RO"
check "write-protected" [ "$(blockdev --getro /dev/nbd0)$(blockdev --getro /dev/nbd0p2)" = 11 ]
check "size" [ "$(blockdev --getsize64 /dev/nbd0)" = "$SIZE" ]
same "whole disk" /dev/nbd0 "$DISK"
check "mount ext4" mount -t ext4 -o ro /dev/nbd0p2 /mnt
same "file in ext4" /mnt/another "$ANOTHER"
umount /mnt
check "mount vfat" mount -t vfat -o ro /dev/nbd0p3 /mnt
same "file in FAT" "/mnt/third" "$THIRD"
umount /mnt
check "mount NTFS" ntfs_3g -o ro /dev/nbd0p1 /mnt
same "file in NTFS" "/mnt/a file" "$AFILE"
umount /mnt
refused "writing" dd if=/dev/zero of=/dev/nbd0 bs=4096 count=1 conv=fsync
mount -t ext4 -o rw /dev/nbd0p2 /mnt # mount(8) falls back to ro
refused "writing to a file system" touch /mnt/new
umount /mnt
same "whole disk, once more" /dev/nbd0 "$DISK"
disconnect

connect "$RW"
check "can be written" [ "$(blockdev --getro /dev/nbd0)" = 0 ]
check "mount ext4 to write" mount -t ext4 -o discard /dev/nbd0p2 /mnt
head -c 6000000 /dev/urandom >/mnt/new
new=$(sum /mnt/new)
rm /mnt/another
check "fstrim" fstrim /mnt
umount /mnt
check "mount NTFS to write" ntfs_3g /dev/nbd0p1 /mnt
head -c 3000000 /dev/urandom >/mnt/new
ntfs=$(sum /mnt/new)
umount /mnt
check "ntfs-3g has ended" until_ok sh -c '! pidof ntfs-3g'
sync
disconnect
connect "$RW"
mount -t ext4 -o ro /dev/nbd0p2 /mnt
same "what was written to ext4" /mnt/new "$new"
umount /mnt
check "mount NTFS" ntfs_3g -o ro /dev/nbd0p1 /mnt
same "what was written to NTFS" /mnt/new "$ntfs"
umount /mnt
disconnect

connect "$KILL"
mount -t ext4 -o ro /dev/nbd0p2 /mnt
ask kill
refused "reading without a server" dd if=/dev/nbd0 of=/dev/null bs=64k skip=1000 iflag=direct
umount /mnt && pass "unmounted without a server" || fail "umount"
disconnect
