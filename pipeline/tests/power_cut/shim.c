/* Preloaded into the process under test: notes every write, truncation, removal and sync of the
 * log's files in the order they were asked for, so that a test can say what a disk might hold after
 * a power cut. Syncs take a while and do nothing: only the note of them matters. A note is 24 bytes
 * (kind u8, file u8, two free, thread u32, offset u64, length u64; little endian), then the bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE = 2, SYNC_BEGIN = 3, SYNC_END = 4, REMOVE = 5 };
#define FDS 4096
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *const names[] = {"log.db", "log.db-wal", "log.db-journal", "told"};
#define DIRECTORY 5
static unsigned char file_of[FDS]; /* 1 + index of names; 0: none of ours */
static pthread_mutex_t notes = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_CUT_TRACE");
    if (path) trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static int file_named(const char *path) {
    const char *slash = strrchr(path, '/');
    for (int i = 0; i < 4; i++)
        if (strcmp(slash ? slash + 1 : path, names[i]) == 0) return i + 1;
    return 0;
}

static int file_at(int fd) { return trace >= 0 && fd >= 0 && fd < FDS ? file_of[fd] : 0; }

static int file_or_directory_at(int fd) {
    struct stat found;
    if (file_at(fd) || trace < 0) return file_at(fd);
    return fstat(fd, &found) == 0 && S_ISDIR(found.st_mode) ? DIRECTORY : 0;
}

static void note(int kind, int file, uint64_t offset, const void *bytes, uint64_t length) {
    struct { uint8_t kind, file; uint16_t free; uint32_t thread; uint64_t offset, length; } head = {
        (uint8_t)kind, (uint8_t)(file - 1), 0, (uint32_t)syscall(SYS_gettid), offset, length};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    if (syscall(SYS_writev, trace, parts, 2) != (long)(sizeof head + (bytes ? length : 0))) abort();
}

static int opened(int fd, const char *path) {
    if (fd >= 0 && fd < FDS) file_of[fd] = (unsigned char)file_named(path);
    return fd;
}

#define OPEN(name)                                     \
    int name(const char *path, int flags, ...) {       \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        int mode = va_arg(rest, int);                  \
        va_end(rest);                                  \
        return opened(REAL(name)(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

#define PWRITE(name)                                                          \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset) {    \
        int file = file_at(fd);                                               \
        if (!file) return REAL(name)(fd, bytes, length, offset);              \
        pthread_mutex_lock(&notes);                                           \
        ssize_t done = REAL(name)(fd, bytes, length, offset);                 \
        if (done > 0) note(WRITE, file, (uint64_t)offset, bytes, (uint64_t)done); \
        pthread_mutex_unlock(&notes);                                         \
        return done;                                                          \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *bytes, size_t length) {
    int file = file_at(fd);
    if (!file) return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&notes);
    ssize_t done = REAL(write)(fd, bytes, length);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (done > 0) note(WRITE, file, (uint64_t)(end - done), bytes, (uint64_t)done);
    pthread_mutex_unlock(&notes);
    return done;
}

#define TRUNCATES(name)                                       \
    int name(int fd, off_t length) {                          \
        int file = file_at(fd);                               \
        if (!file) return REAL(name)(fd, length);             \
        pthread_mutex_lock(&notes);                           \
        int failed = REAL(name)(fd, length);                  \
        if (!failed) note(TRUNCATE, file, (uint64_t)length, NULL, 0); \
        pthread_mutex_unlock(&notes);                         \
        return failed;                                        \
    }
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)

static void noted(int kind, int file) {
    pthread_mutex_lock(&notes);
    note(kind, file, 0, NULL, 0);
    pthread_mutex_unlock(&notes);
}

#include <errno.h>
static int fails(void) {
    static int seen;
    const char *which = getenv("POWER_CUT_FAIL");
    return which && __sync_add_and_fetch(&seen, 1) == atoi(which);
}
#define SYNCS(name)                                   \
    int name(int fd) {                                \
        int file = file_or_directory_at(fd);          \
        if (!file) return REAL(name)(fd);             \
        noted(SYNC_BEGIN, file);                      \
        struct timespec a_while = {0, 2000000};        \
        nanosleep(&a_while, NULL);                    \
        if (file == 1 && fails()) { noted(6, file); errno = EIO; return -1; } \
        noted(SYNC_END, file);                        \
        return 0;                                     \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int unlink(const char *path) {
    int file = trace >= 0 ? file_named(path) : 0;
    if (!file) return REAL(unlink)(path);
    pthread_mutex_lock(&notes);
    int failed = REAL(unlink)(path);
    if (!failed) note(REMOVE, file, 0, NULL, 0);
    pthread_mutex_unlock(&notes);
    return failed;
}

int close(int fd) {
    if (fd >= 0 && fd < FDS) file_of[fd] = 0;
    return REAL(close)(fd);
}
