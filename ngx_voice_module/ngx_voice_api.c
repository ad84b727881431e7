
/*
 * The contract at configuration time: loads it, prepares a statement for
 * each operation, and refuses one with a hole, saying where it is.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


#define NGX_VOICE_CONTRACT_FILE_MAX  (4 * 1024 * 1024)
#define NGX_VOICE_FUNCTIONS_MAX      (1024 * 1024)

#define NGX_VOICE_STATEMENT_COLUMNS                                          \
    "select status, data, message, pagination, claims, wake, headers from "


/* A statement around the name of an SQL function. */
typedef struct {
    ngx_str_t    mark;                     /* before its name */
    ngx_str_t    head;
    ngx_str_t    tail;
    ngx_uint_t   nparams;
} ngx_voice_api_frame_t;


static ngx_int_t ngx_voice_api_files(ngx_conf_t *cf, ngx_str_t *directory,
    ngx_array_t *files);
static ngx_int_t ngx_voice_api_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_array_t *files);
static void ngx_voice_api_free(void *data);
static ngx_int_t ngx_voice_api_errors(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);
static ngx_int_t ngx_voice_api_needs(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);
static ngx_int_t ngx_voice_api_policy(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf, ngx_voice_operation_t *operation);
static ngx_int_t ngx_voice_api_operation(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf, ngx_voice_operation_t *operation);
static ngx_int_t ngx_voice_api_function(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf, const char *name,
    const voice_operation_t *operation);
static ngx_int_t ngx_voice_api_once(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf, ngx_voice_operation_t *operation);
static ngx_int_t ngx_voice_api_statement(ngx_conf_t *cf, const char *name,
    const ngx_voice_api_frame_t *frame,
    ngx_voice_pg_statement_t *statement);


/* enter() and the operation in one statement: one round trip. */
static const ngx_voice_api_frame_t  ngx_voice_api_plain = {
    ngx_string(""),
    ngx_string(NGX_VOICE_STATEMENT_COLUMNS "api."),
    ngx_string("(api.enter($1,$2,$3,$4,$5,$6,$7,$8), $9)"),
    9
};


/* The same for a request with an Idempotency-Key: stores the reply. */
static const ngx_voice_api_frame_t  ngx_voice_api_kept = {
    ngx_string("once."),
    ngx_string(NGX_VOICE_STATEMENT_COLUMNS "api.keep(api."),
    ngx_string("(api.enter_once($1,$2,$3,$4,$5,$6,$7,$8,$10,$11), $9), "
               "$10, $11, $12)"),
    12
};


/* A batch of packets; ngx_voice_ingest.h tells the parameters. */
static const ngx_voice_api_frame_t  ngx_voice_api_packets = {
    ngx_string(""),
    ngx_string("select status, total, missing_count, missing, gap, differs, "
               "state from api."),
    ngx_string("(api.enter($1,$2,$3,$4,$5,$6,$7,$8), $9,$10,$11,$12,$13,$14)"),
    14
};


/* Nothing, or the error that says that a reply is stored. */
static const ngx_voice_pg_statement_t  ngx_voice_api_recall = {
    ngx_string("recall"),
    ngx_string("select from api.enter_once($1,$2,$3,$4,$5,$6,$7,$8,$10,$11) "
               "where $9::text <> $12::text"),
    12, NULL
};


/* Gives a stored reply. */
static const ngx_voice_pg_statement_t  ngx_voice_api_replay = {
    ngx_string("replay"),
    ngx_string(NGX_VOICE_STATEMENT_COLUMNS
               "api.replay(api.enter($1,$2,$3,$4,$5,$6,$7,$8), $9, $10, "
               "$11, $12)"),
    12, NULL
};


static const char *const  ngx_voice_error_codes[] = {
#define NGX_VOICE_ROW(name)  #name,
    NGX_VOICE_ERRORS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
};


char *
ngx_voice_conf_contract(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t              *value;
    ngx_array_t             files;
    voice_problem_t         problem;
    ngx_pool_cleanup_t     *cln;
    ngx_voice_main_conf_t  *mcf = conf;

    (void) cmd;

    if (mcf->contract != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->directory = value[1];

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL
        || ngx_conf_full_name(cf->cycle, &mcf->directory, 1) != NGX_OK
        || ngx_array_init(&files, cf->temp_pool, 16,
                          sizeof(voice_contract_file_t))
           != NGX_OK
        || ngx_voice_api_files(cf, &mcf->directory, &files) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&problem, sizeof(voice_problem_t));

    mcf->contract = voice_contract_create(files.elts, files.nelts, &problem);
    if (mcf->contract == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "contract \"%V\" is refused: %s: %s",
                           &mcf->directory, problem.path, problem.reason);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_voice_api_free;
    cln->data = mcf->contract;

    return NGX_CONF_OK;
}


char *
ngx_voice_conf_functions(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                 *p, *last, *start;
    ngx_str_t              *value, *name, text;
    ngx_voice_main_conf_t  *mcf = conf;

    (void) cmd;

    if (mcf->functions != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->functions_file = value[1];
    mcf->functions = ngx_array_create(cf->pool, 64, sizeof(ngx_str_t));

    if (mcf->functions == NULL
        || ngx_conf_full_name(cf->cycle, &mcf->functions_file, 1) != NGX_OK
        || ngx_voice_conf_read(cf, &mcf->functions_file,
                               NGX_VOICE_FUNCTIONS_MAX, &text)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    last = text.data + text.len;

    for (start = text.data; start < last; start = p + 1) {
        p = ngx_strlchr(start, last, '\n');
        if (p == NULL) {
            p = last;
        }

        if (p == start) {
            continue;
        }

        name = ngx_array_push(mcf->functions);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->data = start;
        name->len = p - start;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_voice_api_init(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_voice_operation_t  *operation;

    if (ngx_voice_api_needs(cf, mcf) != NGX_OK
        || ngx_voice_api_errors(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    mcf->recall = ngx_voice_api_recall;
    mcf->replay = ngx_voice_api_replay;
    mcf->noperations = voice_contract_count(mcf->contract);
    mcf->operations = ngx_pcalloc(cf->pool, mcf->noperations
                                            * sizeof(ngx_voice_operation_t));
    if (mcf->operations == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < mcf->noperations; i++) {
        operation = &mcf->operations[i];
        operation->contract = voice_contract_operation(mcf->contract, i);

        if (ngx_voice_api_policy(cf, mcf, operation) != NGX_OK
            || ngx_voice_api_operation(cf, mcf, operation) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_voice_scope_number(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    const char *scope)
{
    ngx_uint_t    i;
    const char  **names;

    if (mcf->scopes == NULL) {
        mcf->scopes = ngx_array_create(cf->pool, 32, sizeof(const char *));
        if (mcf->scopes == NULL) {
            return NGX_VOICE_NO_SCOPE;
        }
    }

    names = mcf->scopes->elts;

    for (i = 0; i < mcf->scopes->nelts; i++) {
        if (ngx_strcmp(names[i], scope) == 0) {
            return i;
        }
    }

    if (i == NGX_VOICE_SCOPES_MAX) {
        return NGX_VOICE_NO_SCOPE;
    }

    names = ngx_array_push(mcf->scopes);
    if (names == NULL) {
        return NGX_VOICE_NO_SCOPE;
    }

    *names = scope;

    return i;
}


ngx_uint_t
ngx_voice_is_liveness(const voice_operation_t *operation)
{
    return operation->shape == VOICE_SHAPE_HEALTH
           && ngx_strcmp(operation->function, "health") == 0;
}


/* All *.json of the directory; ngx_read_glob() sorts them. */
static ngx_int_t
ngx_voice_api_files(ngx_conf_t *cf, ngx_str_t *directory, ngx_array_t *files)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    path;
    ngx_glob_t   gl;

    p = ngx_pnalloc(cf->temp_pool, directory->len + sizeof("/*.json"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&gl, sizeof(ngx_glob_t));
    gl.pattern = p;
    gl.log = cf->log;
    gl.test = 1;

    p = ngx_cpymem(p, directory->data, directory->len);
    ngx_memcpy(p, "/*.json", sizeof("/*.json"));

    if (ngx_open_glob(&gl) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "no contract in \"%V\"", directory);
        return NGX_ERROR;
    }

    for ( ;; ) {
        rc = ngx_read_glob(&gl, &path);
        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_voice_api_file(cf, &path, files);
        if (rc != NGX_OK) {
            break;
        }
    }

    ngx_close_glob(&gl);

    return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_voice_api_file(ngx_conf_t *cf, ngx_str_t *path, ngx_array_t *files)
{
    u_char                 *p;
    ngx_str_t               copy, text;
    voice_contract_file_t  *file;

    copy.len = path->len;
    copy.data = ngx_pnalloc(cf->temp_pool, path->len + 1);
    file = ngx_array_push(files);

    if (copy.data == NULL || file == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(copy.data, path->data, path->len + 1);

    if (ngx_voice_conf_read(cf, &copy, NGX_VOICE_CONTRACT_FILE_MAX, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = copy.data + copy.len;
    while (p > copy.data && p[-1] != '/') {
        p--;
    }

    file->name = (char *) p;
    file->text = voice_span((char *) text.data, text.len);

    return NGX_OK;
}


static void
ngx_voice_api_free(void *data)
{
    voice_contract_destroy(data);
}


/* What an API cannot do without. */
static ngx_int_t
ngx_voice_api_needs(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    const char  *missing;

    missing = mcf->databases == NULL ? "voice_postgres"
              : mcf->redis_conf.port == 0 ? "voice_redis"
              : mcf->signing_kid.len == 0 ? "voice_jwt_key"
              : mcf->functions == NULL ? "voice_functions" : NULL;

    if (missing == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"voice_contract\" needs \"%s\"", missing);

    return NGX_ERROR;
}


static ngx_int_t
ngx_voice_api_errors(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t              i;
    const char             *message;
    ngx_voice_error_row_t  *row;

    for (i = 0; i < NGX_VOICE_ERROR_COUNT; i++) {
        row = &mcf->errors[i];
        row->status = voice_contract_error(mcf->contract,
                                           ngx_voice_error_codes[i],
                                           &message);

        if (row->status < NGX_HTTP_BAD_REQUEST || row->status > 599) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "contract \"%V\": \"x-errors\" has no \"%s\" "
                               "with a status of 400 to 599",
                               &mcf->directory, ngx_voice_error_codes[i]);
            return NGX_ERROR;
        }

        row->code.data = (u_char *) ngx_voice_error_codes[i];
        row->code.len = ngx_strlen(row->code.data);
        row->message.data = (u_char *) message;
        row->message.len = ngx_strlen(message);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_api_policy(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    ngx_voice_operation_t *operation)
{
    ngx_voice_policy_t       *policy;
    const voice_operation_t  *contract;

    contract = operation->contract;
    policy = &operation->policy;

    policy->public = contract->public;
    policy->roles = contract->roles;
    policy->limit = contract->limit;
    policy->scope = ngx_voice_scope_number(cf, mcf, contract->scope);

    if (policy->scope == NGX_VOICE_NO_SCOPE
        || policy->limit->index >= NGX_VOICE_CLASSES_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "contract \"%V\": more than %d scopes or %d limit "
                           "classes", &mcf->directory, NGX_VOICE_SCOPES_MAX,
                           NGX_VOICE_CLASSES_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_api_operation(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    ngx_voice_operation_t *operation)
{
    const voice_operation_t  *contract;

    contract = operation->contract;

    if (contract->shape == VOICE_SHAPE_CONTRACT
        || contract->shape == VOICE_SHAPE_DOCS
        || contract->shape == VOICE_SHAPE_EXAMPLE
        || ngx_voice_is_liveness(contract))
    {
        return NGX_OK;
    }

    if (ngx_voice_api_function(cf, mcf, contract->function, contract)
        != NGX_OK
        || ngx_voice_api_statement(cf, contract->function,
                                   contract->shape == VOICE_SHAPE_PACKET
                                   ? &ngx_voice_api_packets
                                   : &ngx_voice_api_plain,
                                   &operation->statement)
           != NGX_OK
        || ngx_voice_api_once(cf, mcf, operation) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (contract->shape == VOICE_SHAPE_PACKET) {
        operation->statement.formats = ngx_voice_packet_formats;
        mcf->ingest_conf.on = 1;
    }

    if (contract->verify_lookup == NULL) {
        return NGX_OK;
    }

    if (ngx_voice_api_function(cf, mcf, contract->verify_lookup, contract)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_voice_api_statement(cf, contract->verify_lookup,
                                   &ngx_voice_api_plain, &operation->lookup);
}


static ngx_int_t
ngx_voice_api_once(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    ngx_voice_operation_t *operation)
{
    ngx_uint_t                i;
    const voice_operation_t  *contract;

    static const char *const  needs[] = { "enter_once", "keep", "replay" };

    contract = operation->contract;

    if (!contract->once) {
        return NGX_OK;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(needs); i++) {
        if (ngx_voice_api_function(cf, mcf, needs[i], contract) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_voice_api_statement(cf, contract->function,
                                   &ngx_voice_api_kept, &operation->once);
}


static ngx_int_t
ngx_voice_api_function(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    const char *name, const voice_operation_t *operation)
{
    size_t       len;
    ngx_str_t   *functions;
    ngx_uint_t   i;

    len = ngx_strlen(name);
    functions = mcf->functions->elts;

    for (i = 0; i < mcf->functions->nelts; i++) {
        if (functions[i].len == len
            && ngx_memcmp(functions[i].data, name, len) == 0)
        {
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "contract \"%V\": unknown function \"api.%s\" of "
                       "operation \"%s\" (%s %s); \"%V\" does not list it",
                       &mcf->directory, name, operation->function,
                       voice_method_name(operation->method), operation->path,
                       &mcf->functions_file);

    return NGX_ERROR;
}


/*
 * The name becomes part of an SQL text here and nowhere else: it is held to
 * the form of a plain identifier.
 */
static ngx_int_t
ngx_voice_api_statement(ngx_conf_t *cf, const char *name,
    const ngx_voice_api_frame_t *frame, ngx_voice_pg_statement_t *statement)
{
    size_t   len;
    u_char  *p;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    if (len == 0 || len + frame->mark.len > NGX_VOICE_NAME_MAX
        || name[len] != '\0')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" is no name of an SQL function", name);
        return NGX_ERROR;
    }

    statement->nparams = frame->nparams;
    statement->name.len = frame->mark.len + len;
    statement->text.len = frame->head.len + len + frame->tail.len;

    p = ngx_pnalloc(cf->pool, statement->name.len + statement->text.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    statement->name.data = p;
    p = ngx_sprintf(p, "%V%s%Z", &frame->mark, name);
    statement->text.data = p;
    (void) ngx_sprintf(p, "%V%s%V%Z", &frame->head, name, &frame->tail);

    return NGX_OK;
}
