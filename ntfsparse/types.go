package ntfsparse

import "fmt"

var typeNames = map[AttrType]string{
	TypeStandardInfo: "$STANDARD_INFORMATION", TypeAttributeList: "$ATTRIBUTE_LIST", TypeFileName: "$FILE_NAME",
	TypeObjectID: "$OBJECT_ID", TypeSecurity: "$SECURITY_DESCRIPTOR", TypeVolumeName: "$VOLUME_NAME",
	TypeVolumeInfo: "$VOLUME_INFORMATION", TypeData: "$DATA", TypeIndexRoot: "$INDEX_ROOT",
	TypeIndexAllocation: "$INDEX_ALLOCATION", TypeBitmap: "$BITMAP", TypeReparse: "$REPARSE_POINT",
	TypeEAInfo: "$EA_INFORMATION", TypeEA: "$EA", TypeLoggedUtility: "$LOGGED_UTILITY_STREAM",
}

// String is the name that $AttrDef gives the type.
func (t AttrType) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("attribute type %#x", uint32(t))
}
