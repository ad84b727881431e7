
/*
 * Messages: as Redis carries them, as a frame and as a server-sent event.
 *
 * Text of Redis: "<id> <event> <channel>,<channel>\n<body>".
 */

#include "ngx_voice_live_private.h"


#define NGX_VOICE_LIVE_HEAD_MAX  10        /* bytes of a server's frame */
#define NGX_VOICE_LIVE_FIN       0x80
#define NGX_VOICE_LIVE_TEXT      0x01


static ngx_uint_t ngx_voice_live_parse(const ngx_str_t *text,
    ngx_voice_live_event_t *event);
static ngx_uint_t ngx_voice_live_word(u_char **p, u_char *last, u_char end,
    ngx_str_t *word);
static ngx_voice_live_message_t *ngx_voice_live_message_alloc(size_t len,
    u_char **p);
static u_char *ngx_voice_live_head(u_char *p, ngx_uint_t opcode, size_t len);


ngx_voice_live_message_t *
ngx_voice_live_message_read(const ngx_str_t *text)
{
    ngx_voice_live_event_t  event;

    return ngx_voice_live_parse(text, &event)
           ? ngx_voice_live_message(&event) : NULL;
}


ngx_voice_live_message_t *
ngx_voice_live_message(const ngx_voice_live_event_t *event)
{
    u_char                    *p;
    size_t                     len;
    ngx_uint_t                 i;
    ngx_voice_live_message_t  *message;

    len = NGX_VOICE_LIVE_HEAD_MAX + 2 * event->body.len + event->event.len
          + sizeof("id: \nevent: \ndata: \n\n") + NGX_INT64_LEN;

    for (i = 0; i < event->nchannels; i++) {
        len += event->channels[i].len;
    }

    message = ngx_voice_live_message_alloc(len, &p);
    if (message == NULL) {
        return NULL;
    }

    message->id = event->id;
    message->nchannels = event->nchannels;

    for (i = 0; i < event->nchannels; i++) {
        message->channels[i].data = p;
        message->channels[i].len = event->channels[i].len;
        p = ngx_cpymem(p, event->channels[i].data, event->channels[i].len);
    }

    message->socket.data = p;
    p = ngx_voice_live_head(p, NGX_VOICE_LIVE_TEXT, event->body.len);
    p = ngx_cpymem(p, event->body.data, event->body.len);
    message->socket.len = p - message->socket.data;

    /* a last id is that of a durable event: others do not change it */

    message->eventsource.data = p;

    if (event->id != 0) {
        p = ngx_sprintf(p, "id: %uL\n", event->id);
    }

    p = ngx_sprintf(p, "event: %V\ndata: %V\n\n", &event->event,
                    &event->body);
    message->eventsource.len = p - message->eventsource.data;

    return message;
}


ngx_voice_live_message_t *
ngx_voice_live_join(ngx_voice_live_message_t *const *messages, ngx_uint_t n)
{
    u_char                    *p;
    size_t                     len;
    ngx_uint_t                 i;
    ngx_voice_live_message_t  *message;

    len = 0;

    for (i = 0; i < n; i++) {
        len += messages[i]->socket.len + messages[i]->eventsource.len;
    }

    message = ngx_voice_live_message_alloc(len, &p);
    if (message == NULL) {
        return NULL;
    }

    message->id = messages[n - 1]->id;
    message->socket.data = p;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, messages[i]->socket.data, messages[i]->socket.len);
    }

    message->socket.len = p - message->socket.data;
    message->eventsource.data = p;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, messages[i]->eventsource.data,
                       messages[i]->eventsource.len);
    }

    message->eventsource.len = p - message->eventsource.data;

    return message;
}


ngx_voice_live_message_t *
ngx_voice_live_frame(ngx_uint_t opcode, const u_char *payload, size_t len)
{
    u_char                    *p;
    ngx_voice_live_message_t  *message;

    message = ngx_voice_live_message_alloc(NGX_VOICE_LIVE_HEAD_MAX + len, &p);
    if (message == NULL) {
        return NULL;
    }

    message->socket.data = p;
    p = ngx_voice_live_head(p, opcode, len);
    p = ngx_cpymem(p, payload, len);
    message->socket.len = p - message->socket.data;

    return message;
}


ngx_voice_live_message_t *
ngx_voice_live_ping(void)
{
    static u_char  frame[] = { 0x89, 0x00 };
    static u_char  comment[] = ":\n\n";

    static ngx_voice_live_message_t  message = {
        .refs = 1,
        .socket = { sizeof(frame), frame },
        .eventsource = { sizeof(comment) - 1, comment }
    };

    return &message;
}


void
ngx_voice_live_release(ngx_voice_live_message_t *message)
{
    if (--message->refs == 0) {
        ngx_free(message);
    }
}


ngx_str_t
ngx_voice_live_text(const ngx_voice_live_event_t *event)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   text;
    ngx_uint_t  i;

    len = NGX_INT64_LEN + event->event.len + event->body.len + 3;

    for (i = 0; i < event->nchannels; i++) {
        len += event->channels[i].len + 1;
    }

    ngx_str_null(&text);

    text.data = ngx_alloc(len, ngx_cycle->log);
    if (text.data == NULL) {
        return text;
    }

    p = ngx_sprintf(text.data, "%uL %V ", event->id, &event->event);

    for (i = 0; i < event->nchannels; i++) {
        p = ngx_sprintf(p, "%V%c", &event->channels[i],
                        i + 1 < event->nchannels ? ',' : '\n');
    }

    p = ngx_cpymem(p, event->body.data, event->body.len);
    text.len = p - text.data;

    return text;
}


static ngx_uint_t
ngx_voice_live_parse(const ngx_str_t *text, ngx_voice_live_event_t *event)
{
    u_char     *p, *last, *end;
    ngx_int_t   id;
    ngx_str_t   word;

    p = text->data;
    last = p + text->len;
    end = ngx_strlchr(p, last, '\n');

    if (end == NULL || !ngx_voice_live_word(&p, end, ' ', &word)) {
        return 0;
    }

    id = ngx_atoi(word.data, word.len);

    if (id == NGX_ERROR || !ngx_voice_live_word(&p, end, ' ', &event->event))
    {
        return 0;
    }

    event->id = id;
    event->nchannels = 0;

    while (event->nchannels < NGX_VOICE_LIVE_NAMES_MAX
           && ngx_voice_live_word(&p, end, ',',
                                  &event->channels[event->nchannels]))
    {
        event->nchannels++;
    }

    event->body.data = end + 1;
    event->body.len = last - end - 1;

    return event->nchannels > 0
           && ngx_strlchr(end + 1, last, '\n') == NULL;
}


/* Up to a character or the end; 0: there is no word. */
static ngx_uint_t
ngx_voice_live_word(u_char **p, u_char *last, u_char end, ngx_str_t *word)
{
    u_char  *next;

    next = ngx_strlchr(*p, last, end);

    word->data = *p;
    word->len = (next == NULL ? last : next) - *p;
    *p = next == NULL ? last : next + 1;

    return word->len != 0;
}


static ngx_voice_live_message_t *
ngx_voice_live_message_alloc(size_t len, u_char **p)
{
    ngx_voice_live_message_t  *message;

    message = ngx_alloc(sizeof(ngx_voice_live_message_t) + len,
                        ngx_cycle->log);
    if (message == NULL) {
        return NULL;
    }

    ngx_memzero(message, sizeof(ngx_voice_live_message_t));
    message->refs = 1;
    *p = (u_char *) &message[1];

    return message;
}


/* Of a frame of a server, which is not masked (RFC 6455, 5.2). */
static u_char *
ngx_voice_live_head(u_char *p, ngx_uint_t opcode, size_t len)
{
    ngx_int_t  shift;

    *p++ = NGX_VOICE_LIVE_FIN | (u_char) opcode;

    if (len <= NGX_VOICE_LIVE_CONTROL) {
        *p++ = (u_char) len;
        return p;
    }

    *p++ = len <= 0xffff ? 126 : 127;

    for (shift = len <= 0xffff ? 8 : 56; shift >= 0; shift -= 8) {
        *p++ = (u_char) ((uint64_t) len >> shift);
    }

    return p;
}
