// A stand-in for iscsidsc.dll: it logs in nowhere, but tells what it was asked,
// and that the system has made a disk.
//
//	VITRINE_STANDIN_DISK   the number of the disk
#include "standin.h"
#include <winioctl.h>

// Declared here as Microsoft's documentation has them: MinGW's header does not
// compile.

typedef struct {
	ULONG Version, InformationSpecified, LoginFlags;
	int AuthType, HeaderDigest, DataDigest;
	ULONG MaximumConnections, DefaultTime2Wait, DefaultTime2Retain, UsernameLength, PasswordLength;
	PUCHAR Username, Password;
} ISCSI_LOGIN_OPTIONS;

typedef struct {
	WCHAR SymbolicName[256], Address[256];
	USHORT Socket;
} ISCSI_TARGET_PORTALW;

typedef struct {
	ULONGLONG AdapterUnique, AdapterSpecific;
} ISCSI_UNIQUE_SESSION_ID;

typedef struct {
	WCHAR InitiatorName[256], TargetName[224];
	struct {
		ULONG Length;
		UCHAR PortNumber, PathId, TargetId, Lun;
	} ScsiAddress;
	GUID DeviceInterfaceType;
	WCHAR DeviceInterfaceName[MAX_PATH], LegacyName[MAX_PATH];
	STORAGE_DEVICE_NUMBER StorageDeviceNumber;
	DWORD DeviceInstance;
} ISCSI_DEVICE_ON_SESSIONW;

#define EXPORT __declspec(dllexport)
#define REFUSED 0xEFFF0012 // ISDSC_TARGET_ERROR
#define GONE 0xEFFF001C // ISDSC_INVALID_SESSION_ID

EXPORT HRESULT WINAPI AddIScsiStaticTargetW(PWCHAR target, PWCHAR alias, ULONG flags, BOOLEAN persist, void *mappings, ISCSI_LOGIN_OPTIONS *options, void *group)
{
	note("AddIScsiStaticTarget %ls, flags %x, persist %d", target, (unsigned)flags, persist);
	return fails("AddIScsiStaticTarget") ? REFUSED : 0;
}

EXPORT HRESULT WINAPI RemoveIScsiStaticTargetW(PWCHAR target)
{
	note("RemoveIScsiStaticTarget %ls", target);
	return 0;
}

EXPORT HRESULT WINAPI LoginIScsiTargetW(PWCHAR target, BOOLEAN informational, PWCHAR initiator, ULONG port, ISCSI_TARGET_PORTALW *portal,
	ULONGLONG security, void *mappings, ISCSI_LOGIN_OPTIONS *o, ULONG key_size, PCHAR key, BOOLEAN persistent,
	ISCSI_UNIQUE_SESSION_ID *session, ISCSI_UNIQUE_SESSION_ID *connection)
{
	note("LoginIScsiTarget %ls %ls %u %.*s %.*s", target, portal->Address, portal->Socket, (int)o->UsernameLength, o->Username, (int)o->PasswordLength, o->Password);
	note("login options %u %x %u, informational %d, persistent %d", (unsigned)o->Version, (unsigned)o->InformationSpecified, o->AuthType, informational, persistent);
	if (fails("LoginIScsiTarget"))
		return REFUSED;
	session->AdapterUnique = 0x1122334455667788;
	session->AdapterSpecific = 0x99;
	return 0;
}

static int ours(ISCSI_UNIQUE_SESSION_ID *s)
{
	return s->AdapterUnique == 0x1122334455667788 && s->AdapterSpecific == 0x99;
}

EXPORT HRESULT WINAPI GetDevicesForIScsiSessionW(ISCSI_UNIQUE_SESSION_ID *session, ULONG *count, ISCSI_DEVICE_ON_SESSIONW *devices)
{
	static int calls;
	if (fails("GetDevicesForIScsiSession"))
		return REFUSED;
	if (calls++ == 0) {
		note("GetDevicesForIScsiSession %s, room for %u", ours(session) ? "ours" : "?", (unsigned)*count);
		*count = 0; // the system is not ready yet
		return 0;
	}
	*count = 1;
	memset(devices, 0, sizeof *devices);
	devices->StorageDeviceNumber.DeviceType = FILE_DEVICE_DISK;
	devices->StorageDeviceNumber.DeviceNumber = atoi(setting("VITRINE_STANDIN_DISK"));
	return 0;
}

EXPORT HRESULT WINAPI LogoutIScsiTarget(ISCSI_UNIQUE_SESSION_ID *session)
{
	static int calls;
	note("LogoutIScsiTarget %s", ours(session) ? "ours" : "?");
	if (fails("LogoutIScsiTarget.gone"))
		return GONE;
	return fails("LogoutIScsiTarget") && calls++ == 0 ? REFUSED : 0;
}
