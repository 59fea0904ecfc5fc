#!/bin/sh
# Installs what the tests need beside Go, by name, on Debian and Ubuntu. What
# is there already is left alone. Run as root, or with sudo at hand.
#
#	scripts/setup.sh          what every test run needs
#	scripts/setup.sh --long   also what the long tests need: virtual machines
#
# These are the only lists. Not in them on purpose: "fuse", which removes fuse3.
set -eu

packages='
	attr
	bash-completion
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
	gcc
	gcc-mingw-w64-x86-64-win32
	gdisk
	gzip
	libc6-dev
	libfuse3-dev
	libglib2.0-bin
	libiscsi-bin
	libnbd-bin
	libvhdi-utils
	mount
	mtools
	nbdkit
	ntfs-3g
	parted
	procps
	qemu-block-extra
	qemu-utils
	sleuthkit
	tar
	time
	util-linux
	wimtools
	wine
	wine64
	wine64-preloader
	xfsprogs
	xz-utils
	zstd
'

# Virtual machines, and what is put into them; makers of the rarer file systems.
if [ "${1:-}" = --long ]; then
	packages="$packages
	busybox-static
	cpio
	cryptsetup-bin
	erofs-utils
	f2fs-tools
	genisoimage
	jfsutils
	lvm2
	nbd-client
	nilfs-tools
	ovmf
	qemu-system-x86
	reiserfsprogs
	squashfs-tools
	syslinux
	syslinux-common
	udftools
"
fi

# install PACKAGE...: those that are missing.
install() {
	missing=
	for p in "$@"; do
		if ! dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed'; then
			missing="$missing $p"
		fi
	done
	if [ -z "$missing" ]; then
		echo "setup: everything is installed"
		return
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
}

# unpack PACKAGE...: into bin/lab without installing them. Installed, a kernel
# would make itself the machine's next, and services would start.
unpack() {
	lab=$(dirname "$0")/../bin/lab
	mkdir -p "$lab/debs"
	for p in "$@"; do
		[ -e "$lab/debs/$p" ] && continue
		echo "setup: unpacking $p into bin/lab"
		(cd "$lab/debs" && apt-get -o APT::Sandbox::User=root download -qq "$p")
		dpkg-deb -x "$lab/debs/$p"_*.deb "$lab"
		rm "$lab/debs/$p"_*.deb
		: >"$lab/debs/$p"
	done
}

# shellcheck disable=SC2086 # names without spaces, meant to be split
install $packages
if [ "${1:-}" = --long ]; then
	kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
	unpack "$kernel" open-iscsi libisns0 libopeniscsiusr systemd-boot-efi \
		lvm2 libdevmapper-event1.02.1 libaio1 thin-provisioning-tools
fi
