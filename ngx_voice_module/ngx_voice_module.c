
/*
 * The edge's directives, configurations, phases and processes; nothing else.
 * The comments above the directives become docs/directives.md
 * (bin/directives).
 */

#include "ngx_voice_lapse.h"
#include "ngx_voice_publish.h"
#include "ngx_voice_nchan.h"
#include "ngx_voice_page.h"
#include "ngx_voice_send.h"
#include "ngx_voice_stall.h"


static void *ngx_voice_create_main_conf(ngx_conf_t *cf);
static char *ngx_voice_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_voice_create_loc_conf(ngx_conf_t *cf);
static char *ngx_voice_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_voice_conf_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_voice_conf_error(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_voice_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_voice_init(ngx_conf_t *cf);
static ngx_int_t ngx_voice_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_voice_init_process(ngx_cycle_t *cycle);
static void ngx_voice_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_voice_cost_bounds = {
    ngx_conf_check_num_bounds, 4, 16
};


static ngx_conf_enum_t  ngx_voice_stream_kinds[] = {
    { ngx_string("off"), NGX_VOICE_STREAM_OFF },
    { ngx_string("eventsource"), NGX_VOICE_STREAM_EVENTSOURCE },
    { ngx_string("websocket"), NGX_VOICE_STREAM_WEBSOCKET },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_voice_commands[] = {

    /*
     * Syntax:  voice_contract directory;
     * Default: -
     * Context: http
     *
     * The contract: every *.json file of the directory is a partial OpenAPI
     * 3.1 document, their union is the API.  A hole in it (an unknown role,
     * limit class or reference, a path that stands twice, a function that
     * voice_functions does not list) refuses the configuration and is named.
     */
    { ngx_string("voice_contract"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_voice_conf_contract,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_functions file;
     * Default: -
     * Context: http
     *
     * Names of the SQL functions of schema "api", one a line, as the
     * database has them.  An operation whose function is not listed refuses
     * the configuration.
     */
    { ngx_string("voice_functions"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_voice_conf_functions,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_postgres [name=main] host=path|address[:port],...
     *          dbname=name user=name [port=5432] [password_file=file]
     *          [pool=4] [slow_pool=1] [depth=8] [queue=1024]
     *          [connect_timeout=3s] [timeout=5s] [slow_timeout=30s]
     *          [replica_host=path|address[:port],...] [replica_port=5432];
     * Default: -
     * Context: http
     *
     * A database; may be given several times.  The first one is the main
     * one; a tenant whose "shard" is the name of another one has all its
     * data there.  host is the directory of its socket or an IP address,
     * never a name; of several, a primary and its standbys, the one that
     * takes writes is used, each having connect_timeout to answer.  An IPv6
     * address with a port is in brackets.  Each nginx process holds pool
     * connections, slow_pool more for operations marked x-slow, and one to
     * ask for changes.  A connection takes up to depth queries at once,
     * queue more may wait.  timeout is counted from the arrival of a query
     * to its answer.
     * Operations marked x-slow are asked of the replica, where there is one
     * and it answers.
     */
    { ngx_string("voice_postgres"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_voice_conf_postgres,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_ingest [lanes=2] [pool=2] [batch=256] [batch_size=1m]
     *          [tenant_packets=8192] [tenant_size=32m] [packets=32768]
     *          [size=128m] [sequence=2147483647] [call_id=128] [data=64k]
     *          [gaps=10000];
     * Default: -
     * Context: http
     *
     * Packets of calls are stored in batches, each in one transaction.  Each
     * nginx process holds pool connections more to each database for that,
     * and sends as many batches at once.  Those of one caller go on up to
     * lanes of them; all packets of a call are on the same.  While a tenant
     * has a batch in flight, another one of fewer than 24 packets waits.  A
     * batch has up to batch packets, and batch_size bytes unless it is a
     * single one.
     *
     * Of packets not answered yet a process holds so many of a tenant, and in
     * all, by their number and by their bytes; what comes then is answered
     * 503 with Retry-After.  sequence is the largest that is taken, call_id
     * and data are bytes, at most; what is over these is answered 422.  gaps
     * bounds the ranges that a call may miss.
     */
    { ngx_string("voice_ingest"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_voice_conf_ingest,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_redis host=address[:port],...|path [port=6379]
     *          [password_file=file] [queue=1024] [connect_timeout=2s]
     *          [timeout=1s];
     *          voice_redis sentinel=address[:port],... master=name
     *          [sentinel_password_file=file] ...;
     * Default: -
     * Context: http
     *
     * The Redis whose streams wake the workers; one connection a process,
     * up to queue commands in flight, timeout for each.  Of several hosts, a
     * master and its replicas, the one that is the master is used; Sentinels
     * (port 26379) are asked for it.  An IPv6 address with a port is in
     * brackets.  Each step of the search has connect_timeout.  It must not
     * evict what it holds: voice_redis_evicts in /metrics tells.
     */
    { ngx_string("voice_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_voice_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_jwt_key kid=name alg=HS256|HS384|HS512 file=file;
     * Default: -
     * Context: http
     *
     * A key that verifies access tokens; may be given several times.  The
     * first one signs.  The secret is the file's content without a newline
     * at its end, at least as long as the hash.
     */
    { ngx_string("voice_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE3,
      ngx_voice_conf_jwt_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_token_issuer name;
     * Default: voice_token_issuer voicegate;
     * Context: http
     *
     * "iss" of the tokens that we sign, demanded of those that we take.
     */
    { ngx_string("voice_token_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, issuer),
      NULL },

    /*
     * Syntax:  voice_jwt_issuer name=iss audience=aud
     *          jwks=url|jwks_file=file|key_file=file [kid=name]
     *          tenant=uuid|tenant_claim=pointer
     *          [role_claim=pointer] role=theirs:ours ...
     *          [alg=RS256] [typ=JWT,none] [leeway=5s]
     *          [refresh=10m] [min_interval=10s] [overlap=1h]
     *          [timeout=5s] [ca=file];
     * Default: -
     * Context: http
     *
     * A foreign issuer whose tokens are taken, once a name.  A token's "iss"
     * chooses the issuer, whose keys alone may verify it; its "aud" must hold
     * audience.  docs/issuers.md explains all of it, with examples.
     *
     * The keys are those of a URL or a file (a JWK Set), or one public key in
     * PEM, then with alg.  A set is fetched at the start, every refresh, and
     * for a key that is unknown, but not sooner than min_interval after the
     * last time, by one nginx process for all.  The last good set stays
     * whatever its server does; keys that vanish from it are good for
     * overlap.
     */
    { ngx_string("voice_jwt_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_voice_conf_jwt_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_token_lifetime time;
     * Default: voice_token_lifetime 30m;
     * Context: http
     *
     * How long an access token is good for.
     */
    { ngx_string("voice_token_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, token_lifetime),
      NULL },

    /*
     * Syntax:  voice_password_cost number;
     * Default: voice_password_cost 12;
     * Context: http
     *
     * Cost of bcrypt for new passwords, 4 to 16: each step doubles the time.
     */
    { ngx_string("voice_password_cost"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, password_conf.cost),
      &ngx_voice_cost_bounds },

    /*
     * Syntax:  voice_zone size;
     * Default: voice_zone 16m;
     * Context: http
     *
     * Shared memory, 1m at least: a quarter for credentials that were
     * verified (about 4800 a megabyte of it), an eighth for tenants (about
     * 500 a megabyte), a twentieth for hosts, the rest for metrics and
     * limits.  Kept over a reload while the size stays the same.
     */
    { ngx_string("voice_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_voice_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_stream_window time;
     * Default: voice_stream_window 55m;
     * Context: http
     *
     * How far back a stream may resume by its last id.  Must be shorter than
     * nchan_message_timeout, by a minute at least: an id of a message that
     * has expired must not reach nchan.
     */
    { ngx_string("voice_stream_window"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, stream_window),
      NULL },

    /*
     * Syntax:  voice_stream_store namespace;
     * Default: -
     * Context: http
     *
     * nchan_redis_namespace of the streams, which must live in the Redis of
     * voice_redis and without nchan_channel_group.  A stream resumes only
     * where its last message is found there; without this directive every
     * resume is a gap.
     */
    { ngx_string("voice_stream_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, stream_store),
      NULL },

    /*
     * Syntax:  voice_auth off|on|optional [role=name,...] [scope=name];
     * Default: voice_auth off;
     * Context: http, server, location
     *
     * Lets nobody into a location, whatever nginx serves there, who has no
     * valid bearer token or API key; "optional" lets those in who send none.
     * role names who may, a ranked role admits those above it, too; scope is
     * one that an API key must have.  Operations of voice_api and
     * voice_stream are judged by the contract instead.
     */
    { ngx_string("voice_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_voice_conf_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_limit class=name [dry_run]|off;
     * Default: voice_limit off;
     * Context: http, server, location
     *
     * Limits a location, whatever nginx serves there, by a class of the
     * contract's "x-limits": of the tenant behind voice_auth, else of the
     * client's address.  With "dry_run" all are admitted; who would have been
     * refused is logged and has "dry_run" in $voice_limit_status.  Operations
     * of voice_api and voice_stream have the class of the contract instead.
     */
    { ngx_string("voice_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_voice_conf_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_limit_nodes number;
     * Default: voice_limit_nodes 1;
     * Context: http
     *
     * How many nodes share the limits by the Redis of voice_redis, the same
     * number on each.  A node more is refused its part; while there are
     * fewer, less than the limit is admitted.  docs/limits.md tells what is
     * promised.
     */
    { ngx_string("voice_limit_nodes"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, limit_nodes),
      NULL },

    /*
     * Syntax:  voice_limit_dry_run on|off;
     * Default: voice_limit_dry_run off;
     * Context: http
     *
     * All limits are rehearsed only, those of operations, too; see
     * voice_limit.
     */
    { ngx_string("voice_limit_dry_run"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, limit_dry_run),
      NULL },

    /*
     * Syntax:  voice_hosts on|off;
     * Default: voice_hosts off;
     * Context: http, server, location
     *
     * Finds the tenant of the request's host in the host map: requests
     * without credentials are that tenant's, credentials of another tenant
     * are refused.
     */
    { ngx_string("voice_hosts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, hosts),
      NULL },

    /*
     * Syntax:  voice_tenancy multi|single tenant=uuid [supervisor=token|open]
     *          [allow=address,...];
     * Default: voice_tenancy multi;
     * Context: http
     *
     * single: the edge of one tenant, for PBXs that send no credentials.
     * Operations that the contract marks with x-dropin (/v1/call/) take
     * requests without credentials as that tenant's, with supervisor=open
     * what shows calls (/v1/calls/, /ws/supervisor), too.  Credentials that
     * are sent are judged as ever, all other operations ask for them.
     *
     * allow lists addresses and ranges from which such requests come, others
     * are refused with ADDRESS_NOT_ALLOWED; the address is the connection's,
     * or what set_real_ip_from has made of it.  Without allow every "listen"
     * of the http block must be of the loopback interface or a unix socket.
     * Pages of other origins are let in only where the tenant lists them.
     * A page may have its own name lead here, and is of the same origin then:
     * server_name must be strict, and the default server refuse, as in the
     * sample "dropin".
     */
    { ngx_string("voice_tenancy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1234,
      ngx_voice_conf_tenancy,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /*
     * Syntax:  voice_stale time;
     * Default: voice_stale 30s;
     * Context: http
     *
     * How long locations behind voice_auth go on by what was read from the
     * database before it could not be asked any more; afterwards they answer
     * 503.  Open streams end a minute after that.
     */
    { ngx_string("voice_stale"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_voice_main_conf_t, stale),
      NULL },

    /*
     * Syntax:  voice_api on|off;
     * Default: voice_api off;
     * Context: location
     *
     * Serves the contract's operations: identity, role and limit in the
     * access phase, the operation in the content phase.
     */
    { ngx_string("voice_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_voice_conf_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, api),
      NULL },

    /*
     * Syntax:  voice_stream off|eventsource|websocket;
     * Default: voice_stream off;
     * Context: location
     *
     * The access phase only, for x-stream operations in front of an nchan
     * subscriber of that kind: $voice_channel is what the caller may hear,
     * $voice_last_event_id the checked id to resume from.  A client who
     * cannot take the kind is refused with a reason.
     */
    { ngx_string("voice_stream"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, stream),
      &ngx_voice_stream_kinds },

    /*
     * Syntax:  voice_live on|off;
     * Default: voice_live off;
     * Context: location
     *
     * With voice_stream: the stream is served by the edge itself, not by
     * nchan, and resumes from the database.  It needs voice_redis and a
     * voice_publish location for the relay.
     */
    { ngx_string("voice_live"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_voice_conf_live,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, live),
      NULL },

    /*
     * Syntax:  voice_publish on|off;
     * Default: voice_publish off;
     * Context: location
     *
     * Where the relay tells the durable events of voice_live streams.  Who
     * reaches it may tell anybody anything: for a unix socket.
     */
    { ngx_string("voice_publish"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_voice_conf_publish,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, publish),
      NULL },

    /*
     * Syntax:  voice_error on|off;
     * Default: voice_error off;
     * Context: location
     *
     * Answers with the error body of the API for the status that brought
     * the request here; for "error_page 400 404 ... /voice-error" with an
     * internal location, so that nginx's own errors look like ours.
     */
    { ngx_string("voice_error"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_voice_conf_error,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, error),
      NULL },

    /*
     * Syntax:  voice_status on|off;
     * Default: voice_status off;
     * Context: location
     *
     * Answers with what operators ask of a node: version, contract,
     * configuration, processes, pools, issuers and their keys, counters.
     * JSON, or a page for "Accept: text/html".  It holds no secrets but is
     * nobody else's business: put allow and deny around it.
     */
    { ngx_string("voice_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_voice_conf_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_voice_loc_conf_t, status),
      NULL },

    /*
     * Syntax:  voice_docs file;
     * Default: -
     * Context: http, server, location
     *
     * The HTML page that the operation of x-shape "docs" answers, read at
     * configuration time.  Without one, or if the file does not exist, a
     * plain list of the operations is served.
     */
    { ngx_string("voice_docs"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_voice_conf_docs,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_voice_module_ctx = {
    ngx_voice_preconfiguration,            /* preconfiguration */
    ngx_voice_init,                        /* postconfiguration */

    ngx_voice_create_main_conf,            /* create main configuration */
    ngx_voice_init_main_conf,              /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_voice_create_loc_conf,             /* create location configuration */
    ngx_voice_merge_loc_conf               /* merge location configuration */
};


ngx_module_t  ngx_voice_module = {
    NGX_MODULE_V1,
    &ngx_voice_module_ctx,                 /* module context */
    ngx_voice_commands,                    /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_voice_init_module,                 /* init module */
    ngx_voice_init_process,                /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_voice_exit_process,                /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_voice_create_main_conf(ngx_conf_t *cf)
{
    ngx_voice_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_voice_main_conf_t));
    if (mcf == NULL || ngx_voice_nchan_guard(cf) != NGX_OK) {
        return NULL;
    }

    mcf->limit_nodes = NGX_CONF_UNSET_UINT;
    mcf->limit_dry_run = NGX_CONF_UNSET;
    mcf->token_lifetime = NGX_CONF_UNSET;
    mcf->stream_window = NGX_CONF_UNSET;
    mcf->stale = NGX_CONF_UNSET_MSEC;
    ngx_voice_ingest_defaults(&mcf->ingest_conf);
    mcf->password_conf.cost = NGX_CONF_UNSET_UINT;
    mcf->password_conf.limit = 64;
    mcf->password_conf.threads = 2;
    mcf->password_conf.timeout = 10000;

    return mcf;
}


static char *
ngx_voice_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_voice_main_conf_t  *mcf = conf;

    ngx_conf_init_uint_value(mcf->limit_nodes, 1);
    ngx_conf_init_value(mcf->limit_dry_run, 0);
    ngx_conf_init_value(mcf->token_lifetime, 30 * 60);
    ngx_conf_init_value(mcf->stream_window, 55 * 60);
    ngx_conf_init_msec_value(mcf->stale, 30000);
    ngx_conf_init_uint_value(mcf->password_conf.cost, 12);

    if (mcf->issuer.data == NULL) {
        ngx_str_set(&mcf->issuer, "voicegate");
    }

    if (mcf->contract == NULL) {
        return NGX_CONF_OK;
    }

    if (mcf->zone == NULL && ngx_voice_zone_add(cf, mcf, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_voice_password_configure(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_voice_jwks_configure(cf, mcf->issuers, &mcf->issuer) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_voice_api_init(cf, mcf) != NGX_OK
        || ngx_voice_overview_configure(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_voice_limit_configure(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_voice_ingest_configure(&mcf->ingest_conf, mcf->databases);

    ngx_voice_generation_end(mcf);

    return NGX_CONF_OK;
}


static void *
ngx_voice_create_loc_conf(ngx_conf_t *cf)
{
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_voice_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->api = NGX_CONF_UNSET;
    lcf->stream = NGX_CONF_UNSET_UINT;
    lcf->live = NGX_CONF_UNSET;
    lcf->publish = NGX_CONF_UNSET;
    lcf->error = NGX_CONF_UNSET;
    lcf->status = NGX_CONF_UNSET;
    lcf->auth = NGX_CONF_UNSET_UINT;
    lcf->hosts = NGX_CONF_UNSET;
    lcf->policy.scope = NGX_VOICE_NO_SCOPE;

    return lcf;
}


/* The flags are not inherited: a nested location is a place of its own. */
static char *
ngx_voice_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_voice_loc_conf_t   *prev = parent;
    ngx_voice_loc_conf_t   *conf = child;
    ngx_voice_main_conf_t  *mcf;

    ngx_conf_init_value(conf->api, 0);
    ngx_conf_init_uint_value(conf->stream, NGX_VOICE_STREAM_OFF);
    ngx_conf_init_value(conf->live, 0);
    ngx_conf_init_value(conf->publish, 0);
    ngx_conf_init_value(conf->error, 0);
    ngx_conf_init_value(conf->status, 0);
    ngx_conf_merge_str_value(conf->docs, prev->docs, "");
    ngx_conf_merge_value(conf->hosts, prev->hosts, 0);

    if (conf->api && conf->stream) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_api\" and \"voice_stream\" exclude each "
                           "other in a location");
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_voice_module);

    if ((conf->api || conf->stream || conf->status || conf->publish)
        && mcf->contract == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_api\", \"voice_stream\", "
                           "\"voice_status\" and \"voice_publish\" need "
                           "\"voice_contract\"");
        return NGX_CONF_ERROR;
    }

    return ngx_voice_location_merge(cf, prev, conf);
}


static char *
ngx_voice_conf_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_voice_loc_conf_t      *lcf = conf;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && lcf->api) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_voice_content_handler;
    }

    return rv;
}


static char *
ngx_voice_conf_error(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_voice_loc_conf_t      *lcf = conf;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && lcf->error) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_voice_error_handler;
    }

    return rv;
}


static ngx_int_t
ngx_voice_preconfiguration(ngx_conf_t *cf)
{
    return ngx_voice_vars_add(cf);
}


static ngx_int_t
ngx_voice_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_voice_main_conf_t      *mcf;
    ngx_http_core_main_conf_t  *cmcf;

    static const struct {
        ngx_http_phases      phase;
        ngx_http_handler_pt  handler;
    } phases[] = {
        { NGX_HTTP_POST_READ_PHASE, ngx_voice_post_read_handler },
        { NGX_HTTP_ACCESS_PHASE, ngx_voice_access_handler },
        { NGX_HTTP_LOG_PHASE, ngx_voice_log_phase }
    };

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_voice_module);
    if (mcf->contract == NULL) {
        return NGX_OK;
    }

    if (ngx_voice_tenancy_check(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < VOICE_ARRAY_SIZE(phases); i++) {
        h = ngx_array_push(&cmcf->phases[phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phases[i].handler;
    }

    ngx_voice_body_filters();
    ngx_voice_stream_filters();
    ngx_voice_limit_filters();
    ngx_voice_cors_filters();

    return NGX_OK;
}


static ngx_int_t
ngx_voice_init_module(ngx_cycle_t *cycle)
{
    ngx_voice_nchan_taken();

    return NGX_OK;
}


static ngx_int_t
ngx_voice_init_process(ngx_cycle_t *cycle)
{
    ngx_voice_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_voice_module);
    if (mcf == NULL || mcf->contract == NULL) {
        return NGX_OK;
    }

    if (ngx_voice_leave_prepare(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_voice_databases_create(mcf->databases, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    mcf->pg = ngx_voice_database_find(mcf->databases, "")->pg;
    mcf->redis_conf.moved = ngx_voice_nchan_moved;
    mcf->redis = ngx_voice_redis_create(&mcf->redis_conf, cycle->pool,
                                        cycle->log);
    mcf->hasher = ngx_voice_password_create(&mcf->password_conf, cycle->pool,
                                            cycle->log);

    mcf->limiter = ngx_voice_limiter_create(mcf, cycle);
    mcf->live = ngx_voice_live_create(mcf, cycle);
    mcf->publisher = ngx_voice_publisher_create(mcf, cycle);
    mcf->lapses = ngx_voice_lapses_create(mcf, cycle);
    mcf->jwks = ngx_voice_jwks_create(mcf->issuers, cycle);
    mcf->watcher = ngx_voice_watch_create(
        &mcf->shared->watch, mcf->databases,
        &mcf->shared->counters[NGX_VOICE_COUNT_changes], mcf->slab, cycle);

    if (mcf->redis == NULL || mcf->hasher == NULL || mcf->watcher == NULL
        || mcf->jwks == NULL || mcf->limiter == NULL || mcf->live == NULL
        || mcf->publisher == NULL || mcf->lapses == NULL)
    {
        return NGX_ERROR;
    }

    if (mcf->ingest_conf.on) {
        mcf->ingest = ngx_voice_ingest_create(mcf, cycle);
        if (mcf->ingest == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_queue_init(&mcf->asks);
    ngx_voice_stall_watch();

    return ngx_voice_figures_start(cycle, mcf);
}


static void
ngx_voice_exit_process(ngx_cycle_t *cycle)
{
    ngx_voice_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_voice_module);
    if (mcf == NULL || mcf->hasher == NULL) {
        return;
    }

    ngx_voice_figures_stop(mcf);

    /* what still waits is answered, and begins nothing new */
    mcf->stopped = 1;

    ngx_voice_watch_destroy(mcf->watcher);
    ngx_voice_limiter_destroy(mcf->limiter);
    ngx_voice_databases_destroy(mcf->databases);

    if (mcf->ingest != NULL) {
        ngx_voice_ingest_destroy(mcf->ingest);
    }

    ngx_voice_publisher_destroy(mcf->publisher);
    ngx_voice_live_destroy(mcf->live);
    ngx_voice_redis_destroy(mcf->redis);
    ngx_voice_jwks_destroy(mcf->jwks);
}
