
/*
 * Objects as files of a directory: written beside, synced, renamed, so that
 * a reader sees all of an object or none.
 */

#define _GNU_SOURCE                    /* mkostemp() */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/voice_code.h"
#include "worker_log.h"
#include "worker_object.h"


#define LOCAL_PATH_MAX  4096


static voice_rc_t local_put(const worker_settings_t *settings,
    voice_span_t bytes, const char *suffix, char key[WORKER_OBJECT_KEY_SIZE]);
static voice_rc_t local_get(const worker_settings_t *settings,
    const char *key, size_t max, char **bytes, size_t *len);
static voice_rc_t local_remove(const worker_settings_t *settings,
    const char *key);
static int local_path(char *path, const worker_settings_t *settings,
    const char *key);
static int local_write(const char *path, voice_span_t bytes);
static int write_all(int fd, voice_span_t bytes);
static int local_sync_directory(const char *path);
static voice_rc_t local_read(int fd, size_t max, char **bytes, size_t *len);
static int same_content(const char *key, voice_span_t bytes);


const worker_object_store_t  worker_object_local = {
    "local", local_put, local_get, local_remove
};


static voice_rc_t
local_put(const worker_settings_t *settings, voice_span_t bytes,
    const char *suffix, char key[WORKER_OBJECT_KEY_SIZE])
{
    char         path[LOCAL_PATH_MAX];
    voice_rc_t   rc;
    struct stat  st;

    rc = worker_object_key(bytes, suffix, key);
    if (rc != VOICE_OK) {
        return rc;
    }

    if (!local_path(path, settings, key)) {
        return VOICE_FAILED;
    }

    if (stat(path, &st) == 0 && (size_t) st.st_size == bytes.len) {
        return VOICE_OK;
    }

    if (!local_write(path, bytes)) {
        worker_log(WORKER_LOG_ERROR, "object \"%s\": %s", key,
                   strerror(errno));
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


static voice_rc_t
local_get(const worker_settings_t *settings, const char *key, size_t max,
    char **bytes, size_t *len)
{
    int         fd;
    char        path[LOCAL_PATH_MAX];
    voice_rc_t  rc;

    if (!worker_object_key_valid(key)) {
        return VOICE_INVALID;
    }

    if (!local_path(path, settings, key)) {
        return VOICE_FAILED;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return errno == ENOENT ? VOICE_NOTFOUND : VOICE_FAILED;
    }

    rc = local_read(fd, max, bytes, len);
    close(fd);

    if (rc == VOICE_OK && !same_content(key, voice_span(*bytes, *len))) {
        worker_log(WORKER_LOG_ERROR, "object \"%s\" is damaged", key);
        free(*bytes);
        return VOICE_FAILED;
    }

    return rc;
}


static voice_rc_t
local_remove(const worker_settings_t *settings, const char *key)
{
    char  path[LOCAL_PATH_MAX];

    if (!worker_object_key_valid(key)) {
        return VOICE_INVALID;
    }

    if (!local_path(path, settings, key)) {
        return VOICE_FAILED;
    }

    if (unlink(path) == -1) {
        if (errno == ENOENT) {
            return VOICE_OK;
        }

        worker_log(WORKER_LOG_ERROR, "object \"%s\": %s", key,
                   strerror(errno));
        return VOICE_FAILED;
    }

    return local_sync_directory(path) ? VOICE_OK : VOICE_FAILED;
}


static int
local_path(char *path, const worker_settings_t *settings, const char *key)
{
    int  n;

    n = snprintf(path, LOCAL_PATH_MAX, "%s/%s", settings->object_dir, key);

    return n > 0 && n < LOCAL_PATH_MAX;
}


static int
local_write(const char *path, voice_span_t bytes)
{
    int   fd, saved;
    char  temporary[LOCAL_PATH_MAX + 8], *slash;

    snprintf(temporary, sizeof(temporary), "%s", path);
    slash = strrchr(temporary, '/');
    *slash = '\0';

    if (mkdir(temporary, 0750) == -1 && errno != EEXIST) {
        return 0;
    }

    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);

    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    if (!write_all(fd, bytes) || fchmod(fd, 0640) == -1 || fsync(fd) == -1
        || rename(temporary, path) == -1)
    {
        saved = errno;
        close(fd);
        unlink(temporary);
        errno = saved;
        return 0;
    }

    close(fd);

    return local_sync_directory(path);
}


static int
write_all(int fd, voice_span_t bytes)
{
    ssize_t  n;

    while (bytes.len > 0) {
        n = write(fd, bytes.ptr, bytes.len);

        if (n == -1 && errno != EINTR) {
            return 0;
        }

        if (n > 0) {
            bytes.ptr += n;
            bytes.len -= (size_t) n;
        }
    }

    return 1;
}


/* The name is durable only when its directory is. */
static int
local_sync_directory(const char *path)
{
    int   fd, ok;
    char  directory[LOCAL_PATH_MAX];

    snprintf(directory, sizeof(directory), "%s", path);
    *strrchr(directory, '/') = '\0';

    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    ok = fsync(fd) == 0;
    close(fd);

    return ok;
}


static voice_rc_t
local_read(int fd, size_t max, char **bytes, size_t *len)
{
    size_t       size, done;
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return VOICE_FAILED;
    }

    if (st.st_size < 0 || (size_t) st.st_size > max) {
        return VOICE_LIMIT;
    }

    size = (size_t) st.st_size;

    *bytes = malloc(size + 1);
    if (*bytes == NULL) {
        return VOICE_NOMEM;
    }

    for (done = 0; done < size; done += (size_t) n) {
        n = read(fd, *bytes + done, size - done);

        if (n <= 0) {
            free(*bytes);
            return VOICE_FAILED;
        }
    }

    (*bytes)[size] = '\0';
    *len = size;

    return VOICE_OK;
}


static int
same_content(const char *key, voice_span_t bytes)
{
    char  hex[VOICE_SHA256_LEN * 2 + 1];

    return voice_sha256_hex(hex, bytes) == VOICE_OK
           && strncmp(key + 3, hex, VOICE_SHA256_LEN * 2) == 0;
}
