
/*
 * Memory, and a text that grows.
 */

#include <stdarg.h>

#include "ctl_buffer.h"


#define BUFFER_FIRST  256


static void no_memory(void) __attribute__((noreturn));
static void room(ctl_buffer_t *buffer, size_t more);
static void add_format(ctl_buffer_t *buffer, const char *format,
    va_list args);


void *
ctl_alloc(size_t size)
{
    void  *memory;

    memory = calloc(1, size == 0 ? 1 : size);
    if (memory == NULL) {
        no_memory();
    }

    return memory;
}


void *
ctl_grow(void *memory, size_t size)
{
    void  *larger;

    larger = realloc(memory, size);
    if (larger == NULL) {
        no_memory();
    }

    return larger;
}


char *
ctl_copy(voice_span_t text)
{
    char  *copy;

    copy = ctl_alloc(text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }

    return copy;
}


char *
ctl_format(const char *format, ...)
{
    va_list       args;
    ctl_buffer_t  text = { 0 };

    va_start(args, format);
    add_format(&text, format, args);
    va_end(args);

    return text.data;
}


void
ctl_buffer_add(ctl_buffer_t *buffer, voice_span_t text)
{
    room(buffer, text.len);

    if (text.len > 0) {
        memcpy(buffer->data + buffer->len, text.ptr, text.len);
    }

    buffer->len += text.len;
    buffer->data[buffer->len] = '\0';
}


void
ctl_buffer_put(ctl_buffer_t *buffer, const char *text)
{
    ctl_buffer_add(buffer, voice_span_str(text));
}


void
ctl_buffer_fill(ctl_buffer_t *buffer, char c, size_t count)
{
    room(buffer, count);
    memset(buffer->data + buffer->len, c, count);
    buffer->len += count;
    buffer->data[buffer->len] = '\0';
}


void
ctl_buffer_format(ctl_buffer_t *buffer, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    add_format(buffer, format, args);
    va_end(args);
}


const char *
ctl_buffer_text(const ctl_buffer_t *buffer)
{
    return buffer->data == NULL ? "" : buffer->data;
}


void
ctl_buffer_reset(ctl_buffer_t *buffer)
{
    buffer->len = 0;

    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}


void
ctl_buffer_release(ctl_buffer_t *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(ctl_buffer_t));
}


static void
no_memory(void)
{
    fputs("voicectl: out of memory\n", stderr);
    exit(CTL_LOCAL);
}


/* For so many bytes more and a NUL. */
static void
room(ctl_buffer_t *buffer, size_t more)
{
    size_t  size;

    if (more > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4) {
        no_memory();
    }

    size = buffer->size == 0 ? BUFFER_FIRST : buffer->size;

    while (size < buffer->len + more + 1) {
        size *= 2;
    }

    if (size != buffer->size) {
        buffer->data = ctl_grow(buffer->data, size);
        buffer->size = size;
    }
}


static void
add_format(ctl_buffer_t *buffer, const char *format, va_list args)
{
    int      len;
    va_list  again;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);

    if (len < 0) {
        no_memory();
    }

    room(buffer, (size_t) len);
    vsnprintf(buffer->data + buffer->len, (size_t) len + 1, format, again);
    buffer->len += (size_t) len;
    va_end(again);
}
