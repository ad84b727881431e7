
/*
 * The directive voice_jwt_issuer: what a foreign issuer may be.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"
#include "ngx_voice_jwks_private.h"


#define NGX_VOICE_ISSUER_TYPES  8          /* values of "typ" */


/* The directive as it is written. */
typedef struct {
    ngx_voice_issuer_t   issuer;
    ngx_str_t            alg;
    ngx_str_t            typ;
    ngx_msec_t           leeway;
    ngx_array_t          roles;            /* ngx_str_t, "theirs:ours" */
} ngx_voice_issuer_conf_t;


static const char *ngx_voice_issuer_who(const ngx_voice_issuer_conf_t *row,
    ngx_array_t *others);
static const char *ngx_voice_issuer_tenant(
    const ngx_voice_issuer_conf_t *row);
static ngx_int_t ngx_voice_issuer_roles(ngx_conf_t *cf,
    ngx_voice_issuer_conf_t *row);
static const char *ngx_voice_issuer_alg(ngx_voice_issuer_conf_t *row);
static ngx_int_t ngx_voice_issuer_types(ngx_conf_t *cf,
    ngx_voice_issuer_conf_t *row);
static ngx_int_t ngx_voice_issuer_source(ngx_conf_t *cf,
    ngx_voice_issuer_conf_t *row);
static ngx_int_t ngx_voice_issuer_url(ngx_conf_t *cf,
    ngx_voice_issuer_t *issuer);
static ngx_int_t ngx_voice_issuer_file(ngx_conf_t *cf,
    ngx_voice_issuer_t *issuer);
static ngx_int_t ngx_voice_issuer_pem(ngx_conf_t *cf,
    ngx_voice_issuer_t *issuer);
static void ngx_voice_issuer_pem_free(void *data);
static voice_span_t ngx_voice_issuer_span(const ngx_str_t *text);


#define NGX_VOICE_ISSUER(member)  offsetof(ngx_voice_issuer_t, member)

static const ngx_voice_field_t  ngx_voice_issuer_fields[] = {
    { ngx_string("name"), NGX_VOICE_FIELD_TEXT, NGX_VOICE_ISSUER(name), 0, 0 },
    { ngx_string("audience"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(audience), 0, 0 },
    { ngx_string("jwks"), NGX_VOICE_FIELD_TEXT, NGX_VOICE_ISSUER(url), 0, 0 },
    { ngx_string("jwks_file"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(file), 0, 0 },
    { ngx_string("key_file"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(key_file), 0, 0 },
    { ngx_string("kid"), NGX_VOICE_FIELD_TEXT, NGX_VOICE_ISSUER(kid), 0, 0 },
    { ngx_string("tenant"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(tenant), 0, 0 },
    { ngx_string("tenant_claim"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(tenant_claim), 0, 0 },
    { ngx_string("role_claim"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_ISSUER(role_claim), 0, 0 },
    { ngx_string("role"), NGX_VOICE_FIELD_LIST,
      offsetof(ngx_voice_issuer_conf_t, roles), 0, 0 },
    { ngx_string("alg"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_issuer_conf_t, alg), 0, 0 },
    { ngx_string("typ"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_issuer_conf_t, typ), 0, 0 },
    { ngx_string("leeway"), NGX_VOICE_FIELD_MSEC,
      offsetof(ngx_voice_issuer_conf_t, leeway), 0, 300000 },
    { ngx_string("refresh"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_ISSUER(refresh), 1000, 86400000 },
    { ngx_string("min_interval"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_ISSUER(min_interval), 1000, 3600000 },
    { ngx_string("overlap"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_ISSUER(overlap), 0, 604800000 },
    { ngx_string("timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_ISSUER(timeout), 100, 60000 },
    { ngx_string("ca"), NGX_VOICE_FIELD_TEXT, NGX_VOICE_ISSUER(ca), 0, 0 },
    { ngx_null_string, 0, 0, 0, 0 }
};

#undef NGX_VOICE_ISSUER


char *
ngx_voice_conf_jwt_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    const char               *reason;
    ngx_voice_issuer_t       *issuer;
    ngx_voice_main_conf_t    *mcf = conf;
    ngx_voice_issuer_conf_t   row;

    (void) cmd;

    if (mcf->issuers == NULL) {
        mcf->issuers = ngx_array_create(cf->pool, NGX_VOICE_ISSUERS_MAX,
                                        sizeof(ngx_voice_issuer_t));
        if (mcf->issuers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_memzero(&row, sizeof(ngx_voice_issuer_conf_t));
    row.leeway = 5000;
    row.issuer.refresh = 600000;
    row.issuer.min_interval = 10000;
    row.issuer.overlap = 3600000;
    row.issuer.timeout = 5000;

    if (ngx_array_init(&row.roles, cf->temp_pool, 4, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_voice_conf_fields(cf, ngx_voice_issuer_fields, &row) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    row.issuer.leeway = row.leeway / 1000;

    reason = ngx_voice_issuer_who(&row, mcf->issuers);
    reason = reason != NULL ? reason : ngx_voice_issuer_tenant(&row);
    reason = reason != NULL ? reason : ngx_voice_issuer_alg(&row);

    if (reason != NULL) {
        return ngx_voice_conf_refuse(cf, reason);
    }

    if (ngx_voice_issuer_roles(cf, &row) != NGX_OK
        || ngx_voice_issuer_types(cf, &row) != NGX_OK
        || ngx_voice_issuer_source(cf, &row) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* there is room: the array never moves */

    issuer = ngx_array_push(mcf->issuers);
    *issuer = row.issuer;
    ngx_queue_init(&issuer->waiting);

    return NGX_CONF_OK;
}


/* Each returns NULL, or why it is refused. */
static const char *
ngx_voice_issuer_who(const ngx_voice_issuer_conf_t *row, ngx_array_t *others)
{
    const ngx_voice_issuer_t  *issuer;

    issuer = &row->issuer;

    if (issuer->name.len == 0 || issuer->name.len > VOICE_JWT_ISSUER_MAX) {
        return "\"name\" must be the \"iss\" of its tokens";
    }

    if (others->nelts == NGX_VOICE_ISSUERS_MAX) {
        return "there are too many issuers";
    }

    if (ngx_voice_issuer_find(others, ngx_voice_issuer_span(&issuer->name))
        != NULL)
    {
        return "\"name\" is another issuer's, too";
    }

    if (issuer->audience.len == 0) {
        return "\"audience\" is needed: a token for another service is "
               "not for us";
    }

    if ((issuer->url.len != 0) + (issuer->file.len != 0)
        + (issuer->key_file.len != 0) != 1)
    {
        return "one of \"jwks\", \"jwks_file\" and \"key_file\" is needed";
    }

    if (issuer->min_interval > issuer->refresh) {
        return "\"min_interval\" must not be over \"refresh\"";
    }

    return NULL;
}


static const char *
ngx_voice_issuer_tenant(const ngx_voice_issuer_conf_t *row)
{
    const ngx_voice_issuer_t  *issuer;

    issuer = &row->issuer;

    if ((issuer->tenant.len != 0) + (issuer->tenant_claim.len != 0) != 1) {
        return "one of \"tenant\" and \"tenant_claim\" is needed";
    }

    if (issuer->tenant.len != 0
        && !voice_uuid_valid(ngx_voice_issuer_span(&issuer->tenant)))
    {
        return "\"tenant\" must be a UUID";
    }

    if ((issuer->tenant_claim.len != 0 && issuer->tenant_claim.data[0] != '/')
        || (issuer->role_claim.len != 0 && issuer->role_claim.data[0] != '/'))
    {
        return "a claim must be a JSON pointer, \"/name\"";
    }

    return NULL;
}


static ngx_int_t
ngx_voice_issuer_roles(ngx_conf_t *cf, ngx_voice_issuer_conf_t *row)
{
    u_char                   *colon;
    ngx_str_t                *text;
    ngx_uint_t                i;
    voice_role_e              role;
    ngx_voice_issuer_role_t  *to;

    if (row->roles.nelts == 0
        || ngx_array_init(&row->issuer.roles, cf->pool, row->roles.nelts,
                          sizeof(ngx_voice_issuer_role_t))
           != NGX_OK)
    {
        (void) ngx_voice_conf_refuse(cf, "\"role\" is needed: what may its "
                                     "tokens do?");
        return NGX_ERROR;
    }

    text = row->roles.elts;

    for (i = 0; i < row->roles.nelts; i++) {

        /* theirs may have colons: "read:calls" */

        for (colon = text[i].data + text[i].len;
             colon > text[i].data && *colon != ':';
             colon--)
        {
            /* void */
        }

        role = voice_role_parse(voice_span((char *) colon + 1,
                                           text[i].data + text[i].len
                                           - colon - 1));

        if (colon == text[i].data || role == VOICE_ROLE_COUNT
            || role == VOICE_ROLE_PLATFORM_ADMIN)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"role=%V\" must be their role, a colon and "
                               "one of ours but platform_admin", &text[i]);
            return NGX_ERROR;
        }

        to = ngx_array_push(&row->issuer.roles);
        to->theirs.data = text[i].data;
        to->theirs.len = colon - text[i].data;
        to->ours = role;
    }

    return NGX_OK;
}


static const char *
ngx_voice_issuer_alg(ngx_voice_issuer_conf_t *row)
{
    row->issuer.alg = VOICE_JWT_RS256;

    if (row->alg.len == 0) {
        return row->issuer.key_file.len == 0
               ? NULL : "a key in PEM needs \"alg\"";
    }

    if (voice_jwt_alg_find(&row->issuer.alg, ngx_voice_issuer_span(&row->alg))
        != VOICE_OK
        || row->issuer.alg == VOICE_JWT_HS256
        || row->issuer.alg == VOICE_JWT_HS384
        || row->issuer.alg == VOICE_JWT_HS512)
    {
        return "\"alg\" must be one of public keys: RS256, PS256, ES256, ...";
    }

    return NULL;
}


/* "JWT,none": a list that ends with NULL, "none" is "". */
static ngx_int_t
ngx_voice_issuer_types(ngx_conf_t *cf, ngx_voice_issuer_conf_t *row)
{
    char        *item, *comma;
    ngx_uint_t   n;
    const char **types;

    if (row->typ.len == 0) {
        return NGX_OK;
    }

    types = ngx_pcalloc(cf->pool,
                        (NGX_VOICE_ISSUER_TYPES + 1) * sizeof(char *));
    if (types == NULL) {
        return NGX_ERROR;
    }

    item = (char *) row->typ.data;

    for (n = 0; item != NULL; n++) {

        comma = strchr(item, ',');

        if (comma != NULL) {
            *comma = '\0';
        }

        if (n == NGX_VOICE_ISSUER_TYPES || *item == '\0') {
            (void) ngx_voice_conf_refuse(cf, "\"typ\" must be a short list of "
                                         "types");
            return NGX_ERROR;
        }

        types[n] = ngx_strcmp(item, "none") == 0 ? "" : item;
        item = comma == NULL ? NULL : comma + 1;
    }

    row->issuer.types = types;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_issuer_source(ngx_conf_t *cf, ngx_voice_issuer_conf_t *row)
{
    u_char              *text;
    size_t               len;
    ngx_int_t            rc;
    const ngx_str_t     *source;
    ngx_voice_issuer_t  *issuer;

    issuer = &row->issuer;

    rc = issuer->url.len != 0 ? ngx_voice_issuer_url(cf, issuer)
         : issuer->file.len != 0 ? ngx_voice_issuer_file(cf, issuer)
         : ngx_voice_issuer_pem(cf, issuer);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* names the row of the issuer, so that a reload finds it again */

    source = issuer->url.len != 0 ? &issuer->url
             : issuer->file.len != 0 ? &issuer->file : &issuer->key_file;
    len = issuer->name.len + 1 + source->len;

    text = ngx_pnalloc(cf->temp_pool, len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, issuer->name.data, issuer->name.len + 1);
    ngx_memcpy(text + issuer->name.len + 1, source->data, source->len);

    return voice_sha256(issuer->source, voice_span((char *) text, len))
           == VOICE_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_voice_issuer_url(ngx_conf_t *cf, ngx_voice_issuer_t *issuer)
{
    if (!ngx_voice_fetch_url_valid(&issuer->url)) {
        (void) ngx_voice_conf_refuse(cf, "\"jwks\" must be an http or https "
                                     "URL without user and fragment");
        return NGX_ERROR;
    }

    if (ngx_voice_fetch_url_open(&issuer->url)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"voice_jwt_issuer\": whoever is on the way to "
                           "\"%V\" can put keys of his own into its set",
                           &issuer->url);
    }

    if (issuer->ca.len != 0
        && ngx_conf_full_name(cf->cycle, &issuer->ca, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_strncasecmp(issuer->url.data, (u_char *) "https:", 6) != 0) {
        return NGX_OK;
    }

    issuer->trust = ngx_voice_trust_read(cf, &issuer->ca);

    return issuer->trust == NULL ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_voice_issuer_file(ngx_conf_t *cf, ngx_voice_issuer_t *issuer)
{
    char             *text;
    const char       *reason;
    ngx_file_info_t   fi;

    if (ngx_conf_full_name(cf->cycle, &issuer->file, 1) != NGX_OK
        || ngx_voice_conf_read(cf, &issuer->file, VOICE_JWK_SET_MAX,
                               &issuer->text)
           != NGX_OK
        || ngx_file_info(issuer->file.data, &fi) == NGX_FILE_ERROR)
    {
        return NGX_ERROR;
    }

    issuer->mtime = ngx_file_mtime(&fi);
    issuer->size = ngx_file_size(&fi);

    /* what cannot be used refuses the configuration */

    text = ngx_voice_jwks_merge(issuer, ngx_voice_issuer_span(&issuer->text),
                                voice_span(NULL, 0), cf->log, &reason);
    free(text);

    if (text == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &issuer->file,
                           reason);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_issuer_pem(ngx_conf_t *cf, ngx_voice_issuer_t *issuer)
{
    ngx_str_t            pem;
    const char          *reason;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, &issuer->key_file, 1) != NGX_OK
        || ngx_voice_conf_read(cf, &issuer->key_file, VOICE_JWK_PEM_MAX, &pem)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    issuer->set = ngx_voice_jwks_set_pem(issuer, ngx_voice_issuer_span(&pem),
                                         &reason);
    if (issuer->set == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": a key that %s",
                           &issuer->key_file, reason);
        return NGX_ERROR;
    }

    cln->handler = ngx_voice_issuer_pem_free;
    cln->data = issuer->set;

    return NGX_OK;
}


static void
ngx_voice_issuer_pem_free(void *data)
{
    ngx_voice_jwks_set_destroy(data);
}


static voice_span_t
ngx_voice_issuer_span(const ngx_str_t *text)
{
    return voice_span((char *) text->data, text->len);
}
