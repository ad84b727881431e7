
/*
 * Which buckets a request takes from: of the address for strangers, of the
 * tenant, then of the user or key for those who are known, then of what it
 * is about.  A name is that of the bucket in Redis, too.
 */

#include "ngx_voice_limit.h"

#include <ngx_md5.h>


#define NGX_VOICE_LIMIT_VALUE_MAX  64      /* bytes that a name holds as they
                                              are */


static ngx_voice_limit_bucket_t *ngx_voice_limit_bucket(
    ngx_voice_limit_t *limit, const char *class, const char *kind);
static void ngx_voice_limit_address(ngx_voice_limit_bucket_t *bucket,
    const ngx_connection_t *c);
static void ngx_voice_limit_each(const ngx_voice_ctx_t *ctx,
    ngx_voice_limit_t *limit);
static void ngx_voice_limit_append(ngx_voice_limit_bucket_t *bucket,
    const void *text, size_t len);
static void ngx_voice_limit_rate(ngx_voice_limit_bucket_t *bucket,
    ngx_voice_rate_t rate, const voice_limit_class_t *class);


void
ngx_voice_limit_buckets(ngx_voice_ctx_t *ctx, ngx_voice_limit_t *limit)
{
    ngx_voice_rate_t            none = { 0, 0 }, rate;
    ngx_voice_identity_t       *identity;
    const voice_limit_class_t  *class;
    ngx_voice_limit_bucket_t   *bucket;

    identity = &ctx->identity;
    class = ctx->policy->limit;

    if (identity->tenant.len == 0) {
        bucket = ngx_voice_limit_bucket(limit, class->name, ":a:");
        ngx_voice_limit_address(bucket, ctx->request->connection);
        ngx_voice_limit_rate(bucket, none, class);
        return;
    }

    rate = ctx->tenant == NULL ? none : ctx->tenant->limits[class->index];

    bucket = ngx_voice_limit_bucket(limit, class->name, ":t:");
    ngx_voice_limit_append(bucket, identity->tenant.data,
                           identity->tenant.len);
    ngx_voice_limit_rate(bucket, rate, class);

    rate = ctx->tenant == NULL ? none
           : ctx->tenant->user_limits[class->index];

    if (rate.rate != 0 && identity->actor.len != 0) {
        bucket = ngx_voice_limit_bucket(limit, class->name, ":u:");
        bucket->suffix = "-user";
        ngx_voice_limit_append(bucket, identity->tenant.data,
                               identity->tenant.len);
        ngx_voice_limit_append(bucket, ":", 1);
        ngx_voice_limit_append(bucket, identity->actor.data,
                               identity->actor.len);
        ngx_voice_limit_rate(bucket, rate, class);
    }

    /* of a key over all classes */

    if (identity->rate.rate != 0) {
        bucket = ngx_voice_limit_bucket(limit, "", "key:");
        bucket->suffix = "key";
        ngx_voice_limit_append(bucket, identity->actor.data,
                               identity->actor.len);
        ngx_voice_limit_rate(bucket, identity->rate, class);
    }

    if (class->by != NULL && ctx->operation != NULL && !ctx->location) {
        ngx_voice_limit_each(ctx, limit);
    }
}


void
ngx_voice_limit_failures(ngx_voice_ctx_t *ctx,
    ngx_voice_limit_bucket_t *bucket)
{
    ngx_voice_rate_t            none = { 0, 0 };
    const voice_limit_class_t  *class;

    class = ctx->conf->limit_failure;

    bucket->class = class->name;
    bucket->suffix = "";
    bucket->len = 0;

    ngx_voice_limit_append(bucket, class->name, ngx_strlen(class->name));
    ngx_voice_limit_append(bucket, ":a:", 3);
    ngx_voice_limit_address(bucket, ctx->request->connection);
    ngx_voice_limit_rate(bucket, none, class);
}


static ngx_voice_limit_bucket_t *
ngx_voice_limit_bucket(ngx_voice_limit_t *limit, const char *class,
    const char *kind)
{
    ngx_voice_limit_bucket_t  *bucket;

    bucket = &limit->buckets[limit->nbuckets++];

    bucket->class = class;
    bucket->suffix = "";
    bucket->len = 0;

    ngx_voice_limit_append(bucket, class, ngx_strlen(class));
    ngx_voice_limit_append(bucket, kind, ngx_strlen(kind));

    return bucket;
}


/* IPv4 whole, also as a mapped one; of IPv6 the /64, which is one customer. */
static void
ngx_voice_limit_address(ngx_voice_limit_bucket_t *bucket,
    const ngx_connection_t *c)
{
    u_char         *bytes, hex[16];
    struct in6_addr  *v6;

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        bytes = (u_char *) &((struct sockaddr_in *) c->sockaddr)->sin_addr;
        break;

    case AF_INET6:
        v6 = &((struct sockaddr_in6 *) c->sockaddr)->sin6_addr;

        if (!IN6_IS_ADDR_V4MAPPED(v6)) {
            (void) ngx_hex_dump(hex, v6->s6_addr, 8);
            ngx_voice_limit_append(bucket, hex, 16);
            return;
        }

        bytes = v6->s6_addr + 12;
        break;

    default:
        ngx_voice_limit_append(bucket, "unix", 4);
        return;
    }

    (void) ngx_hex_dump(hex, bytes, 4);
    ngx_voice_limit_append(bucket, hex, 8);
}


/* "each" of the class: the value of a path parameter has its own bucket. */
static void
ngx_voice_limit_each(const ngx_voice_ctx_t *ctx, ngx_voice_limit_t *limit)
{
    char                        buf[NGX_VOICE_LIMIT_VALUE_MAX];
    u_char                      digest[16], hex[32];
    unsigned                    index;
    ngx_md5_t                   md5;
    voice_span_t                value;
    ngx_voice_rate_t            rate;
    const voice_limit_class_t  *class;
    ngx_voice_limit_bucket_t   *bucket;

    class = ctx->policy->limit;
    index = ctx->operation->contract->each;

    bucket = ngx_voice_limit_bucket(limit, class->name, ":e:");
    bucket->suffix = "-each";
    ngx_voice_limit_append(bucket, ctx->identity.tenant.data,
                           ctx->identity.tenant.len);
    ngx_voice_limit_append(bucket, ":", 1);

    /* a long one by its digest, as it was sent; a broken one is refused
     * later */

    if (voice_capture(&ctx->match, index, buf, sizeof(buf), &value)
        == VOICE_OK)
    {
        ngx_voice_limit_append(bucket, value.ptr, value.len);

    } else {
        value = ctx->match.captures[index];
        ngx_md5_init(&md5);
        ngx_md5_update(&md5, value.ptr, value.len);
        ngx_md5_final(digest, &md5);
        (void) ngx_hex_dump(hex, digest, sizeof(digest));
        ngx_voice_limit_append(bucket, hex, sizeof(hex));
    }

    rate.rate = class->each_rate;
    rate.burst = class->each_burst;
    ngx_voice_limit_rate(bucket, rate, class);
}


/* What does not fit is no id of ours; two of them may share a bucket. */
static void
ngx_voice_limit_append(ngx_voice_limit_bucket_t *bucket, const void *text,
    size_t len)
{
    len = ngx_min(len, NGX_VOICE_LIMIT_KEY_MAX - bucket->len);
    ngx_memcpy(bucket->key + bucket->len, text, len);
    bucket->len += len;
}


/* rate 0: the contract's own figures. */
static void
ngx_voice_limit_rate(ngx_voice_limit_bucket_t *bucket, ngx_voice_rate_t rate,
    const voice_limit_class_t *class)
{
    if (rate.rate == 0) {
        rate.rate = class->rate;
        rate.burst = class->burst;
    }

    bucket->rate.rate = rate.rate;
    bucket->rate.burst = ngx_max(rate.burst, 1);
}
