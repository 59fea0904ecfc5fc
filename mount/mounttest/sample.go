package mounttest

import (
	"fmt"
	"strings"
	"time"

	"vitrine/volume"
)

// Sample is a file system with everything in it that drivers must get right.
// What cannot be read lies in /bad.
func Sample() *FS {
	f := New()
	sampleFiles(f)
	sampleNames(f)
	sampleLinks(f)
	sampleStreams(f)
	sampleKinds(f)
	sampleBad(f)
	return f
}

func sampleFiles(f *FS) {
	f.Dir("/files")
	for _, size := range []int64{0, 1, 511, 512, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, 3<<20 + 12345} {
		f.File(fmt.Sprintf("/files/size-%d", size), Pattern(size))
	}
	f.File("/files/sparse", Sparse{64 << 20, []volume.Extent{{Off: 1 << 20, Len: 65536}, {Off: 40 << 20, Len: 4096}}}).Attr.Alloc = 69632
	f.File("/files/sparse-end", Sparse{1 << 20, []volume.Extent{{Off: 1<<20 - 4096, Len: 4096}}}).Attr.Alloc = 4096
	f.File("/files/all-hole", Sparse{8 << 20, nil}).Attr.Alloc = 0
	f.File("/files/elsewhere", Pattern(70_000)).Attr.Alloc = 0 // in another stream, or a store of chunks
	for i, t := range []time.Time{{}, time.Unix(0, -1), time.Unix(-1, -1), time.Unix(0, 0), time.Unix(0, 1), time.Unix(4_102_444_800, 999_999_999),
		time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC), time.Date(30828, 9, 14, 2, 48, 5, 477_580_700, time.UTC)} {
		a := &f.Text(fmt.Sprintf("/files/time-%d", i), "x").Attr
		a.ModTime, a.AccessTime, a.ChangeTime, a.BirthTime = t, t, t, t
	}
	f.Dir("/many")
	for i := range 3000 {
		f.Text(fmt.Sprintf("/many/a file whose name is somewhat long, number %05d", i), "x")
	}
	f.Dir("/empty")
	deep := "/deep"
	f.Dir(deep)
	for range 60 {
		deep += "/d"
		f.Dir(deep)
	}
	f.Text(deep+"/bottom", "bottom")
}

func sampleNames(f *FS) {
	f.Dir("/names")
	for _, n := range []string{
		"Übergröße", "日本語.txt", "emoji 🎞", "trailing dot.", "trailing space ", " leading", "a\\b", "tab\there",
		"new\nline", "*?<>|\"", "CON", "-rf", "'quote'", "%20", "\xed\xa0\x80 lone surrogate",
		strings.Repeat("ü", 127), strings.Repeat("界", 85), strings.Repeat("x", 255),
	} {
		f.Text("/names/"+n, n)
	}
	for _, n := range []string{"sl/ash", "ze\x00ro", ".", "..", ""} {
		n := f.AddOdd("/names", n, volume.File)
		n.setData(strings.NewReader("odd"))
	}
	f.Dir("/Case")
	f.Text("/Case/README", "upper")
	f.Text("/Case/readme", "lower")
}

func sampleLinks(f *FS) {
	f.Dir("/links")
	f.Dir("/links/Sub")
	f.Text("/links/Sub/File.txt", "linked")
	f.Link("/links/Sub/File.txt", "/links/hard1")
	f.Link("/links/Sub/File.txt", "/links/hard2")
	for _, l := range [][2]string{
		{"relative", "Sub/File.txt"}, {"case", "sub/FILE.TXT"}, {"up", "../files/size-1"}, {"dots", "./Sub/../hard1"},
		{"absolute", "/links/Sub"}, {"root", "/"}, {"missing", "nowhere/at/all"}, {"missing-absolute", "/nowhere"},
		{"above", "../../../../links/hard1"}, {"drive", "C:/Links/sub/file.txt"}, {"drive-root", "C:/"},
		{"other-drive", "D:/Somewhere/else"}, {"self", "self"}, {"server", "//links/Sub/File.txt"}, {"volume", "//?/Volume{01234567-0000}/x"},
	} {
		f.Symlink("/links/"+l[0], l[1])
	}
	f.Symlink("/links/Sub/junction", "/links")
}

func sampleStreams(f *FS) {
	f.Dir("/streams")
	n := f.Text("/streams/file", "main")
	n.Streams = []Stream{
		{"Zone.Identifier", 1, strings.NewReader("[ZoneTransfer]\r\nZoneId=3\r\n")},
		{"empty", 2, strings.NewReader("")},
		{"64k", 3, Pattern(64 << 10)},
		{"big", 4, Pattern(200_000)},
		{"far", 5000, strings.NewReader("a stream with a high number")},
		{strings.Repeat("n", 251), 6, strings.NewReader("name too long")},
	}
	n.Xattrs = map[string][]byte{
		"system.ntfs_attrib": {0x20, 0, 0, 0}, "system.ntfs_acl": []byte("acl"), "user.ea": []byte("an EA"),
	}
	f.Dir("/streams/folder").Streams = []Stream{{"on a folder", 1, strings.NewReader("yes")}}
	f.Text("/streams/odd", "a number that does not fit")
	f.Renumber("/streams/odd", 1<<volume.IDRecordBits-17)
	f.Text("/streams/with:colon", "a colon")
}

func sampleKinds(f *FS) {
	f.Dir("/kinds")
	posix := func(n *Node, perm uint16) {
		a := &n.Attr
		a.HasPOSIX, a.Perm, a.UID, a.GID = true, perm, 1234, 5678
	}
	posix(f.Add("/kinds/fifo", volume.Fifo), 0o600)
	posix(f.Add("/kinds/socket", volume.Socket), 0o755)
	c := f.Add("/kinds/chardev", volume.CharDev)
	posix(c, 0o660)
	c.Attr.Rdev = 0x12<<8 | 0x34
	b := f.Add("/kinds/blockdev", volume.BlockDev)
	posix(b, 0o640)
	b.Attr.Rdev = 0x103<<8 | 0x56 | 0x789<<20&^0xff
	posix(f.Text("/kinds/setuid", "x"), 0o4711)
	f.Add("/kinds/other", volume.Other).Attr.Size = 0
}

func sampleBad(f *FS) {
	f.Dir("/bad")
	f.Text("/bad/encrypted", "").Err = fmt.Errorf("file: %w", volume.ErrEncrypted)
	f.Text("/bad/cloud", "").Err = fmt.Errorf("file: %w", volume.ErrNotCaptured)
	f.Text("/bad/corrupt", "").Err = fmt.Errorf("file: %w", volume.ErrCorrupt)
	f.Text("/bad/unsupported", "").Err = fmt.Errorf("file: %w", volume.ErrUnsupported)
	f.Text("/bad/panic", "x").Panic = true
	f.File("/bad/damaged", Damaged{Pattern(1 << 20), volume.Extent{Off: 500_000, Len: 1000}})
	f.File("/bad/short", Short{Pattern(100_000)})
}
