
/*
 * Embeddings by an endpoint that is compatible with OpenAI's
 * POST /v1/embeddings: {"model", "input": [a, b]} gives {"data":
 * [{"index", "embedding": [numbers]}, ..]}.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "../lib/voice_similarity.h"
#include "provider.h"


#define EMBEDDINGS_BASE   "https://api.openai.com/v1"
#define EMBEDDINGS_PATH   "/embeddings"
#define EMBEDDINGS_MODEL  "text-embedding-3-small"
#define EMBEDDINGS_LINE   2048
#define EMBEDDINGS_SIZE   8192         /* numbers of a vector */


static provider_e openai_similarity(const provider_call_t *call,
    voice_span_t a, voice_span_t b, double *similarity,
    provider_fault_t *fault);
static char *embeddings_body(const worker_profile_t *profile, voice_span_t a,
    voice_span_t b);
static provider_e embeddings_call(const provider_call_t *call,
    const char *body, worker_http_reply_t *reply, provider_fault_t *fault);
static int embeddings_read(voice_span_t text, double *similarity);
static size_t embeddings_vector(const json_t *root, json_int_t index,
    float *out);


const provider_embeddings_t  provider_embeddings_openai = {
    "openai", openai_similarity
};


static provider_e
openai_similarity(const provider_call_t *call, voice_span_t a,
    voice_span_t b, double *similarity, provider_fault_t *fault)
{
    char                 *body;
    provider_e            rc;
    worker_http_reply_t   reply;

    body = embeddings_body(call->profile, a, b);
    if (body == NULL) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "a text for the embeddings is not UTF-8");
    }

    rc = embeddings_call(call, body, &reply, fault);

    if (rc == PROVIDER_OK
        && !embeddings_read(voice_span(reply.body, reply.len), similarity))
    {
        rc = provider_fail(fault, PROVIDER_DEAD,
                           "the embeddings endpoint gave no two vectors");
    }

    worker_http_reply_clear(&reply);
    free(body);

    return rc;
}


static char *
embeddings_body(const worker_profile_t *profile, voice_span_t a,
    voice_span_t b)
{
    char    *body;
    json_t  *root;

    root = json_pack("{s:s, s:s, s:[s%, s%]}",
                     "model", profile->model[0] == '\0' ? EMBEDDINGS_MODEL
                                                        : profile->model,
                     "encoding_format", "float",
                     "input", a.ptr, a.len, b.ptr, b.len);
    body = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);

    return body;
}


static provider_e
embeddings_call(const provider_call_t *call, const char *body,
    worker_http_reply_t *reply, provider_fault_t *fault)
{
    int                      url, key = 0;
    char                     url_text[EMBEDDINGS_LINE];
    char                     key_text[EMBEDDINGS_LINE];
    worker_http_request_t    request;
    const worker_profile_t  *profile = call->profile;

    memset(reply, 0, sizeof(worker_http_reply_t));

    url = snprintf(url_text, EMBEDDINGS_LINE, "%s%s",
                   profile->base_url[0] == '\0' ? EMBEDDINGS_BASE
                                                : profile->base_url,
                   profile->path[0] == '\0' ? EMBEDDINGS_PATH
                                            : profile->path);

    worker_http_request_init(&request, profile);
    request.method = "POST";
    request.url = url_text;
    request.headers[0] = "Content-Type: application/json";

    if (profile->api_key[0] != '\0') {
        key = snprintf(key_text, EMBEDDINGS_LINE, "Authorization: Bearer %s",
                       profile->api_key);
        request.headers[1] = key_text;
    }

    if (url >= EMBEDDINGS_LINE || key >= EMBEDDINGS_LINE) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the embeddings profile's settings are too long");
    }

    request.body = voice_span_str(body);
    request.deadline_ms = call->deadline_ms;

    if (worker_http_call(&request, reply) != WORKER_HTTP_OK) {
        return provider_http_fault("the embeddings endpoint", reply, fault);
    }

    return PROVIDER_OK;
}


static int
embeddings_read(voice_span_t text, double *similarity)
{
    int                  done;
    float               *vectors;
    size_t               na, nb;
    json_t              *root;
    voice_json_error_t   error;

    root = voice_json_parse(text, &error);
    vectors = malloc(sizeof(float) * EMBEDDINGS_SIZE * 2);

    if (root == NULL || vectors == NULL) {
        json_decref(root);
        free(vectors);
        return 0;
    }

    na = embeddings_vector(root, 0, vectors);
    nb = embeddings_vector(root, 1, vectors + EMBEDDINGS_SIZE);

    done = na > 0 && na == nb
           && voice_similarity_cosine(vectors, vectors + EMBEDDINGS_SIZE, na,
                                      similarity)
              == VOICE_OK;

    json_decref(root);
    free(vectors);

    return done;
}


/* Copies the vector of the input with that index; 0: there is none. */

static size_t
embeddings_vector(const json_t *root, json_int_t index, float *out)
{
    size_t   i, n;
    json_t  *item, *list;

    json_array_foreach(json_object_get(root, "data"), i, item) {
        if (json_integer_value(json_object_get(item, "index")) == index) {
            break;
        }

        item = NULL;
    }

    list = item == NULL ? NULL : json_object_get(item, "embedding");
    n = json_array_size(list);

    if (n > EMBEDDINGS_SIZE) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        out[i] = (float) json_number_value(json_array_get(list, i));
    }

    return n;
}
