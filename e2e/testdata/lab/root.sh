# The first stage of a disk that boots: find the root file system and go there.
check "the root partition" until_ok test -b /dev/sda2
mkdir /newroot
mount -t ext4 /dev/sda2 /newroot && mount -t devtmpfs dev /newroot/dev && exec switch_root /newroot /sbin/init
fail "switch_root"
