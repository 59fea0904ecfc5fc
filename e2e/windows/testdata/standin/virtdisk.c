// A stand-in for virtdisk.dll: it attaches nothing, but tells what it was asked.
//
//	VITRINE_STANDIN_DISK   the number of the disk
#include "standin.h"

static const GUID microsoft = { 0xEC984AEC, 0xA0F9, 0x47e9, { 0x90, 0x1F, 0x71, 0x41, 0x5A, 0x66, 0x34, 0x5B } };

#define EXPORT __declspec(dllexport)

EXPORT DWORD WINAPI OpenVirtualDisk(PVIRTUAL_STORAGE_TYPE type, PCWSTR path, VIRTUAL_DISK_ACCESS_MASK access, OPEN_VIRTUAL_DISK_FLAG flags,
	POPEN_VIRTUAL_DISK_PARAMETERS parameters, PHANDLE handle)
{
	note("OpenVirtualDisk %u %s %x %x %p", (unsigned)type->DeviceId, IsEqualGUID(&type->VendorId, &microsoft) ? "Microsoft" : "?",
		access, flags, parameters);
	note("file %ls", path);
	if (fails("OpenVirtualDisk"))
		return ERROR_INVALID_PARAMETER;
	*handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	return *handle == INVALID_HANDLE_VALUE ? GetLastError() : 0;
}

EXPORT DWORD WINAPI AttachVirtualDisk(HANDLE handle, PSECURITY_DESCRIPTOR security, ATTACH_VIRTUAL_DISK_FLAG flags, ULONG provider,
	PATTACH_VIRTUAL_DISK_PARAMETERS parameters, LPOVERLAPPED overlapped)
{
	note("AttachVirtualDisk %x", flags);
	return fails("AttachVirtualDisk") ? ERROR_ACCESS_DENIED : 0;
}

EXPORT DWORD WINAPI GetVirtualDiskPhysicalPath(HANDLE handle, PULONG size, PWSTR path)
{
	note("GetVirtualDiskPhysicalPath, room for %u", (unsigned)*size);
	if (fails("GetVirtualDiskPhysicalPath"))
		return ERROR_INVALID_PARAMETER;
	*size = 2 * swprintf(path, *size / 2, L"\\\\.\\PhysicalDrive%hs", setting("VITRINE_STANDIN_DISK"));
	return 0;
}

EXPORT DWORD WINAPI DetachVirtualDisk(HANDLE handle, DETACH_VIRTUAL_DISK_FLAG flags, ULONG provider)
{
	note("DetachVirtualDisk");
	return 0;
}
