/*
 * Preloaded into the program (LD_PRELOAD), this refuses every change of a mode by a file's name, which may stand for another
 * file by then, and makes what the program creates as open as it asks for.
 */
#include <errno.h>
#include <sys/stat.h>

__attribute__((constructor)) static void begin(void)
{
	umask(0);
}

int chmod(const char *path, mode_t mode)
{
	(void)path, (void)mode;
	errno = EPERM;
	return -1;
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	(void)dir, (void)path, (void)mode, (void)flags;
	errno = EPERM;
	return -1;
}
