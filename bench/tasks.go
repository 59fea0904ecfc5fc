//go:build linux

package main

import "fmt"

const (
	ours   = "vitrine"
	ourImg = `"$B" evict img/*.vtr; `
	used   = `"$(size_of used.raw)"`
)

// tasks are in the order of the report. MOST lines compare with tools that do
// the same work as a whole; goals are those of docs/performance.md.
func tasks() []task {
	list := []task{
		{id: "capture-fastest", title: "Full capture, level fastest", goal: "time ≤ 0.75 of the best, CPU ≤ the best's, file ≤ 1.03 of it",
			cases: []kase{
				{name: ours, line: `"$V" capture mixed.raw -o out --level fastest`, clean: "rm -rf out", out: "out"},
				{name: "ntfsclone | zstd -T0 -1", needs: "ntfsclone zstd", line: "ntfsclone -q -f -s -o - mixed.raw | zstd -q -T0 -1 >out.zst", clean: "rm -f out.zst", out: "out.zst"},
				{name: "partclone | zstd -T0 -1", needs: "partclone.ntfs zstd", line: "partclone.ntfs -q -c -F -s mixed.raw -o - | zstd -q -T0 -1 >out.zst", clean: "rm -f out.zst", out: "out.zst"},
			}},
		{id: "capture-default", title: "Full capture, level default", goal: "time ≤ 0.75 of the best, file ≤ qcow2's",
			cases: []kase{
				{name: ours, line: `"$V" capture mixed.raw -o out`, clean: "rm -rf out", out: "out"},
				{name: "ntfsclone | zstd -T0 -3", needs: "ntfsclone zstd", line: "ntfsclone -q -f -s -o - mixed.raw | zstd -q -T0 -3 >out.zst", clean: "rm -f out.zst", out: "out.zst"},
				{name: "qemu-img convert -c, used clusters", needs: "qemu-img", line: "qemu-img convert -c -W -m 16 -f raw -O qcow2 -o compression_type=zstd used.raw out.qcow2", clean: "rm -f out.qcow2", out: "out.qcow2"},
			}},
		{id: "incremental", title: "Incremental, 2 % of the files changed", goal: "time ≤ 1.5 of reading the used clusters, ≤ 1/8 of the best incremental; growth ≤ qemu-img's",
			cases: []kase{
				{name: ours, setup: "rm -rf inc; cp -r img inc", line: `"$V" capture mixed-incr.raw -o inc --onto inc && mkdir inc.new && mv inc/*-0001.vtr inc.new`, clean: "rm -rf inc inc.new", out: "inc.new"},
				{name: "ntfsclone -s >/dev/null (reading alone)", needs: "ntfsclone", line: "ntfsclone -q -f -s -o - mixed-incr.raw >/dev/null"},
				{name: "qemu-img rebase + convert -c", needs: "qemu-img", setup: "qemu-img create -q -f qcow2 -b mixed-incr.raw -F raw o.qcow2",
					line:  "qemu-img rebase -f qcow2 -b used.qcow2 -F qcow2 o.qcow2 && qemu-img convert -c -W -m 16 -f qcow2 -O qcow2 -o compression_type=zstd -B used.qcow2 -F qcow2 o.qcow2 out.qcow2",
					clean: "rm -f o.qcow2 out.qcow2", out: "out.qcow2"},
			}},
	}
	list = append(list, readTasks()...)
	list = append(list, nbdTasks()...)
	list = append(list, listTasks()...)
	list = append(list, ntfsTasks()...)
	return append(list, copyTasks()...)
}

// readTasks read the disk face of images: through the mount's --raw file, and
// through the storage daemon's export of a qcow2.
func readTasks() (list []task) {
	kinds := []struct{ id, title, goal, flags string }{
		{"rand4k", "Random reads of 4 KiB, cold, one reader", "≥ 1.4 of the FUSE export", "-bs 4096"},
		{"rand64k", "Random reads of 64 KiB, cold, one reader", "≥ 1.4 of the FUSE export", "-bs 65536"},
		{"warm4k", "Random reads of 4 KiB, the same places again", "≥ 8 × the FUSE export", "-bs 4096 -n 500 -warm"},
		{"warm4k-own", "The same, past the system's cache: from vitrine's own", "none: a request through FUSE takes its time", "-bs 4096 -n 500 -warm -drop"},
		{"deep64k", "Random reads of 64 KiB, cold, 16 readers", "both processors busy", "-bs 65536 -depth 16"},
		{"seq", "Sequential read of 1 MiB each, cold", "≥ 2.5 × the FUSE export", "-bs 1048576 -seq -time 20s"},
	}
	for i, k := range kinds {
		t := task{id: k.id, title: k.title, goal: k.goal, rate: "reads/s"}
		if k.id == "seq" {
			t.rate, t.column = "MB/s", 1
		}
		read := func(file string) string { return fmt.Sprintf(`"$B" read -twin used.raw %s %s`, k.flags, file) }
		t.cases = []kase{
			{name: ours, setup: ourImg + "mount_vitrine img m1 --raw", line: read("m1/partition-1.img")},
			{name: "qcow2, FUSE export", needs: "qemu-storage-daemon", setup: `"$B" evict used.qcow2; export_qcow2 used.qcow2 e1 ` + used, line: read("e1")},
		}
		if i < 2 {
			t.cases = append(t.cases,
				kase{name: "vitrine, chain of 31", setup: `"$B" evict chain/*.vtr; mount_vitrine chain m1 --raw`, line: read("m1/partition-1.img")},
				kase{name: "qcow2, FUSE export, chain of 31", needs: "qemu-storage-daemon", setup: `"$B" evict used.qcow2 ov*.qcow2 chain.qcow2; export_qcow2 chain.qcow2 e1 ` + used, line: read("e1")})
		}
		t.cases = append(t.cases, kase{name: "raw sparse file (limit)", setup: `"$B" evict used.raw`, line: read("used.raw")})
		list = append(list, t)
	}
	long := func(set string) kase {
		return kase{setup: `"$B" evict ` + set + `/*.vtr; mount_vitrine ` + set + ` m1 --raw`, line: `"$B" read -twin long.raw -bs 4096 -n 5000 m1/partition-1.img`}
	}
	a, b := long("long"), long("one")
	a.name, b.name = ours+", chain of 1,000", ours+", a full of the same state"
	return append(list, task{id: "chain1000", title: "Random reads of 4 KiB, cold, chain of 1,000", goal: "≥ 0.95 of a chain of 1", rate: "reads/s", cases: []kase{a, b}})
}

// listTasks look at the many small files.
func listTasks() []task {
	const cold, small = `"$B" evict simg/*.vtr; `, `"$(size_of small.raw)"`
	export := `"$B" evict small.qcow2; export_qcow2 small.qcow2 e1 ` + small
	return []task{
		{id: "start", title: "Listing a folder, warm, whole process", goal: "≤ 25 ms",
			cases: []kase{
				{name: ours + ", 20 times", setup: `"$V" ls simg:/000 >/dev/null`, line: `for i in $(seq 20); do "$V" ls simg:/000/dir-00003 >/dev/null || exit 1; done`},
				{name: "ntfsls on the raw volume, 20 times", needs: "ntfsls", line: `for i in $(seq 20); do ntfsls -f -p /000/dir-00003 small.raw >/dev/null || exit 1; done`},
			}},
		{id: "first", title: "First listing of an image not opened before", goal: "< 0.05 s, whole process",
			cases: []kase{
				{name: ours, setup: cold, line: `"$V" ls simg:/000`},
				{name: "FUSE export, ntfs-3g, ls", needs: "qemu-storage-daemon ntfs-3g", setup: `"$B" evict small.qcow2`, line: "export_qcow2 small.qcow2 e1 " + small + " && mount_ntfs e1 m2 && ls m2/000"},
			}},
		{id: "walk", title: "All names, sizes and times, cold", goal: "faster than ntfsls on the raw volume",
			cases: []kase{
				{name: ours + " find -l", setup: cold, line: `"$V" find simg:/ -l >names`},
				{name: "ntfsls -R -l on the raw volume", needs: "ntfsls", setup: `"$B" evict small.raw`, line: "ntfsls -f -R -l small.raw >names"},
				{name: "fls -r -l on the raw volume", needs: "fls", setup: `"$B" evict small.raw`, line: "fls -r -l small.raw >names"},
			}},
		{id: "walk-mount", title: "find -ls in the mount, cold", goal: "≥ 3 × faster than ntfs-3g on the raw volume",
			cases: []kase{
				{name: ours, setup: cold + "mount_vitrine simg m1", line: `find m1 -printf '%p %s %t\n' >names`},
				{name: "ntfs-3g on the raw volume", needs: "ntfs-3g", setup: `"$B" evict small.raw; mount_ntfs small.raw m2`, line: `find m2 -printf '%p %s %t\n' >names`},
				{name: "ntfs-3g on the FUSE export", needs: "ntfs-3g qemu-storage-daemon", setup: export + " && mount_ntfs e1 m2", line: `find m2 -printf '%p %s %t\n' >names`},
			}},
	}
}

// A loop device of the volume's size, of a file without holes as a disk has none.
const (
	loopUp   = `rm -f disk.raw; fallocate -l ` + used + ` disk.raw && losetup -f --show --direct-io=on disk.raw >dev`
	loopDown = `losetup -d "$(cat dev)"; rm -f disk.raw dev`
)

// copyTasks take files and disks out.
func copyTasks() []task {
	export := `"$B" evict used.qcow2; export_qcow2 used.qcow2 e1 ` + used
	return []task{
		{id: "file", title: "One large file out of the image", goal: "≥ 2.5 × faster than ntfs-3g on the export",
			cases: []kase{
				{name: ours + " cp", setup: ourImg, line: `"$V" cp img:/big/data.bin out`, clean: "rm -rf out"},
				{name: "ntfs-3g on the FUSE export, cp", needs: "ntfs-3g qemu-storage-daemon", setup: export + " && mount_ntfs e1 m2", line: "cp m2/big/data.bin out", clean: "rm -f out"},
				{name: ours + " cp --no-sync", setup: ourImg, line: `"$V" cp --no-sync img:/big/data.bin out`, clean: "rm -rf out"},
				{name: ours + " cat", setup: ourImg, line: `"$V" cat img:/big/data.bin >out`, clean: "rm -f out"},
				{name: ours + " mount, cp", setup: ourImg + "mount_vitrine img m1", line: `cp m1/big/data.bin out`, clean: "rm -f out"},
				{name: "ntfs-3g on the raw volume, cp", needs: "ntfs-3g", setup: `"$B" evict mixed.raw; mount_ntfs mixed.raw m2`, line: "cp m2/big/data.bin out", clean: "rm -f out"},
			}},
		{id: "tree", title: "A tree of small files out of the image", goal: "≥ 2.5 × faster than ntfs-3g on the export",
			cases: []kase{
				{name: ours + " cp", setup: ourImg, line: `"$V" cp img:/tree out`, clean: "rm -rf out"},
				{name: "ntfs-3g on the FUSE export, cp -r", needs: "ntfs-3g qemu-storage-daemon", setup: export + " && mount_ntfs e1 m2", line: "cp -r m2/tree out", clean: "rm -rf out"},
				{name: ours + " cp --no-sync", setup: ourImg, line: `"$V" cp --no-sync img:/tree out`, clean: "rm -rf out"},
				{name: ours + " mount, cp -r", setup: ourImg + "mount_vitrine img m1", line: `cp -r m1/tree out`, clean: "rm -rf out"},
				{name: "ntfs-3g on the raw volume, cp -r", needs: "ntfs-3g", setup: `"$B" evict mixed.raw; mount_ntfs mixed.raw m2`, line: "cp -r m2/tree out", clean: "rm -rf out"},
			}},
		{id: "restore", title: "Restore to a file", goal: "time ≤ 0.65 of the best",
			cases: []kase{
				{name: ours + ", flushed and read back", line: `"$V" restore img out.raw --yes`, clean: "rm -f out.raw"},
				{name: ours + " --no-proof, flushed", line: `"$V" restore img out.raw --yes --no-proof`, clean: "rm -f out.raw"},
				{name: "qemu-img convert, then sync", needs: "qemu-img", line: "qemu-img convert -W -m 16 -f qcow2 -O raw used.qcow2 out.raw && sync out.raw", clean: "rm -f out.raw"},
				{name: "qemu-img convert", needs: "qemu-img", line: "qemu-img convert -W -m 16 -f qcow2 -O raw used.qcow2 out.raw", clean: "rm -f out.raw"},
				{name: "qemu-nbd, nbdcopy", needs: "qemu-nbd nbdcopy", setup: "rm -f n.sock; daemon qemu-nbd -r -t -e 4 -k $WORK/n.sock -f qcow2 used.qcow2; until_ok test -S n.sock; truncate -s " + used + " out.raw",
					line: "nbdcopy --destination-is-zero \"nbd+unix:///?socket=$WORK/n.sock\" out.raw", clean: "rm -f out.raw"},
			}},
		{id: "restore-loop", title: "Restore to a loop device", goal: "time ≤ 0.65 of the best",
			cases: []kase{
				{name: ours + ", flushed and read back", needs: "losetup", setup: loopUp, line: `"$V" restore img "$(cat dev)" --yes`, clean: loopDown},
				{name: ours + " --no-proof, flushed", needs: "losetup", setup: loopUp, line: `"$V" restore img "$(cat dev)" --yes --no-proof`, clean: loopDown},
				{name: "qemu-img convert", needs: "losetup qemu-img", setup: loopUp, line: `qemu-img convert -n -W -m 16 -f qcow2 -O raw used.qcow2 "$(cat dev)"`, clean: loopDown},
			}},
		{id: "verify", title: "Verify", goal: "≥ 85 % of decoding and hashing on all processors",
			cases: []kase{
				{name: ours, line: `"$V" verify img`},
				{name: "zstd -t", needs: "zstd", setup: "[ -e v.zst ] || ntfsclone -q -f -s -o - mixed.raw | zstd -q -T0 -3 >v.zst", line: "zstd -q -t v.zst"},
				{name: "b3sum of the image", needs: "b3sum", line: "b3sum img/*.vtr"},
			}},
	}
}
