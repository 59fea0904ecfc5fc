/*
 * A driver for tests under Wine: \\.\PhysicalDrive7 is a disk whose bytes are in
 * C:\disk.img, and volume C: says that it lies on disk 0. What is asked of the
 * disk goes to C:\disk.log, a line each. As a real disk does, it refuses reads and
 * writes that are not whole sectors. (Volumes on it cannot be shown: Wine answers
 * for locking and dismounting by itself.) While there is a file C:\disk.gone, it
 * is as if unplugged for whoever reads between 45 and 50 MiB.
 */
#include <ntddk.h>
#include <stdio.h>
#include <string.h>

enum { SECTOR = 512 };

/* Codes of winioctl.h, which cannot be included here. */
enum {
	GET_GEOMETRY_EX = 0x000700A0, GET_LENGTH = 0x0007405C, GET_LAYOUT_EX = 0x00070050, UPDATE_PROPERTIES = 0x00070140,
	IS_WRITABLE = 0x00070024, GET_ATTRIBUTES = 0x000700F0, SET_ATTRIBUTES = 0x0007C0F4, MANAGE_DATA_SET = 0x002D9404,
	VOLUME_EXTENTS = 0x00560000,
};

static DEVICE_OBJECT *disk, *system_volume;
static HANDLE image, journal;
static LONGLONG size;
static ULONGLONG attributes;

static void note(const char *format, LONGLONG a, LONGLONG b)
{
	char line[200];
	IO_STATUS_BLOCK io;
	LARGE_INTEGER end = { .QuadPart = -1 }; /* append */
	int n = _snprintf(line, sizeof line, format, a, b);
	if (n > 0)
		ZwWriteFile(journal, NULL, NULL, NULL, &io, line, n, &end, NULL);
}

static NTSTATUS open_file(HANDLE *h, const WCHAR *path, ULONG how)
{
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES a;
	IO_STATUS_BLOCK io;
	RtlInitUnicodeString(&name, path);
	InitializeObjectAttributes(&a, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	return ZwCreateFile(h, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &a, &io, NULL, FILE_ATTRIBUTE_NORMAL,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, how, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS done(IRP *irp, NTSTATUS status, ULONG_PTR n)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = n;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return status;
}

/* exists says whether there is a file. */
static int exists(const WCHAR *path)
{
	HANDLE h;
	if (!NT_SUCCESS(open_file(&h, path, FILE_OPEN)))
		return 0;
	ZwClose(h);
	return 1;
}

static NTSTATUS NTAPI opened(DEVICE_OBJECT *device, IRP *irp) { return done(irp, STATUS_SUCCESS, 0); }

static NTSTATUS NTAPI transfer(DEVICE_OBJECT *device, IRP *irp)
{
	IO_STACK_LOCATION *s = IoGetCurrentIrpStackLocation(irp);
	IO_STATUS_BLOCK io = { .Status = STATUS_SUCCESS };
	BOOLEAN write = s->MajorFunction == IRP_MJ_WRITE;
	LARGE_INTEGER off = write ? s->Parameters.Write.ByteOffset : s->Parameters.Read.ByteOffset;
	ULONG n = write ? s->Parameters.Write.Length : s->Parameters.Read.Length;
	if (device != disk)
		return done(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
	if (write)
		note("write %lld %lld\n", off.QuadPart, n);
	if (!write && off.QuadPart >= 45 << 20 && off.QuadPart < 50 << 20 && exists(L"\\??\\C:\\disk.gone"))
		return done(irp, STATUS_DEVICE_NOT_CONNECTED, 0);
	if (off.QuadPart % SECTOR || n % SECTOR || off.QuadPart < 0 || off.QuadPart + n > size)
		return done(irp, STATUS_INVALID_PARAMETER, 0);
	void *buf = irp->AssociatedIrp.SystemBuffer;
	NTSTATUS status = write ? ZwWriteFile(image, NULL, NULL, NULL, &io, buf, n, &off, NULL)
		: ZwReadFile(image, NULL, NULL, NULL, &io, buf, n, &off, NULL);
	return done(irp, status, NT_SUCCESS(status) ? io.Information : 0);
}

/* answer puts fields into the zeroed answer to a request. */
static NTSTATUS answer(IRP *irp, ULONG room, ULONG n)
{
	if (room < n)
		return done(irp, STATUS_BUFFER_TOO_SMALL, 0);
	return done(irp, STATUS_SUCCESS, n);
}

static NTSTATUS NTAPI control(DEVICE_OBJECT *device, IRP *irp)
{
	IO_STACK_LOCATION *s = IoGetCurrentIrpStackLocation(irp);
	ULONG code = s->Parameters.DeviceIoControl.IoControlCode;
	ULONG room = s->Parameters.DeviceIoControl.OutputBufferLength, given = s->Parameters.DeviceIoControl.InputBufferLength;
	UCHAR *b = irp->AssociatedIrp.SystemBuffer;
	ULONGLONG in[6] = {0};
	if (given)
		memcpy(in, b, min(given, sizeof in));
	if (b && room)
		memset(b, 0, room);
	if (device != disk) {
		if (code != VOLUME_EXTENTS)
			return done(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
		if (room >= 32) {
			*(ULONG *)b = 1; /* on disk 0, from 1 MiB, 64 GiB */
			*(LONGLONG *)(b + 16) = 1 << 20;
			*(LONGLONG *)(b + 24) = 1ll << 36;
		}
		return answer(irp, room, 32);
	}
	switch (code) {
	case GET_GEOMETRY_EX:
		if (room >= 32) {
			*(ULONG *)(b + 20) = SECTOR;
			*(LONGLONG *)(b + 24) = size;
		}
		return answer(irp, room, 32);
	case GET_LENGTH:
		if (room >= 8)
			*(LONGLONG *)b = size;
		return answer(irp, room, 8);
	case GET_LAYOUT_EX:
		note("layout\n", 0, 0);
		return answer(irp, room, 48);
	case IS_WRITABLE:
		return done(irp, STATUS_SUCCESS, 0);
	case GET_ATTRIBUTES:
		if (room >= 16)
			*(ULONGLONG *)(b + 8) = attributes;
		return answer(irp, room, 16);
	case SET_ATTRIBUTES:
		if (given != 40 || (ULONG)in[0] != 40)
			return done(irp, STATUS_INVALID_PARAMETER, 0);
		attributes = (attributes & ~in[2]) | (in[1] & in[2]);
		note("attributes %llx, for good %lld\n", attributes, in[0] >> 32 & 0xFF);
		return done(irp, STATUS_SUCCESS, 0);
	case UPDATE_PROPERTIES:
		note("update\n", 0, 0);
		return done(irp, STATUS_SUCCESS, 0);
	case MANAGE_DATA_SET: {
		/* size 28 and action 1, no flags, no parameters, ranges at 32: 16 bytes */
		if (given != 48 || in[0] != 0x10000001Cull || in[1] || (ULONG)in[2] || in[2] >> 32 != 32 || (ULONG)in[3] != 16
			|| in[4] % SECTOR || in[5] % SECTOR || (LONGLONG)(in[4] + in[5]) > size)
			return done(irp, STATUS_INVALID_PARAMETER, 0);
		note("trim %lld %lld\n", in[4], in[5]);
		return done(irp, STATUS_SUCCESS, 0);
	}
	}
	return done(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static NTSTATUS device(DRIVER_OBJECT *driver, DEVICE_OBJECT **made, const WCHAR *name, const WCHAR *link)
{
	UNICODE_STRING n, l;
	RtlInitUnicodeString(&n, name);
	RtlInitUnicodeString(&l, link);
	NTSTATUS status = IoCreateDevice(driver, 0, &n, FILE_DEVICE_DISK, 0, FALSE, made);
	if (!NT_SUCCESS(status))
		return status;
	(*made)->Flags |= DO_BUFFERED_IO;
	(*made)->Flags &= ~DO_DEVICE_INITIALIZING;
	IoDeleteSymbolicLink(&l);
	return IoCreateSymbolicLink(&l, &n);
}

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *key)
{
	FILE_STANDARD_INFORMATION info;
	IO_STATUS_BLOCK io;
	NTSTATUS status = open_file(&journal, L"\\??\\C:\\disk.log", FILE_OPEN_IF);
	if (NT_SUCCESS(status))
		status = open_file(&image, L"\\??\\C:\\disk.img", FILE_OPEN);
	if (NT_SUCCESS(status))
		status = ZwQueryInformationFile(image, &io, &info, sizeof info, FileStandardInformation);
	if (!NT_SUCCESS(status))
		return status;
	size = info.EndOfFile.QuadPart;
	driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLOSE] = opened;
	driver->MajorFunction[IRP_MJ_CLEANUP] = driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = opened;
	driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_WRITE] = transfer;
	driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
	status = device(driver, &disk, L"\\Device\\VitrineDisk", L"\\??\\PhysicalDrive7");
	if (NT_SUCCESS(status)) /* Wine names volumes after their letters */
		status = device(driver, &system_volume, L"\\Device\\VitrineSystem", L"\\??\\Volume{00000000-0000-0000-0000-000000000043}");
	return status;
}
