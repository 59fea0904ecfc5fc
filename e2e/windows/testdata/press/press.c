// press TITLE BUTTON waits for a window with that title, prints the texts in it,
// one a line, and presses the button with that number: 1 is OK, 2 Cancel.
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void say(const WCHAR *text)
{
	char utf8[8192];
	if (WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8, NULL, NULL) > 1)
		printf("%s\n", utf8);
}

static BOOL CALLBACK tell(HWND w, LPARAM unused)
{
	WCHAR text[4096] = L"";
	DWORD_PTR n;
	// The window may be another process's that is busy.
	if (SendMessageTimeoutW(w, WM_GETTEXT, 4096, (LPARAM)text, SMTO_ABORTIFHUNG, 5000, &n))
		say(text);
	return TRUE;
}

int wmain(int argc, WCHAR **argv)
{
	if (argc != 3)
		return 2;
	for (int i = 0; i < 600; i++, Sleep(100)) {
		HWND w = FindWindowW(NULL, argv[1]);
		if (!w || !IsWindowVisible(w))
			continue;
		Sleep(300); // until it is complete
		EnumChildWindows(w, tell, 0);
		fflush(stdout);
		PostMessageW(w, WM_COMMAND, _wtoi(argv[2]), (LPARAM)GetDlgItem(w, _wtoi(argv[2])));
		return 0;
	}
	return 1;
}
