/*
 * This library is preloaded into the program (LD_PRELOAD). It puts another file (BY) in the place
 * of one (SWAPPED) right after the program has inspected or opened that one for the first time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void swap(const char *path)
{
	static int done;
	const char *swapped = getenv("SWAPPED"), *by = getenv("BY");
	if (!done && path && swapped && by && strcmp(path, swapped) == 0) {
		done = 1;
		syscall(SYS_renameat2, AT_FDCWD, by, AT_FDCWD, swapped, 0);
	}
}

int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict into)
{
	int found = syscall(SYS_statx, dir, path, flags, mask, into);
	swap(path);
	return found;
}

int open64(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	int opened = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	swap(path);
	return opened;
}
