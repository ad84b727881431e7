
/*
 * What the database tells for /metrics.
 */

#include "ngx_voice_metrics.h"


static void ngx_voice_metrics_labels(ngx_voice_text_t *text,
    const char *name, const char *label, const json_t *values);
static void ngx_voice_metrics_histograms(ngx_voice_text_t *text,
    const char *name, const char *label, const json_t *values);
static void ngx_voice_metrics_series(ngx_voice_text_t *text,
    const char *label, const char *key);
static void ngx_voice_metrics_number(ngx_voice_text_t *text,
    const json_t *value);
static ngx_uint_t ngx_voice_metrics_name_valid(const char *name);


/*
 * Members of the function's data and how they are shown.  Values of several
 * labels are joined by "/", as the labels are by ",".  A histogram's are
 * {label values: {bound: how many above the bound before it, "sum"}}.  Others
 * are counters {label value: total}, labelled "label".
 */
static const struct {
    const char  *member;
    const char  *name;
    const char  *type;
    const char  *label;                    /* NULL: a plain number */
    const char  *help;
} ngx_voice_database_metrics[] = {
    { "queue_depth", "queue_depth", "gauge", "queue",
      "Jobs that wait in a queue." },
    { "jobs_running", "jobs_running", "gauge", "queue",
      "Jobs of a queue that are being run." },
    { "oldest_due_seconds", "queue_oldest_age_seconds", "gauge", "queue",
      "Age of the job of a queue that has waited longest." },
    { "workers", "active_workers", "gauge", NULL,
      "Worker pools with a fresh heartbeat." },
    { "test_executions", "test_executions_total", "counter", "result",
      "Test executions that ended, by result." },
    { "jobs_present", "jobs", "gauge", "kind,class,state",
      "Jobs by kind, plan of the tenant and state, some seconds ago." },
    { "job_attempts", "job_attempts_total", "counter", "kind,class,outcome",
      "Attempts of jobs that ended, by outcome." },
    { "job_run", "job_run_seconds", "histogram", "kind,class",
      "Time that the last attempts of jobs took." },
    { "job_wait", "job_wait_seconds", "histogram", "kind,class",
      "Time from when jobs were due to their last attempts." },
    { "jobs_dead", "jobs_dead_total", "counter", "kind",
      "Jobs given up after their last attempt." },
    { "jobs_retried", "jobs_retried_total", "counter", "kind",
      "Attempts of jobs that will be repeated." },
    { "jobs_rescued", "jobs_rescued_total", "counter", "kind",
      "Jobs taken back from workers that vanished." },
    { "jobs_deferred", "jobs_deferred_total", "counter", "kind",
      "Jobs put off because a service was left alone." },
    { "calls_ended", "calls_ended_total", "counter", "disposition",
      "Calls that were completed, or abandoned." },
    { "calls_processed", "calls_processed_total", "counter", "result",
      "Drives of calls that ended, by result." },
    { "call_tries", "call_tries_total", "counter", "outcome",
      "Tries to have a call analysed, by outcome." },
    { "logins", "logins_total", "counter", "result",
      "Logins, by result." }
};


void
ngx_voice_metrics_database(ngx_voice_text_t *text, const json_t *data)
{
    u_char       name[128];
    ngx_uint_t   i;
    const char  *member;
    json_t      *values, *rest;

    rest = json_copy((json_t *) data);

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_database_metrics); i++) {
        member = ngx_voice_database_metrics[i].member;
        values = json_object_get(rest, member);

        if (values == NULL || json_is_null(values)) {
            continue;
        }

        ngx_voice_text_head(text, ngx_voice_database_metrics[i].name,
                            ngx_voice_database_metrics[i].type,
                            ngx_voice_database_metrics[i].help);
        (ngx_strcmp(ngx_voice_database_metrics[i].type, "histogram") == 0
         ? ngx_voice_metrics_histograms : ngx_voice_metrics_labels)
            (text, ngx_voice_database_metrics[i].name,
             ngx_voice_database_metrics[i].label, values);
        (void) json_object_del(rest, member);
    }

    json_object_foreach(rest, member, values) {
        if (!ngx_voice_metrics_name_valid(member)) {
            continue;
        }

        *ngx_snprintf(name, sizeof(name) - 1, "%s_total", member) = '\0';
        ngx_voice_text_head(text, (char *) name, "counter",
                            "A total that the database keeps.");
        ngx_voice_metrics_labels(text, (char *) name, "label", values);
    }

    json_decref(rest);
}


/* values: a number, or {label value: number}. */
static void
ngx_voice_metrics_labels(ngx_voice_text_t *text, const char *name,
    const char *label, const json_t *values)
{
    json_t      *value;
    const char  *key;

    if (json_is_number(values)) {
        ngx_voice_text_add(text, "%s", name);
        ngx_voice_metrics_number(text, values);
        return;
    }

    json_object_foreach((json_t *) values, key, value) {
        ngx_voice_text_add(text, "%s{", name);
        ngx_voice_metrics_series(text, label == NULL ? "label" : label, key);
        ngx_voice_text_add(text, "}");
        ngx_voice_metrics_number(text, value);
    }
}


/* The bounds are those of core.bucket(). */
static void
ngx_voice_metrics_histograms(ngx_voice_text_t *text, const char *name,
    const char *label, const json_t *values)
{
    int64_t      total;
    json_t      *parts;
    ngx_uint_t   i;
    const char  *key;

    static const char *const  bounds[] = {
        "0.01", "0.1", "1", "10", "60", "300", "1800", "+Inf"
    };

    json_object_foreach((json_t *) values, key, parts) {
        total = 0;

        for (i = 0; i < VOICE_ARRAY_SIZE(bounds); i++) {
            total += json_integer_value(json_object_get(parts, bounds[i]));

            ngx_voice_text_add(text, "%s_bucket{", name);
            ngx_voice_metrics_series(text, label, key);
            ngx_voice_text_add(text, ",le=\"%s\"} %L\n", bounds[i], total);
        }

        ngx_voice_text_add(text, "%s_sum{", name);
        ngx_voice_metrics_series(text, label, key);
        ngx_voice_text_add(text, "}");
        ngx_voice_metrics_number(text, json_object_get(parts, "sum"));

        ngx_voice_text_add(text, "%s_count{", name);
        ngx_voice_metrics_series(text, label, key);
        ngx_voice_text_add(text, "} %L\n", total);
    }
}


/* label "a,b" and key "x/y": a="x",b="y"; the last one has what is left. */
static void
ngx_voice_metrics_series(ngx_voice_text_t *text, const char *label,
    const char *key)
{
    u_char      escaped[256], *p;
    size_t      len;
    ngx_str_t   raw, shown;
    ngx_uint_t  last;

    do {
        len = strcspn(label, ",");
        last = label[len] == '\0';

        raw.data = (u_char *) key;
        raw.len = last ? ngx_strlen(key) : strcspn(key, "/");

        p = ngx_voice_label_escape(escaped, escaped + sizeof(escaped), &raw);
        shown.data = escaped;
        shown.len = p - escaped;

        ngx_voice_text_add(text, "%*s=\"%V\"%s", len, label, &shown,
                           last ? "" : ",");

        label += len + !last;
        key += raw.len + (key[raw.len] == '/');
    } while (!last);
}


/* The end of a line; what is no number counts as 0. */
static void
ngx_voice_metrics_number(ngx_voice_text_t *text, const json_t *value)
{
    if (json_is_integer(value)) {
        ngx_voice_text_add(text, " %L\n", (int64_t) json_integer_value(value));
        return;
    }

    ngx_voice_text_add(text, " %.3f\n", json_number_value(value));
}


static ngx_uint_t
ngx_voice_metrics_name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return len > 0 && len <= 100 && name[len] == '\0'
           && !(name[0] >= '0' && name[0] <= '9');
}
