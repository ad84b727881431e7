
/*
 * Credentials that this process has seen lately, with their digests: a
 * client sends the same one with each request, and to compare it costs a
 * tenth of its SHA-256.
 */

#include "ngx_voice_recent.h"

#include <openssl/evp.h>


#define NGX_VOICE_RECENT_SLOTS  512        /* a power of two */
#define NGX_VOICE_RECENT_TEXT   1536       /* bytes of a credential */
#define NGX_VOICE_RECENT_TAIL   16


typedef struct {
    size_t  len;                           /* 0: free */
    u_char  key[VOICE_SHA256_LEN];
    u_char  text[NGX_VOICE_RECENT_TEXT];
} ngx_voice_recent_t;


static ngx_voice_recent_t *ngx_voice_recent_slot(voice_span_t text);
static ngx_int_t ngx_voice_recent_digest(u_char key[VOICE_SHA256_LEN],
    voice_span_t text);


/* of this process; pages that nobody touches take no memory */
static ngx_voice_recent_t  ngx_voice_recent[NGX_VOICE_RECENT_SLOTS];


ngx_int_t
ngx_voice_recent_key(u_char key[VOICE_SHA256_LEN], voice_span_t text)
{
    size_t               head;
    ngx_voice_recent_t  *slot;

    if (text.len < NGX_VOICE_RECENT_TAIL || text.len > NGX_VOICE_RECENT_TEXT)
    {
        return ngx_voice_recent_digest(key, text);
    }

    slot = ngx_voice_recent_slot(text);
    head = text.len - NGX_VOICE_RECENT_TAIL;

    /*
     * The end first, which is of a signature or a secret: who does not know
     * it learns nothing from the time that the comparison takes.
     */
    if (slot->len == text.len
        && ngx_memcmp(slot->text + head, text.ptr + head,
                      NGX_VOICE_RECENT_TAIL)
           == 0
        && ngx_memcmp(slot->text, text.ptr, head) == 0)
    {
        ngx_memcpy(key, slot->key, VOICE_SHA256_LEN);
        return NGX_OK;
    }

    if (ngx_voice_recent_digest(key, text) != NGX_OK) {
        return NGX_ERROR;
    }

    slot->len = text.len;
    ngx_memcpy(slot->key, key, VOICE_SHA256_LEN);
    ngx_memcpy(slot->text, text.ptr, text.len);

    return NGX_OK;
}


/* Who makes two fall on one slot makes both cost a digest, no more. */
static ngx_voice_recent_t *
ngx_voice_recent_slot(voice_span_t text)
{
    uint64_t  word[2];

    ngx_memcpy(word, text.ptr + text.len - NGX_VOICE_RECENT_TAIL,
               sizeof(word));
    word[0] = (word[0] ^ word[1] * 0x9e3779b97f4a7c15u)
              * 0xbf58476d1ce4e5b9u;

    return &ngx_voice_recent[(word[0] >> 32) & (NGX_VOICE_RECENT_SLOTS - 1)];
}


/* To find the algorithm by name takes OpenSSL as long as the digest. */
static ngx_int_t
ngx_voice_recent_digest(u_char key[VOICE_SHA256_LEN], voice_span_t text)
{
    static EVP_MD  *sha256;

    if (sha256 == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    }

    if (sha256 == NULL
        || EVP_Digest(text.len == 0 ? "" : text.ptr, text.len, key, NULL,
                      sha256, NULL)
           != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
