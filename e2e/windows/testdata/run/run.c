// run FILE PROGRAM ARGUMENT... runs a program and writes its exit code into FILE.
#include <stdio.h>
#include <windows.h>

// rest is what follows the first word of a command line.
static WCHAR *rest(WCHAR *line)
{
	BOOL quoted = FALSE;
	for (; *line && (quoted || *line != ' '); line++)
		if (*line == '"')
			quoted = !quoted;
	while (*line == ' ')
		line++;
	return line;
}

int wmain(int argc, WCHAR **argv)
{
	STARTUPINFOW start = {sizeof start};
	PROCESS_INFORMATION p;
	DWORD code;
	if (argc < 3 || !CreateProcessW(NULL, rest(rest(GetCommandLineW())), NULL, NULL, TRUE, 0, NULL, NULL, &start, &p)) {
		fprintf(stderr, "run: error %lu\n", GetLastError());
		return 1;
	}
	WaitForSingleObject(p.hProcess, INFINITE);
	FILE *f = _wfopen(argv[1], L"w");
	if (!f || !GetExitCodeProcess(p.hProcess, &code) || fprintf(f, "%d", (int)code) < 0 || fclose(f))
		return 1;
	return 0;
}
