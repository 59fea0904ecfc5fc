#!/bin/bash
# Makes testdata/demo: a small Windows-like disk in three states, the first
# whole, the others as the 4 KiB blocks that changed. Needs root, mkntfs,
# ntfs-3g, sfdisk, mkfs.fat, setfattr and Go. Not part of any test: the result
# is kept with the sources.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mnt"

part_mib=40 start=20480 # sectors of 512 bytes

truncate -s ${part_mib}M "$work/part.img"
mkntfs -F -Q -q -L Windows -s 512 -p $start -H 255 -S 63 "$work/part.img" >/dev/null 2>&1
truncate -s 9M "$work/efi.img"
mkfs.fat -F 12 -n EFI -i 5AFE0001 "$work/efi.img" >/dev/null
truncate -s 56M "$work/disk.img"
sfdisk -q "$work/disk.img" <<S
label: gpt
label-id: 0A6D2F4E-7E10-4C56-9E3B-5D1B7C2A9F01
start=2048, size=18432, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=0A6D2F4E-7E10-4C56-9E3B-5D1B7C2A9F02, name="EFI system partition"
start=$start, size=$((part_mib * 2048)), type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=0A6D2F4E-7E10-4C56-9E3B-5D1B7C2A9F03, name="Basic data partition"
S
dd if="$work/efi.img" of="$work/disk.img" bs=512 seek=2048 conv=notrunc status=none

# change COMMANDS...: runs a function inside the mounted volume
change() {
	ntfs-3g -o rw,noatime,compression,streams_interface=windows "$work/part.img" "$work/mnt"
	(cd "$work/mnt" && "$1")
	umount "$work/mnt"
	while pgrep -f "ntfs-3g.*$work/part.img" >/dev/null; do sleep 0.1; done
	cp --sparse=always "$work/disk.img" "$work/state$2.img"
	dd if="$work/part.img" of="$work/state$2.img" bs=512 seek=$start conv=notrunc,sparse status=none
}

prose() { # prose SEED LINES: readable nonsense, always the same
	awk -v seed="$1" -v n="$2" 'BEGIN {
		srand(seed)
		split("the report shows how many visitors came in spring and what they liked most about our new glass cases while autumn was quiet but better than last year because of school classes", w, " ")
		for (i = 0; i < n; i++) { s = ""; for (k = 0; k < 14; k++) s = s w[int(rand() * 31) + 1] " "; print s }
	}'
}
noise() { openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv "$(printf %032x "$1")" -in /dev/zero 2>/dev/null | head -c "$2" || true; }

first() {
	mkdir -p Users/Ann/Documents Users/Ann/Pictures Users/Ann/Downloads "Users/Bob/Meine Dateien" Windows/System32/drivers/etc "Program Files/Vitrine" Logs
	prose 1 40 > Users/Ann/Documents/report.txt
	prose 2 8 > "Users/Ann/Documents/letter to Bob.txt"
	noise 3 9000 > Users/Ann/Documents/budget.xlsx
	noise 4 70000 > Users/Ann/Pictures/museum.jpg
	noise 5 50000 > Users/Ann/Pictures/garden.jpg
	prose 6 500 > "Users/Bob/Meine Dateien/Übersicht – Gäste.txt"
	prose 7 3 > "Users/Bob/Meine Dateien/日本語のメモ.txt"
	noise 8 30000 > Users/Ann/Downloads/setup.exe
	printf '[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://example.org/setup.exe\r\n' > Users/Ann/Downloads/setup.exe:Zone.Identifier
	printf '127.0.0.1 localhost\r\n' > Windows/System32/drivers/etc/hosts
	for i in $(seq 1 120); do prose $((100 + i)) 2 > "Windows/System32/module$i.inf"; done
	ln Windows/System32/module1.inf "Program Files/Vitrine/module.inf"
	ln -s ../../Users/Ann/Documents "Program Files/Vitrine/docs"
	truncate -s 300M Users/Bob/virtual-machine.vhd
	noise 9 4096 | dd of=Users/Bob/virtual-machine.vhd bs=4096 seek=50000 conv=notrunc status=none
	setfattr -h -n system.ntfs_attrib_be -v 0x00000800 Logs
	prose 10 6000 > Logs/setup.log
	{ yes 'what was in memory' || true; } | head -c 3M > pagefile.sys
	setfattr -h -n system.ntfs_attrib_be -v 0x00000026 pagefile.sys
	find . -exec touch -h -d '2026-10-01 08:00:00 UTC' {} +
}

second() {
	prose 21 60 > Users/Ann/Documents/report.txt
	prose 22 5 > Users/Ann/Documents/ideas.txt
	noise 23 40000 > Users/Ann/Pictures/opening.jpg
	prose 24 500 >> Logs/setup.log
	{ yes 'what is in memory now' || true; } | head -c 3M > pagefile.sys
	touch -d '2026-10-08 17:30:00 UTC' Users/Ann/Documents/{report,ideas}.txt Users/Ann/Pictures/opening.jpg Logs/setup.log pagefile.sys
}

third() {
	rm Users/Ann/Documents/report.txt "Users/Ann/Documents/letter to Bob.txt"
	rm -r Users/Ann/Downloads
	prose 31 9 > Users/Ann/Documents/ideas.txt
	noise 32 4096 | dd of=Users/Bob/virtual-machine.vhd bs=4096 seek=60000 conv=notrunc status=none
	touch -d '2026-10-15 09:15:00 UTC' Users/Ann/Documents/ideas.txt Users/Bob/virtual-machine.vhd
}

change first 1
change second 2
change third 3
go run ./scripts/demo -pack "$work/state1.img" "$work/state2.img" "$work/state3.img"
ls -l testdata/demo
