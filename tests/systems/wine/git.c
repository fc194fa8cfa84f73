// `git.exe` under Wine: runs this machine's git, which knows nothing of drive letters and cannot write into Wine's pipes.
//
// Arguments, standard input and what git says go through files in a folder. Wine starts the script `git.sh` there, cannot wait
// for it, and so looks until it has written how git ended.
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

typedef char *(CDECL *unix_name_of)(const WCHAR *);
static unix_name_of unix_name;
static WCHAR folder[MAX_PATH];

static HANDLE file(const WCHAR *name, DWORD access, DWORD how) {
    WCHAR path[MAX_PATH + 16];
    swprintf(path, MAX_PATH + 16, L"%ls\\%ls", folder, name);
    return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how, 0, NULL);
}

static void copy(HANDLE from, HANDLE to) {
    char buffer[65536];
    DWORD count, written;
    while (ReadFile(from, buffer, sizeof buffer, &count, NULL) && count > 0) WriteFile(to, buffer, count, &written, NULL);
}

// An argument as git here understands it: a path with a drive letter, alone or behind `=`, becomes one without.
static void write_argument(HANDLE to, const WCHAR *argument) {
    char text[32768];
    DWORD written;
    const WCHAR *value = wcschr(argument, L'=');
    value = value ? value + 1 : argument;
    const WCHAR *path = wcsncmp(value, L"\\\\?\\", 4) == 0 ? value + 4 : value;
    int before = 0;
    if (iswalpha(path[0]) && path[1] == L':' && (path[2] == L'\\' || path[2] == L'/')) {
        before = WideCharToMultiByte(CP_UTF8, 0, argument, (int)(value - argument), text, sizeof text, NULL, NULL);
        char *name = unix_name(path);
        snprintf(text + before, sizeof text - before, "%s", name ? name : "");
    } else {
        WideCharToMultiByte(CP_UTF8, 0, argument, -1, text, sizeof text, NULL, NULL);
    }
    WriteFile(to, text, (DWORD)strlen(text) + 1, &written, NULL);
}

int wmain(int count, WCHAR **arguments) {
    unix_name = (unix_name_of)(void *)GetProcAddress(GetModuleHandleA("kernel32"), "wine_get_unix_file_name");
    if (!unix_name) return fputs("git.exe: this is for Wine alone\n", stderr), 127;
    WCHAR temporary[MAX_PATH], script[MAX_PATH], command[4 * MAX_PATH];
    GetTempPathW(MAX_PATH, temporary);
    swprintf(folder, MAX_PATH, L"%lsgit-%lu-%lu", temporary, GetCurrentProcessId(), GetTickCount());
    if (!CreateDirectoryW(folder, NULL)) return fputs("git.exe: no folder for what git says\n", stderr), 127;

    HANDLE to = file(L"arguments", GENERIC_WRITE, CREATE_ALWAYS);
    for (int index = 1; index < count; index++) write_argument(to, arguments[index]);
    CloseHandle(to);
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    to = file(L"input", GENERIC_WRITE, CREATE_ALWAYS);
    if (GetFileType(input) == FILE_TYPE_PIPE) copy(input, to);
    CloseHandle(to);

    GetSystemDirectoryW(script, MAX_PATH - 16);
    wcscat(script, L"\\git.sh");
    swprintf(command, 4 * MAX_PATH, L"bash \"%hs\" \"%hs\"", unix_name(script), unix_name(folder));
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    if (!CreateProcessW(L"Z:\\bin\\bash", command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process))
        return fputs("git.exe: could not run git\n", stderr), 127;
    HANDLE ended;
    while ((ended = file(L"ended", GENERIC_READ, OPEN_EXISTING)) == INVALID_HANDLE_VALUE) Sleep(5);
    char code[16] = "";
    DWORD read;
    ReadFile(ended, code, sizeof code - 1, &read, NULL);
    CloseHandle(ended);
    HANDLE said = file(L"output", GENERIC_READ, OPEN_EXISTING);
    copy(said, GetStdHandle(STD_OUTPUT_HANDLE));
    CloseHandle(said);
    said = file(L"errors", GENERIC_READ, OPEN_EXISTING);
    copy(said, GetStdHandle(STD_ERROR_HANDLE));
    CloseHandle(said);
    const WCHAR *names[] = {L"arguments", L"input", L"output", L"errors", L"ended"};
    for (int index = 0; index < 5; index++) {
        WCHAR path[MAX_PATH + 16];
        swprintf(path, MAX_PATH + 16, L"%ls\\%ls", folder, names[index]);
        DeleteFileW(path);
    }
    RemoveDirectoryW(folder);
    return atoi(code);
}
