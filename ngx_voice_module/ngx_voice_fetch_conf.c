
/*
 * What of a fetch is settled at configuration time: its URL, and whose
 * certificates are trusted.
 */

#include "ngx_voice_fetch.h"

#include <curl/curl.h>
#include <openssl/x509.h>


#define NGX_VOICE_TRUST_SYSTEM  "/etc/ssl/certs/ca-certificates.crt"


static ngx_uint_t ngx_voice_fetch_part(CURLU *url, CURLUPart part,
    const char *equal);
static void ngx_voice_trust_free(void *data);


ngx_uint_t
ngx_voice_fetch_url_valid(const ngx_str_t *url)
{
    CURLU       *parts;
    ngx_uint_t   valid;

    parts = curl_url();

    valid = parts != NULL
            && curl_url_set(parts, CURLUPART_URL, (char *) url->data,
                            CURLU_NON_SUPPORT_SCHEME)
               == CURLUE_OK
            && (ngx_voice_fetch_part(parts, CURLUPART_SCHEME, "http")
                || ngx_voice_fetch_part(parts, CURLUPART_SCHEME, "https"))
            && !ngx_voice_fetch_part(parts, CURLUPART_USER, NULL)
            && !ngx_voice_fetch_part(parts, CURLUPART_PASSWORD, NULL)
            && !ngx_voice_fetch_part(parts, CURLUPART_FRAGMENT, NULL);

    curl_url_cleanup(parts);

    return valid;
}


ngx_uint_t
ngx_voice_fetch_url_open(const ngx_str_t *url)
{
    CURLU       *parts;
    ngx_uint_t   open;

    parts = curl_url();

    open = parts != NULL
           && curl_url_set(parts, CURLUPART_URL, (char *) url->data, 0)
              == CURLUE_OK
           && ngx_voice_fetch_part(parts, CURLUPART_SCHEME, "http")
           && !ngx_voice_fetch_part(parts, CURLUPART_HOST, "localhost")
           && !ngx_voice_fetch_part(parts, CURLUPART_HOST, "127.0.0.1")
           && !ngx_voice_fetch_part(parts, CURLUPART_HOST, "[::1]");

    curl_url_cleanup(parts);

    return open;
}


ngx_voice_trust_t *
ngx_voice_trust_read(ngx_conf_t *cf, const ngx_str_t *file)
{
    const char          *name;
    ngx_voice_trust_t   *trust;
    ngx_pool_cleanup_t  *cln;

    name = file->len != 0 ? (const char *) file->data
                          : NGX_VOICE_TRUST_SYSTEM;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    trust = X509_STORE_new();
    if (trust == NULL) {
        return NULL;
    }

    cln->handler = ngx_voice_trust_free;
    cln->data = trust;

    /* once and here: a bundle of the system takes tens of milliseconds */

    if (X509_STORE_load_locations(trust, name, NULL) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" has no CA certificates", name);
        return NULL;
    }

    (void) X509_STORE_set_flags(trust, X509_V_FLAG_TRUSTED_FIRST);

    return trust;
}


/* Is there such a part?  With a equal: does it equal it? */
static ngx_uint_t
ngx_voice_fetch_part(CURLU *url, CURLUPart part, const char *equal)
{
    char        *text;
    ngx_uint_t   found;

    text = NULL;
    found = curl_url_get(url, part, &text, 0) == CURLUE_OK
            && (equal == NULL || ngx_strcmp(text, equal) == 0);
    curl_free(text);

    return found;
}


static void
ngx_voice_trust_free(void *data)
{
    X509_STORE_free(data);
}
