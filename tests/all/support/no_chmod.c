/*
 * This library is preloaded into the program (LD_PRELOAD). It refuses every change of a mode by a
 * file's name, because the name may belong to another file by then. It also clears the umask, so
 * that every new file has exactly the mode that the program requests.
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
