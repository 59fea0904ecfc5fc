# Captures of a logical volume while it is written to, through LVM snapshots.
export LVM_SYSTEM_DIR=/etc/lvm LVM_SUPPRESS_FD_WARNINGS=1
mkdir -p /etc/lvm /run/lvm /img
cat >/etc/lvm/lvm.conf <<C
devices { use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none" }
activation { udev_sync=0 udev_rules=0 monitoring=0 }
global { use_lvmpolld=0 thin_check_executable="/lab/thin_check" locking_type=1 etc="/etc" }
backup { backup=0 archive=0 }
C
lv() { lvm "$@" >/tmp/lvm.out 2>&1 || { fail "lvm $*: $(tail -2 /tmp/lvm.out)"; return 1; }; }
left() { lvm lvs --noheadings -o lv_name vg 2>/dev/null | grep -c vitrine-; }
# writer: files that only make sense together, without end
writer() {
	i=0
	while [ ! -e /tmp/stop ]; do
		i=$((i + 1))
		dd if=/dev/urandom of=/mnt/f$((i % 16)) bs=64k count=2 2>/dev/null
		echo $i >/mnt/n.new && mv /mnt/n.new /mnt/n
	done
}
# captured NAME: the point is of one moment, and nothing is left of how
captured() {
	check "$1: the image says that it is of a snapshot" sh -c "/lab/vitrine info /img | grep -q 'state: snapshot'"
	check "$1: no snapshot is left" [ "$(left)" = 0 ]
	/lab/vitrine restore /img /tmp/back --yes -q >/tmp/said 2>&1 || fail "$1: $(cat /tmp/said)"
	e2fsck -fn /tmp/back >/tmp/said 2>&1
	check "$1: the file system is sound" [ $? = 0 ]
	/lab/vitrine verify /img -q >/tmp/said 2>&1
	check "$1: it verifies" [ $? = 0 ]
	rm -rf /img/* /tmp/back
}

lv pvcreate -ff -y /dev/vda && lv vgcreate vg /dev/vda
lv lvcreate -y -Wn -Zn -L 48M -n data vg
mke2fs -q -t ext4 /dev/vg/data && mount -t ext4 /dev/vg/data /mnt
writer &
sleep 2
/lab/vitrine capture /dev/vg/data -o /img -q >/tmp/said 2>&1
check "classic: captured: $(tail -1 /tmp/said)" [ $? = 0 ]
captured classic

# a capture that is killed leaves its snapshot to the next one
/lab/vitrine capture /dev/vg/data -o /img -q --level best >/dev/null 2>&1 &
p=$!
i=0; while [ "$(left)" = 0 ] && [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.1; done
kill -9 $p
check "a killed capture leaves a snapshot" [ "$(left)" = 1 ]
rm -rf /img/*
/lab/vitrine capture /dev/vg/data -o /img -q >/dev/null 2>&1
captured "after a kill"

# the store overruns while the capture stands still
lv lvcreate -y -Wn -Zn -l 100%FREE -n filler vg && lv lvreduce -y -f -L -8M vg/filler
/lab/vitrine capture /dev/vg/data -o /img -q --level best >/tmp/out 2>/tmp/said &
p=$!
i=0; while [ "$(left)" = 0 ] && [ $i -lt 300 ]; do i=$((i + 1)); sleep 0.1; done
sleep 0.3; kill -STOP $p
dd if=/dev/urandom of=/mnt/big bs=64k count=300 2>/dev/null; sync
kill -CONT $p; wait $p
check "an overrun is told: $(head -1 /tmp/said)" grep -q 'than its snapshot holds' /tmp/said
check "an overrun leaves no snapshot" [ "$(left)" = 0 ]
rm -rf /img/* /mnt/big

# no room at all
lv lvextend -y -l +100%FREE vg/filler
/lab/vitrine capture /dev/vg/data -o /img -q --snapshot lvm >/tmp/out 2>/tmp/said
check "no room is refused: $(head -1 /tmp/said)" sh -c "[ $? = 1 ] && grep -q 'no snapshot can be taken' /tmp/said"
/lab/vitrine capture /dev/vg/data -o /img -q >/tmp/out 2>/tmp/said
check "without room it is captured live" sh -c "/lab/vitrine info /img | grep -q 'state: live'"
rm -rf /img/*
lv lvremove -y vg/filler

touch /tmp/stop; wait; rm /tmp/stop; umount /mnt; lv lvremove -y vg/data

lv lvcreate -y -Zn -L 120M -c 64k --poolmetadatasize 4M -T vg/pool && lv lvcreate -y -Wn -V 48M -T vg/pool -n data
mke2fs -q -t ext4 /dev/vg/data && mount -t ext4 /dev/vg/data /mnt
writer &
sleep 2
/lab/vitrine capture /dev/vg/data -o /img -q >/tmp/said 2>&1
check "thin: captured: $(tail -1 /tmp/said)" [ $? = 0 ]
captured thin
touch /tmp/stop; wait; umount /mnt
