# open-iscsi against three servers on $HOST: RO (with CHAP), RW (with an overlay)
# and KILL, which the test outside ends without warning. Each has a disk for each
# of three partitions.
node() { port=$1; shift; iscsiadm -m node -T "$IQN" -p "$HOST:$port" "$@"; }
# disk NUMBER: the disk of a logical unit
disk() { for b in /sys/block/sd*; do case $(readlink -f "$b/device") in *:0:0:$1) echo "/dev/${b##*/}" ;; esac; done; }
has_disk() { [ -n "$(disk "$1")" ] && [ -e "$(disk "$1")1" ]; }
ours() { # fills A, B and C with the names of the three disks
	for n in 0 1 2; do check "disk $n and its partition" until_ok has_disk $n; done
	A=$(disk 0) B=$(disk 1) C=$(disk 2)
}
nothing() { [ -z "$(ls /sys/block | grep '^sd')" ]; }
leave() { # PORT
	check "logout" quiet node "$1" --logout
	check "the disks are gone" until_ok nothing
}
until_ok test -e /sys/class/net/eth0
mkdir -p /run/lock/iscsi
echo "InitiatorName=iqn.2026-01.test:guest" >/etc/iscsi/initiatorname.iscsi
check "iscsid starts" iscsid
for p in $RO $RW $KILL; do
	check "discovery finds the target" quiet sh -c "/lab/iscsiadm -m discovery -t st -p $HOST:$p | grep '$HOST:$p,1 $IQN'"
done

refused "login without a secret" node "$RO" --login
node "$RO" -o update -n node.session.auth.authmethod -v CHAP
node "$RO" -o update -n node.session.auth.username -v ann
node "$RO" -o update -n node.session.auth.password -v "not the secret"
refused "login with a wrong secret" node "$RO" --login
node "$RO" -o update -n node.session.auth.password -v "$SECRET"
check "login with the secret" quiet node "$RO" --login
ours
check "write-protected" [ "$(blockdev --getro "$A")$(blockdev --getro "${B}1")" = 11 ]
same "partition 1" "${A}1" "$P1"
same "partition 2" "${B}1" "$P2"
same "partition 3" "${C}1" "$P3"
check "mount NTFS" ntfs_3g -o ro "${A}1" /mnt
same "file in NTFS" "/mnt/a file" "$AFILE"
umount /mnt
check "mount ext4" mount -t ext4 -o ro "${B}1" /mnt
same "file in ext4" /mnt/another "$ANOTHER"
umount /mnt
check "mount vfat" mount -t vfat -o ro "${C}1" /mnt
same "file in FAT" /mnt/third "$THIRD"
umount /mnt
refused "writing" dd if=/dev/zero of="$A" bs=4096 count=1 conv=fsync
echo "LAB PASS disk: $(cat "/sys/block/${A##*/}/device/vendor") $(cat "/sys/block/${A##*/}/device/model")"
leave "$RO"

check "login" quiet node "$RW" --login
ours
check "can be written" [ "$(blockdev --getro "$B")" = 0 ]
check "can be trimmed" [ "$(cat "/sys/block/${B##*/}/queue/discard_max_bytes")" != 0 ]
check "mount ext4 to write" mount -t ext4 -o discard "${B}1" /mnt
head -c 6000000 /dev/urandom >/mnt/new
new=$(sum /mnt/new)
rm /mnt/another
check "fstrim" fstrim /mnt
umount /mnt
sync
leave "$RW"
check "login again" quiet node "$RW" --login
ours
mount -t ext4 -o ro "${B}1" /mnt
same "what was written" /mnt/new "$new"
umount /mnt
leave "$RW"

node "$KILL" -o update -n node.session.timeo.replacement_timeout -v 3
check "login" quiet node "$KILL" --login
ours
mount -t ext4 -o ro "${B}1" /mnt
ask kill
refused "reading without a server" dd if="$B" of=/dev/null bs=64k skip=300 iflag=direct
umount /mnt && pass "unmounted without a server" || fail "umount"
leave "$KILL"
