
/*
 * voice_ingest: how packets are gathered, and its bounds.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


#define NGX_VOICE_INGEST(member)  offsetof(ngx_voice_ingest_conf_t, member)

static const ngx_voice_field_t  ngx_voice_ingest_fields[] = {
    { ngx_string("lanes"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(lanes), 1, 64 },
    { ngx_string("pool"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(pool), 1, 64 },
    { ngx_string("batch"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(batch), 1, 4096 },
    { ngx_string("batch_size"), NGX_VOICE_FIELD_SIZE,
      NGX_VOICE_INGEST(batch_size), 1024, 64 * 1024 * 1024 },
    { ngx_string("tenant_packets"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(tenant_packets), 1, 1000000 },
    { ngx_string("tenant_size"), NGX_VOICE_FIELD_SIZE,
      NGX_VOICE_INGEST(tenant_size), 1024, NGX_MAX_INT32_VALUE },
    { ngx_string("packets"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(packets), 1, 1000000 },
    { ngx_string("size"), NGX_VOICE_FIELD_SIZE,
      NGX_VOICE_INGEST(size), 1024, NGX_MAX_INT32_VALUE },
    { ngx_string("sequence"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(sequence), 1, NGX_MAX_INT32_VALUE },
    { ngx_string("call_id"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(call_id), 1, 255 },
    { ngx_string("data"), NGX_VOICE_FIELD_SIZE,
      NGX_VOICE_INGEST(data), 1, 1024 * 1024 },
    { ngx_string("gaps"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_INGEST(gaps), 1, 1000000 },
    { ngx_null_string, 0, 0, 0, 0 }
};

#undef NGX_VOICE_INGEST


void
ngx_voice_ingest_defaults(ngx_voice_ingest_conf_t *conf)
{
    conf->lanes = 2;
    conf->pool = 2;
    conf->batch = 256;
    conf->batch_size = 1024 * 1024;
    conf->tenant_packets = 8192;
    conf->tenant_size = 32 * 1024 * 1024;
    conf->packets = 32768;
    conf->size = 128 * 1024 * 1024;
    conf->sequence = NGX_MAX_INT32_VALUE;
    conf->call_id = 128;
    conf->data = 64 * 1024;
    conf->gaps = 10000;
}


char *
ngx_voice_conf_ingest(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_voice_main_conf_t  *mcf = conf;

    (void) cmd;

    if (mcf->ingest_conf.told) {
        return "is duplicate";
    }

    mcf->ingest_conf.told = 1;

    return ngx_voice_conf_fields(cf, ngx_voice_ingest_fields,
                                 &mcf->ingest_conf)
           == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void
ngx_voice_ingest_configure(const ngx_voice_ingest_conf_t *conf,
    ngx_array_t *databases)
{
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    if (!conf->on) {
        return;
    }

    database = databases->elts;

    for (i = 0; i < databases->nelts; i++) {
        ngx_voice_database_add_pool(&database[i], &database[i].ingest_conf,
                                    conf->pool);
    }
}
