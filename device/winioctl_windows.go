package device

import "encoding/binary"

// Control codes of Windows' disks and volumes, from winioctl.h of the SDK.
const (
	ioctlDiskLength        = 0x0007405C // IOCTL_DISK_GET_LENGTH_INFO
	ioctlDiskGeometryEx    = 0x000700A0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	ioctlDiskLayoutEx      = 0x00070050 // IOCTL_DISK_GET_DRIVE_LAYOUT_EX
	ioctlDiskUpdate        = 0x00070140 // IOCTL_DISK_UPDATE_PROPERTIES
	ioctlDiskIsWritable    = 0x00070024 // IOCTL_DISK_IS_WRITABLE
	ioctlDiskAttributes    = 0x000700F0 // IOCTL_DISK_GET_DISK_ATTRIBUTES
	ioctlDiskSetAttributes = 0x0007C0F4 // IOCTL_DISK_SET_DISK_ATTRIBUTES
	ioctlStorageQuery      = 0x002D1400 // IOCTL_STORAGE_QUERY_PROPERTY
	ioctlStorageNumber     = 0x002D1080 // IOCTL_STORAGE_GET_DEVICE_NUMBER
	ioctlStorageManage     = 0x002D9404 // IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES
	ioctlVolumeExtents     = 0x00560000 // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
	fsctlLock              = 0x00090018 // FSCTL_LOCK_VOLUME
	fsctlDismount          = 0x00090020 // FSCTL_DISMOUNT_VOLUME
	fsctlExtendedDASD      = 0x00090083 // FSCTL_ALLOW_EXTENDED_DASD_IO
)

// Properties that ioctlStorageQuery is asked for.
const (
	propertyDevice    = 0
	propertyAlignment = 6
)

// propertyQuery is STORAGE_PROPERTY_QUERY:
//
//	off len field
//	  0   4 property
//	  4   4 query type, 0: standard
//	  8   4 parameters and padding
func propertyQuery(property uint32) []byte {
	b := make([]byte, 12)
	binary.LittleEndian.PutUint32(b, property)
	return b
}
