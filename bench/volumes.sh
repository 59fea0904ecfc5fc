#!/bin/bash
# Builds the volumes that are measured. Same sources in, same contents out:
# what looks random comes from fixed seeds.
#
#	volumes.sh FILL [small]        FILL: the program that fills folders (bench fill …)
#	                               small: small.raw alone
#
#	WORK=DIR               where they go
#	SCALE=small|full       3 GiB mixed and 50,000 files, or 12 GiB and 200,000
#
# mixed.raw       libraries, programs, documents, incompressible data, logs, a
#                 sparse file, deleted data in free space
# mixed-incr.raw  the same after 2 % of the files were changed, some deleted, some added
# small.raw       many small files
# used.raw        the used clusters of mixed.raw in a sparse file
#
# Needs root, FUSE, mkntfs, ntfs-3g, ntfsclone.
set -eu
export LC_ALL=C
fill=$1
mnt=$WORK/mnt
case ${SCALE:-full} in
full)
	size=12G small_size=4G files=200000 random=1024 data=500 junk=1536
	libs='/usr/lib/x86_64-linux-gnu /usr/lib/jvm /usr/lib/llvm-14 /usr/lib/gcc /usr/lib/python3 /usr/bin /usr/include' ;;
small)
	size=3G small_size=1G files=50000 random=256 data=150 junk=200
	libs='/usr/lib/gcc /usr/lib/python3 /usr/bin /usr/include' ;;
*)
	echo "SCALE is small or full" >&2; exit 2 ;;
esac
trees="/usr/share/doc /usr/share/man /usr/share/perl $(go env GOROOT)"
if [ "${SCALE:-full}" = full ]; then trees="/usr/share $(go env GOROOT)"; fi

format() { # FILE SIZE LABEL
	rm -f "$1"
	truncate -s "$2" "$1"
	mkntfs -q -F -Q -L "$3" -s 512 -c 4096 -p 2048 -H 255 -S 63 "$1"
}

inside() { # FILE COMMAND…: runs it with the volume mounted on $mnt
	local img=$1 pid
	shift
	ntfs-3g -o big_writes,noatime,no_detach "$img" "$mnt" & pid=$!
	until mountpoint -q "$mnt"; do sleep 0.05; done
	"$@"
	sync -f "$mnt"
	umount "$mnt"
	wait "$pid"
}

copy() { # TO FROM…: what is there of FROM
	local to=$1 d
	shift
	mkdir -p "$to"
	for d in "$@"; do
		if [ -e "$d" ]; then cp -a "$d" "$to/" 2>/dev/null || true; fi
	done
}

head_of() { # BYTES FIND-ARGUMENTS…: that much of the contents of files, in order of names
	local n=$1
	shift
	(find "$@" -xdev -type f | sort | xargs cat 2>/dev/null || true) | head -c "$n"
}

mixed() {
	copy "$mnt/usr" $libs
	copy "$mnt/tree" $trees
	mkdir -p "$mnt/big"
	head_of $((data << 20)) /usr/lib/x86_64-linux-gnu /usr/bin -size +64k > "$mnt/big/data.bin"
	"$fill" fill mixed "$mnt" $random
	"$fill" fill junk "$mnt" $junk
	rm -f "$mnt"/junk-*
}

small() { # unless it is there
	if [ -e "$WORK/small.raw" ]; then return; fi
	format "$WORK/small.part" $small_size small
	inside "$WORK/small.part" "$fill" fill small "$mnt" $files
	mv "$WORK/small.part" "$WORK/small.raw"
}

mkdir -p "$mnt"
small
if [ "${2:-}" = small ]; then
	rmdir "$mnt"
	exit
fi
format "$WORK/mixed.raw" $size mixed
inside "$WORK/mixed.raw" mixed
cp --sparse=always "$WORK/mixed.raw" "$WORK/mixed-incr.raw"
inside "$WORK/mixed-incr.raw" "$fill" fill change "$mnt"
ntfsclone -q -f -O "$WORK/used.raw" "$WORK/mixed.raw"
rmdir "$mnt"
du -m --apparent-size "$WORK"/*.raw
du -m "$WORK"/*.raw
