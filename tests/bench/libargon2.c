// Verifies a password against a hash for one second with Debian's libargon2. Prints the
// verifications per second.
#include <argon2.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **args) {
    if (count != 3) return 1;
    double started = now();
    int verified = 0;
    while (now() - started < 1.0) {
        if (argon2id_verify(args[1], args[2], strlen(args[2])) != ARGON2_OK) return 1;
        verified++;
    }
    printf("%f\n", verified / (now() - started));
}
