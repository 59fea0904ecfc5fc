package ntfsparse

import "encoding/binary"

// EFSInfo is the value of the stream $EFS of an encrypted file: the keys of
// the contents, themselves encrypted for each user.
func (f *File) EFSInfo() ([]byte, error) {
	s, err := f.Attribute(TypeLoggedUtility, "$EFS")
	if err != nil {
		return nil, err
	}
	return s.readAll(maxAttrList)
}

// DOSName is the file's 8.3 name; fs.ErrNotExist when it has none of its own.
func (f *File) DOSName() (string, error) {
	for _, n := range f.Names() {
		if n.Space == NameDOS || n.Space == NameWinDOS {
			return n.Name(), nil
		}
	}
	return "", f.missing("8.3 name")
}

// XattrNames are the names under which ntfs-3g gives access to what a file
// has beside its contents, and those that Linux programs gave attributes of
// their own under the first WSL.
func (f *File) XattrNames() []string {
	names := []string{"system.ntfs_attrib", "system.ntfs_attrib_be", "system.ntfs_times", "system.ntfs_times_be",
		"system.ntfs_crtime", "system.ntfs_crtime_be"}
	for _, x := range []struct {
		t    AttrType
		name string
	}{{TypeReparse, "system.ntfs_reparse_data"}, {TypeObjectID, "system.ntfs_object_id"}, {TypeEA, "system.ntfs_ea"}} {
		if _, ok := f.first(x.t); ok {
			names = append(names, x.name)
		}
	}
	for _, name := range []string{"system.ntfs_acl", "system.ntfs_dos_name", "system.ntfs_efsinfo"} {
		if _, err := f.Xattr(name); err == nil {
			names = append(names, name)
		}
	}
	for _, ea := range f.linuxXattrs() {
		names = append(names, ea.Name)
	}
	return names
}

// linuxXattrs are the extended attributes that Linux programs set under the
// first WSL.
func (f *File) linuxXattrs() []EA {
	list, _ := f.EAs()
	for _, ea := range list {
		if ea.Name == "LXXATTR" {
			return parseLXXattr(ea.Value)
		}
	}
	return nil
}

// Xattr gives one of the values of [File.XattrNames]; it fails with
// fs.ErrNotExist when there is none.
func (f *File) Xattr(name string) ([]byte, error) {
	switch name {
	case "system.ntfs_acl":
		return f.Security()
	case "system.ntfs_reparse_data":
		return f.value(TypeReparse, maxReparse+64)
	case "system.ntfs_object_id":
		return f.objectIDs()
	case "system.ntfs_ea":
		return f.RawEAs()
	case "system.ntfs_efsinfo":
		return f.EFSInfo()
	case "system.ntfs_dos_name":
		s, err := f.DOSName()
		return []byte(s), err
	}
	for _, ea := range f.linuxXattrs() {
		if ea.Name == name {
			return ea.Value, nil
		}
	}
	return f.standardXattr(name)
}

// objectIDs is the file's object id with the three ids of its birth, 64 bytes
// in all. They lie in the attribute or in the index of object ids.
func (f *File) objectIDs() ([]byte, error) {
	id, err := f.ObjectID()
	if err != nil || len(id) < 16 || len(id) >= 64 {
		return id, err
	}
	all := append(make([]byte, 0, 64), id[:16]...)
	if e, ok := f.v.findObjectID(id[:16]); ok && len(e.Data()) >= 56 {
		all = append(all, e.Data()[8:56]...)
	}
	return all[:64], nil
}

// findObjectID looks an object id up in the index $O of $Extend/$ObjId, whose
// keys are ordered as four numbers of 32 bits.
func (v *Volume) findObjectID(id []byte) (IndexEntry, bool) {
	f, err := v.Lookup("$Extend/$ObjId")
	if err != nil {
		return IndexEntry{}, false
	}
	x, err := f.Index("$O")
	if err != nil {
		return IndexEntry{}, false
	}
	e, ok, _ := x.Find(func(key []byte) int { return compareUint32s(id, key) })
	return e, ok
}

func compareUint32s(a, b []byte) int {
	for len(a) >= 4 && len(b) >= 4 {
		if c := compare(int64(le.Uint32(a)), int64(le.Uint32(b))); c != 0 {
			return c
		}
		a, b = a[4:], b[4:]
	}
	return len(a) - len(b)
}

// standardXattr gives attributes and times, in the order of ntfs-3g: creation,
// change, access, change of the record.
func (f *File) standardXattr(name string) ([]byte, error) {
	s, err := f.Standard()
	if err != nil {
		return nil, err
	}
	if f.IsDir() {
		s.Attributes |= WinDirectory
	}
	times := []Time{s.Created, s.Modified, s.Accessed, s.Changed}
	switch name {
	case "system.ntfs_attrib":
		return le.AppendUint32(nil, s.Attributes), nil
	case "system.ntfs_attrib_be":
		return binary.BigEndian.AppendUint32(nil, s.Attributes), nil
	case "system.ntfs_times":
		return appendTimes(le, times), nil
	case "system.ntfs_times_be":
		return appendTimes(binary.BigEndian, times), nil
	case "system.ntfs_crtime":
		return appendTimes(le, times[:1]), nil
	case "system.ntfs_crtime_be":
		return appendTimes(binary.BigEndian, times[:1]), nil
	}
	return nil, f.missing(name)
}

func appendTimes(order binary.AppendByteOrder, times []Time) []byte {
	var b []byte
	for _, t := range times {
		b = order.AppendUint64(b, uint64(t))
	}
	return b
}
