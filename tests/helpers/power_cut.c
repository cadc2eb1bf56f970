/* A power switch for tests: dies at the n-th call that changes a watched file, and can first take back what was
 * not synchronized, as a disk does that loses its cache.
 *
 *     cc -shared -fPIC -o power_cut.so power_cut.c -ldl;  LD_PRELOAD=./power_cut.so python ...
 *
 * power_cut_arm(part_of_path, at_call, mode, seed) is called by the process itself, through ctypes. Modes:
 *   0  killed before the call: what was written stays (the system lives on)
 *   1  killed in the middle of a write: a part of it is there
 *   2  power lost: of everything since the last fsync of its file, any 512 bytes may be there or not
 *
 * Only calls are watched: SQLite maps its -shm file, which means nothing after a crash. Not thread-safe.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { KILLED, TORN, POWER };
enum { SECTOR = 512 };

struct change {
    struct change *older;
    dev_t device;
    ino_t inode;
    int fd;
    off_t offset;
    size_t length;
    off_t old_size;
    char old[];
};

static char watched[4096];
static long calls_left = -1;
static int mode;
static uint64_t state;
static struct change *newest;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void find_real(void)
{
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

static uint64_t chance(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void power_cut_arm(const char *part_of_path, long at_call, int how, uint64_t seed)
{
    strncpy(watched, part_of_path, sizeof watched - 1);
    calls_left = at_call;
    mode = how;
    state = seed * 2654435769u + 88172645463325252u;
    newest = NULL;
}

static int is_watched(int fd)
{
    char link[64], path[4096];
    ssize_t n;
    if (calls_left < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = 0;
    return strstr(path, watched) != NULL && strstr(path, "-shm") == NULL;
}

static void note(int fd, off_t offset, size_t length)
{
    struct stat found;
    struct change *change;
    ssize_t n;
    if (mode != POWER || fstat(fd, &found) != 0)
        return;
    change = calloc(1, sizeof *change + length);
    if (change == NULL)
        abort();
    n = pread(fd, change->old, length, offset);
    (void)n; /* beyond the old end there are zeros, as calloc made them */
    change->older = newest;
    change->device = found.st_dev;
    change->inode = found.st_ino;
    change->fd = dup(fd);
    change->offset = offset;
    change->length = length;
    change->old_size = found.st_size;
    newest = change;
}

static void forget(int fd)
{
    struct stat found;
    struct change **place = &newest;
    if (mode != POWER || fstat(fd, &found) != 0)
        return;
    while (*place != NULL) {
        struct change *change = *place;
        if (change->device == found.st_dev && change->inode == found.st_ino) {
            *place = change->older;
            close(change->fd);
            free(change);
        } else {
            place = &change->older;
        }
    }
}

static void lose_power(void)
{
    struct change *change;
    int loses_sizes = chance() % 2;
    for (change = newest; change != NULL; change = change->older) {
        size_t done = 0;
        while (done < change->length) {
            size_t n = change->length - done < SECTOR ? change->length - done : SECTOR;
            if (chance() % 2)
                real_pwrite(change->fd, change->old + done, n, change->offset + (off_t)done);
            done += n;
        }
        /* The size of a file is written apart from its content: sometimes the old one is what is left. */
        if (loses_sizes)
            real_ftruncate(change->fd, change->old_size);
    }
}

static int is_the_call(int fd)
{
    return is_watched(fd) && calls_left-- == 0;
}

static void die(void)
{
    calls_left = -1;
    if (mode == POWER)
        lose_power();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
    if (is_the_call(fd)) {
        if (mode == TORN)
            real_pwrite(fd, data, chance() % (length + 1), offset);
        die();
    }
    if (is_watched(fd))
        note(fd, offset, length);
    return real_pwrite(fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return pwrite64(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (is_the_call(fd)) {
        if (mode == TORN)
            real_write(fd, data, chance() % (length + 1));
        die();
    }
    if (is_watched(fd))
        note(fd, lseek(fd, 0, SEEK_CUR), length);
    return real_write(fd, data, length);
}

int ftruncate64(int fd, off_t length)
{
    struct stat found;
    if (is_the_call(fd))
        die();
    if (is_watched(fd) && fstat(fd, &found) == 0 && found.st_size > length)
        note(fd, length, (size_t)(found.st_size - length));
    return real_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

int fsync(int fd)
{
    int result;
    if (is_the_call(fd))
        die();
    result = real_fsync(fd);
    if (result == 0 && calls_left >= 0)
        forget(fd);
    return result;
}

int fdatasync(int fd)
{
    int result;
    if (is_the_call(fd))
        die();
    result = real_fdatasync(fd);
    if (result == 0 && calls_left >= 0)
        forget(fd);
    return result;
}
