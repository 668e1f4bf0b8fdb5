/*
 * This library is preloaded into the program (LD_PRELOAD). It makes the folder DISK_FOLDER a disk
 * of DISK_BYTES. A call that would make a file in it longer fails with ENOSPC if all files together
 * would exceed that size.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long long used(const char *folder)
{
	long long sum = 0;
	DIR *dir = opendir(folder);
	struct dirent *entry;
	struct stat st;
	while (dir && (entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += st.st_size;
	if (dir)
		closedir(dir);
	return sum;
}

static int fits(int fd, off64_t end)
{
	const char *folder = getenv("DISK_FOLDER"), *bytes = getenv("DISK_BYTES");
	char link[64], path[PATH_MAX];
	struct stat st;
	if (!folder || !bytes || fstat(fd, &st) || !S_ISREG(st.st_mode) || end <= st.st_size)
		return 1;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = 0;
	if (strncmp(path, folder, strlen(folder)) || strstr(path, "/log"))
		return 1;
	if (used(folder) + end - st.st_size <= atoll(bytes))
		return 1;
	errno = ENOSPC;
	return 0;
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at)
{
	return fits(fd, at + count) ? syscall(SYS_pwrite64, fd, from, count, at) : -1;
}

ssize_t write(int fd, const void *from, size_t count)
{
	off64_t at = lseek(fd, 0, SEEK_CUR);
	return at < 0 || fits(fd, at + count) ? syscall(SYS_write, fd, from, count) : -1;
}

int ftruncate64(int fd, off64_t length)
{
	return fits(fd, length) ? syscall(SYS_ftruncate, fd, length) : -1;
}

int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
	return fits(fd, at + length) ? syscall(SYS_fallocate, fd, mode, at, length) : -1;
}

int posix_fallocate64(int fd, off64_t at, off64_t length)
{
	return fits(fd, at + length) ? (syscall(SYS_fallocate, fd, 0, at, length) ? errno : 0) : ENOSPC;
}
