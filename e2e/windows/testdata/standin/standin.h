// What the stand-ins for Windows' DLLs have in common. They are driven by the
// environment:
//
//	VITRINE_STANDIN_LOG    file to which every call is added, a line each
//	VITRINE_STANDIN_FAIL   calls that fail: NAME,NAME…, as they are logged
//
// Written in C, since Wine loads no other DLLs; the declarations are MinGW's.
#include <windows.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *setting(const char *name)
{
	static char text[8][4096];
	static int next;
	char *t = text[next++ % 8];
	t[0] = 0;
	GetEnvironmentVariableA(name, t, 4096);
	return t;
}

static void note(const char *format, ...)
{
	char line[2048];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	if (n < 0 || n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	HANDLE f = CreateFileA(setting("VITRINE_STANDIN_LOG"), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
	if (f == INVALID_HANDLE_VALUE)
		return;
	DWORD done;
	WriteFile(f, line, n, &done, NULL);
	CloseHandle(f);
}

static int fails(const char *name)
{
	char list[4200], want[100];
	snprintf(list, sizeof list, ",%s,", setting("VITRINE_STANDIN_FAIL"));
	snprintf(want, sizeof want, ",%s,", name);
	return strstr(list, want) != NULL;
}
