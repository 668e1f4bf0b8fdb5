/*
 * A disk that fails. This library is preloaded into the program (LD_PRELOAD). Calls on the
 * database's files fail while the file named by FAULT contains the name of a fault. Each call that
 * fails adds a byte to the file FAULT.met.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { READ, WRITE, SYNC };

static const struct {
	const char *name;
	enum call call;
	int error;
} faults[] = {
	{"full", WRITE, ENOSPC},
	{"read-only", WRITE, EROFS},
	{"unsynced", SYNC, EIO},
	{"unreadable", READ, EIO},
};

/* Reads the beginning of a file as text. */
static void look(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = 0;
}

static int fails(enum call call, int fd)
{
	const char *control = getenv("FAULT");
	char name[32], link[64], path[PATH_MAX], met[PATH_MAX];
	look(control, name, sizeof name);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = *name ? readlink(link, path, sizeof path - 1) : 0;
	path[length > 0 ? length : 0] = 0;
	if (!strstr(path, ".db"))
		return 0;
	for (size_t n = 0; n < sizeof faults / sizeof *faults; n++) {
		if (faults[n].call != call || strcmp(faults[n].name, name))
			continue;
		snprintf(met, sizeof met, "%s.met", control);
		int file = open(met, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		syscall(SYS_write, file, ".", 1);
		close(file);
		errno = faults[n].error;
		return 1;
	}
	return 0;
}

/* The functions that SQLite calls. Each makes the system call unless a fault applies. */

ssize_t pread64(int fd, void *to, size_t count, off64_t at)
{
	return fails(READ, fd) ? -1 : syscall(SYS_pread64, fd, to, count, at);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at)
{
	return fails(WRITE, fd) ? -1 : syscall(SYS_pwrite64, fd, from, count, at);
}

ssize_t write(int fd, const void *from, size_t count)
{
	return fails(WRITE, fd) ? -1 : syscall(SYS_write, fd, from, count);
}

int ftruncate64(int fd, off64_t length)
{
	return fails(WRITE, fd) ? -1 : syscall(SYS_ftruncate, fd, length);
}

int fsync(int fd)
{
	return fails(SYNC, fd) ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(SYNC, fd) ? -1 : syscall(SYS_fdatasync, fd);
}
