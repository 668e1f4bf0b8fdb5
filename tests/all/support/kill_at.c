/*
 * This library is preloaded into the program (LD_PRELOAD). It kills the program with SIGKILL right
 * before the nth call that changes a file (KILL_AT). Only every sixteenth write counts, because
 * there are many writes and the moments between two of them hardly differ.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void count(void)
{
	static int calls;
	const char *at = getenv("KILL_AT");
	if (at && ++calls == atoi(at))
		kill(getpid(), SIGKILL);
}

static void count_write(void)
{
	static int writes;
	if (writes++ % 16 == 0)
		count();
}

int rename(const char *from, const char *to)
{
	count();
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int fd, const char *from, int other, const char *to, int flags)
{
	count();
	return syscall(SYS_linkat, fd, from, other, to, flags);
}

int link(const char *from, const char *to)
{
	count();
	return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	count();
	return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int fsync(int fd)
{
	count();
	return syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	count();
	return syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t length)
{
	count();
	return syscall(SYS_ftruncate, fd, length);
}

ssize_t pwrite64(int fd, const void *from, size_t count_of_bytes, off64_t at)
{
	count_write();
	return syscall(SYS_pwrite64, fd, from, count_of_bytes, at);
}
