#!/bin/sh
# Installs what the tests need beside Go, by name, on Debian and Ubuntu. What
# is there already is left alone. Run as root, or with sudo at hand.
#
# This is the only list. Not in it on purpose: "fuse", which removes fuse3.
set -eu

packages='
	attr
	btrfs-progs
	bzip2
	desktop-file-utils
	dosfstools
	e2fsprogs
	ewf-tools
	exfatprogs
	fdisk
	fio
	fuse3
	gcc-mingw-w64-x86-64-win32
	gdisk
	gzip
	libglib2.0-bin
	libiscsi-bin
	libnbd-bin
	mount
	nbdkit
	ntfs-3g
	ovmf
	parted
	procps
	qemu-system-x86
	qemu-utils
	sleuthkit
	time
	tar
	util-linux
	wimtools
	wine
	wine64
	xfsprogs
	xz-utils
	zstd
'

missing=
for p in $packages; do
	if ! dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed'; then
		missing="$missing $p"
	fi
done
if [ -z "$missing" ]; then
	echo "setup: everything is installed"
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "setup: this system has no apt-get; install the counterparts of:$missing" >&2
	exit 6
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 # names without spaces, meant to be split
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
