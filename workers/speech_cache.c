
/*
 * Files by content hash: DIR/ab/<64 hex digits>.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/voice_code.h"
#include "speech_cache.h"


typedef struct {
    char  folder[PATH_MAX];
    char  file[PATH_MAX];
    char  aside[PATH_MAX];
} cache_path_t;


static voice_rc_t cache_path(cache_path_t *path, const char *dir,
    voice_span_t recipe);
static voice_rc_t cache_read(int fd, char **bytes, size_t *len);
static voice_rc_t cache_write(const char *file, voice_span_t bytes);


voice_rc_t
speech_cache_get(const char *dir, voice_span_t recipe, char **bytes,
    size_t *len)
{
    int           fd;
    voice_rc_t    rc;
    cache_path_t  path;

    rc = cache_path(&path, dir, recipe);
    if (rc != VOICE_OK) {
        return rc;
    }

    fd = open(path.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        return VOICE_NOTFOUND;
    }

    rc = cache_read(fd, bytes, len);
    close(fd);

    return rc;
}


voice_rc_t
speech_cache_put(const char *dir, voice_span_t recipe, voice_span_t bytes)
{
    voice_rc_t    rc;
    cache_path_t  path;

    if (bytes.len > SPEECH_CACHE_MAX) {
        return VOICE_FAILED;
    }

    rc = cache_path(&path, dir, recipe);
    if (rc != VOICE_OK) {
        return rc;
    }

    if (mkdir(path.folder, 0750) == -1 && errno != EEXIST) {
        return VOICE_FAILED;
    }

    rc = cache_write(path.aside, bytes);
    if (rc == VOICE_OK && rename(path.aside, path.file) == -1) {
        rc = VOICE_FAILED;
    }

    if (rc != VOICE_OK) {
        (void) unlink(path.aside);
    }

    return rc;
}


static voice_rc_t
cache_path(cache_path_t *path, const char *dir, voice_span_t recipe)
{
    int   n;
    char  hash[VOICE_SHA256_LEN * 2 + 1];

    if (voice_sha256_hex(hash, recipe) != VOICE_OK) {
        return VOICE_FAILED;
    }

    n = snprintf(path->folder, sizeof(path->folder), "%s/%.2s", dir, hash);
    if (n < 0 || (size_t) n >= sizeof(path->folder)) {
        return VOICE_FAILED;
    }

    n = snprintf(path->file, sizeof(path->file), "%s/%.2s/%s", dir, hash,
                 hash);
    if (n < 0 || (size_t) n >= sizeof(path->file)) {
        return VOICE_FAILED;
    }

    n = snprintf(path->aside, sizeof(path->aside), "%s/%.2s/%s.%ld", dir,
                 hash, hash, (long) getpid());

    return n < 0 || (size_t) n >= sizeof(path->aside) ? VOICE_FAILED
                                                      : VOICE_OK;
}


static voice_rc_t
cache_read(int fd, char **bytes, size_t *len)
{
    size_t       got;
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size == 0
        || st.st_size > (off_t) SPEECH_CACHE_MAX)
    {
        return VOICE_NOTFOUND;
    }

    *bytes = malloc((size_t) st.st_size);
    if (*bytes == NULL) {
        return VOICE_NOMEM;
    }

    for (got = 0; got < (size_t) st.st_size; got += (size_t) n) {
        n = read(fd, *bytes + got, (size_t) st.st_size - got);
        if (n <= 0) {
            free(*bytes);
            *bytes = NULL;
            return VOICE_NOTFOUND;
        }
    }

    *len = got;

    return VOICE_OK;
}


static voice_rc_t
cache_write(const char *file, voice_span_t bytes)
{
    int      fd;
    size_t   done;
    ssize_t  n;

    fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
              0640);
    if (fd == -1) {
        return VOICE_FAILED;
    }

    for (done = 0; done < bytes.len; done += (size_t) n) {
        n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n <= 0) {
            close(fd);
            return VOICE_FAILED;
        }
    }

    return close(fd) == -1 ? VOICE_FAILED : VOICE_OK;
}
