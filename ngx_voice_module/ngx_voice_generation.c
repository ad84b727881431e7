
/*
 * The generation of the configuration: records in shared memory outlive a
 * reload, but numbers of scopes and classes, and who is trusted, may change
 * with it.
 */

#include "ngx_voice.h"


static void ngx_voice_generation_issuers(ngx_voice_main_conf_t *mcf);


void
ngx_voice_generation_add(ngx_voice_main_conf_t *mcf, const void *data,
    size_t len)
{
    u_char    digest[VOICE_SHA256_LEN], *p;
    size_t    rest;
    uint64_t  sum;

    /* a digest: secrets are among what is added */

    if (voice_sha256(digest, voice_span(data, len)) != VOICE_OK) {
        return;
    }

    p = digest;

    for (rest = sizeof(digest); rest >= sizeof(sum); rest -= sizeof(sum)) {
        ngx_memcpy(&sum, p, sizeof(sum));
        mcf->generation = (mcf->generation ^ sum) * 0x9e3779b97f4a7c15u + 1;
        p += sizeof(sum);
    }
}


void
ngx_voice_generation_end(ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t                   i;
    const char                 **names;
    const voice_limit_class_t   *class;

    names = mcf->scopes->elts;

    for (i = 0; i < mcf->scopes->nelts; i++) {
        ngx_voice_generation_add(mcf, names[i], ngx_strlen(names[i]));
    }

    for (i = 0; i < NGX_VOICE_CLASSES_MAX; i++) {
        class = voice_contract_limit(mcf->contract, i);
        if (class == NULL) {
            break;
        }

        ngx_voice_generation_add(mcf, class->name, ngx_strlen(class->name));
    }

    ngx_voice_generation_add(mcf, mcf->issuer.data, mcf->issuer.len);
    ngx_voice_generation_issuers(mcf);
}


/* What their claims are made of; keys have ids of their own. */
static void
ngx_voice_generation_issuers(ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t                       i, n;
    ngx_voice_issuer_t              *issuer;
    const ngx_voice_issuer_role_t   *role;

    if (mcf->issuers == NULL) {
        return;
    }

    issuer = mcf->issuers->elts;

    for (i = 0; i < mcf->issuers->nelts; i++, issuer++) {
        const ngx_str_t  *texts[] = {
            &issuer->name, &issuer->audience, &issuer->tenant,
            &issuer->tenant_claim, &issuer->role_claim
        };

        for (n = 0; n < VOICE_ARRAY_SIZE(texts); n++) {
            ngx_voice_generation_add(mcf, texts[n]->data, texts[n]->len);
        }

        ngx_voice_generation_add(mcf, &issuer->alg, sizeof(issuer->alg));
        ngx_voice_generation_add(mcf, &issuer->leeway,
                                 sizeof(issuer->leeway));

        for (n = 0; issuer->types != NULL && issuer->types[n] != NULL; n++) {
            ngx_voice_generation_add(mcf, issuer->types[n],
                                     ngx_strlen(issuer->types[n]));
        }

        role = issuer->roles.elts;

        for (n = 0; n < issuer->roles.nelts; n++) {
            ngx_voice_generation_add(mcf, role[n].theirs.data,
                                     role[n].theirs.len);
            ngx_voice_generation_add(mcf, &role[n].ours,
                                     sizeof(voice_role_e));
        }
    }
}
