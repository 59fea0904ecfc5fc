// A stand-in for vssapi.dll: it makes no shadow copies, but names devices that
// stand for them, and tells what it was asked.
//
//	VITRINE_STANDIN_VSS    VOLUME=DEVICE;…: the volumes that can have a copy
//	VITRINE_STANDIN_BUSY   how often another program is making a set just now
//	VITRINE_STANDIN_WRITER name of an application that fails
#define COBJMACROS
#define CINTERFACE
#include "standin.h"
#include <initguid.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>
#include <vsserror.h>

#define REFUSED ((HRESULT)0x8004230F)

static const GUID none;

static int objects; // alive: the components and what is waited for

// What is waited for.

typedef struct {
	IVssAsyncVtbl *methods;
	const char *name;
	int polls;
} wait_t;

static HRESULT STDMETHODCALLTYPE wait_query(IVssAsync *a, REFIID id, void **p) { *p = NULL; return E_NOINTERFACE; }
static ULONG STDMETHODCALLTYPE wait_addref(IVssAsync *a) { return 2; }

static ULONG STDMETHODCALLTYPE wait_release(IVssAsync *a)
{
	free(a);
	objects--;
	return 0;
}

static HRESULT STDMETHODCALLTYPE wait_cancel(IVssAsync *a) { note("Cancel %s", ((wait_t *)a)->name); return S_OK; }
static HRESULT STDMETHODCALLTYPE wait_wait(IVssAsync *a, DWORD milliseconds) { return S_OK; }

static HRESULT STDMETHODCALLTYPE wait_status(IVssAsync *a, HRESULT *status, INT *reserved)
{
	wait_t *w = (wait_t *)a;
	char name[64];
	snprintf(name, sizeof name, "%s.later", w->name);
	*status = w->polls++ == 0 ? VSS_S_ASYNC_PENDING : fails(name) ? REFUSED : VSS_S_ASYNC_FINISHED;
	return S_OK;
}

static IVssAsyncVtbl wait_methods = { wait_query, wait_addref, wait_release, wait_cancel, wait_wait, wait_status };

static HRESULT later(const char *name, IVssAsync **out)
{
	note("%s", name);
	if (fails(name))
		return REFUSED;
	wait_t *w = calloc(1, sizeof *w);
	w->methods = &wait_methods;
	w->name = name;
	objects++;
	*out = (IVssAsync *)w;
	return S_OK;
}

#define NOW(name) do { if (fails(name)) return REFUSED; } while (0)

// The components.

static WCHAR *devices[16]; // of the set, by the number of the copy
static int copies;

// device gives what stands for a copy of a volume.
static WCHAR *device(const WCHAR *volume)
{
	char narrow[300];
	WideCharToMultiByte(CP_UTF8, 0, volume, -1, narrow, sizeof narrow, NULL, NULL);
	for (char *p = strtok(setting("VITRINE_STANDIN_VSS"), ";"); p; p = strtok(NULL, ";")) {
		char *eq = strchr(p, '=');
		if (!eq || strlen(narrow) != (size_t)(eq - p) || _strnicmp(p, narrow, eq - p))
			continue;
		WCHAR *wide = calloc(300, sizeof *wide);
		MultiByteToWideChar(CP_UTF8, 0, eq + 1, -1, wide, 300);
		return wide;
	}
	return NULL;
}

typedef IVssBackupComponents This;

static ULONG STDMETHODCALLTYPE release(This *t)
{
	note("Release, %d left", --objects);
	return 0;
}

static HRESULT STDMETHODCALLTYPE initialize(This *t, BSTR xml) { note("InitializeForBackup %p", xml); NOW("InitializeForBackup"); return S_OK; }

static HRESULT STDMETHODCALLTYPE state(This *t, boolean components, boolean bootable, VSS_BACKUP_TYPE type, boolean partial)
{
	note("SetBackupState %d %d %d %d", components, bootable, type, partial);
	NOW("SetBackupState");
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE gather(This *t, IVssAsync **a) { return later("GatherWriterMetadata", a); }
static HRESULT STDMETHODCALLTYPE forget(This *t) { note("FreeWriterMetadata"); return S_OK; }
static HRESULT STDMETHODCALLTYPE prepare(This *t, IVssAsync **a) { return later("PrepareForBackup", a); }
static HRESULT STDMETHODCALLTYPE abort_backup(This *t) { note("AbortBackup"); return S_OK; }
static HRESULT STDMETHODCALLTYPE gather_status(This *t, IVssAsync **a) { return later("GatherWriterStatus", a); }
static HRESULT STDMETHODCALLTYPE free_status(This *t) { note("FreeWriterStatus"); return S_OK; }
static HRESULT STDMETHODCALLTYPE complete(This *t, IVssAsync **a) { return later("BackupComplete", a); }

static HRESULT STDMETHODCALLTYPE status_count(This *t, UINT *n)
{
	*n = 2;
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE status_of(This *t, UINT i, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *s, HRESULT *failure)
{
	WCHAR wide[100];
	char *bad = setting("VITRINE_STANDIN_WRITER");
	MultiByteToWideChar(CP_UTF8, 0, i == 0 ? "Registry Writer" : bad, -1, wide, 100);
	*name = SysAllocString(wide);
	*s = i == 0 || !bad[0] ? VSS_WS_WAITING_FOR_BACKUP_COMPLETE : VSS_WS_FAILED_AT_FREEZE;
	*failure = S_OK;
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE supported(This *t, VSS_ID provider, VSS_PWSZ volume, WINBOOL *yes)
{
	note("IsVolumeSupported %s %ls", IsEqualGUID(&provider, &none) ? "any" : "?", volume);
	NOW("IsVolumeSupported");
	*yes = device(volume) != NULL;
	return S_OK;
}

static const VSS_ID set_id = { 0x5e7, 1, 2, { 3, 4, 5, 6, 7, 8, 9, 10 } };

static HRESULT STDMETHODCALLTYPE start(This *t, VSS_ID *id)
{
	static int calls;
	note("StartSnapshotSet");
	NOW("StartSnapshotSet");
	if (calls++ < atoi(setting("VITRINE_STANDIN_BUSY")))
		return VSS_E_SNAPSHOT_SET_IN_PROGRESS;
	*id = set_id;
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE add(This *t, VSS_PWSZ volume, VSS_ID provider, VSS_ID *id)
{
	note("AddToSnapshotSet %ls %s", volume, IsEqualGUID(&provider, &none) ? "any" : "?");
	NOW("AddToSnapshotSet");
	*id = set_id;
	id->Data2 = copies;
	devices[copies++] = device(volume);
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE make(This *t, IVssAsync **a) { return later("DoSnapshotSet", a); }

static HRESULT STDMETHODCALLTYPE delete_set(This *t, VSS_ID id, VSS_OBJECT_TYPE type, WINBOOL force, LONG *deleted, VSS_ID *not)
{
	note("DeleteSnapshots %s %d %d", IsEqualGUID(&id, &set_id) ? "set" : "?", type, force);
	NOW("DeleteSnapshots");
	*deleted = copies;
	return S_OK;
}

static HRESULT STDMETHODCALLTYPE properties(This *t, VSS_ID id, VSS_SNAPSHOT_PROP *p)
{
	note("GetSnapshotProperties %d", id.Data2);
	NOW("GetSnapshotProperties");
	memset(p, 0, sizeof *p);
	p->m_SnapshotId = id;
	p->m_SnapshotSetId = set_id;
	p->m_pwszSnapshotDeviceObject = devices[id.Data2];
	p->m_eStatus = VSS_SS_CREATED;
	return S_OK;
}

// The places of the methods are MinGW's, not ours.
static IVssBackupComponentsVtbl methods = {
	.Release = release,
	.InitializeForBackup = initialize,
	.SetBackupState = state,
	.GatherWriterMetadata = gather,
	.FreeWriterMetadata = forget,
	.PrepareForBackup = prepare,
	.AbortBackup = abort_backup,
	.GatherWriterStatus = gather_status,
	.GetWriterStatusCount = status_count,
	.GetWriterStatus = status_of,
	.FreeWriterStatus = free_status,
	.BackupComplete = complete,
	.StartSnapshotSet = start,
	.AddToSnapshotSet = add,
	.DoSnapshotSet = make,
	.DeleteSnapshots = delete_set,
	.GetSnapshotProperties = properties,
	.IsVolumeSupported = supported,
};

static This components = { &methods };

__declspec(dllexport) HRESULT STDAPICALLTYPE CreateVssBackupComponentsInternal(IVssBackupComponents **out)
{
	note("CreateVssBackupComponents");
	NOW("CreateVssBackupComponents");
	objects++;
	*out = &components;
	return S_OK;
}

__declspec(dllexport) void APIENTRY VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP *p)
{
	free(p->m_pwszSnapshotDeviceObject);
	note("VssFreeSnapshotProperties");
}
