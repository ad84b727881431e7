
/*
 * What the nginx processes share: counters, histograms, error counts, the
 * figures of each process, limit buckets.  Lives in one shared memory zone
 * and survives reloads: rows are found by name, never by position.
 */

#ifndef NGX_VOICE_ZONE_H
#define NGX_VOICE_ZONE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_voice_hear.h"
#include "ngx_voice_table.h"
#include "ngx_voice_watch.h"


#define NGX_VOICE_STATUSES   32            /* distinct ones of an endpoint */
#define NGX_VOICE_BUCKETS    11            /* finite bounds of durations */
#define NGX_VOICE_FAULTS     256           /* distinct (type, service) */
#define NGX_VOICE_PROCESSES  256           /* old and new ones together */
#define NGX_VOICE_UNROUTED_MAX  8          /* methods without an operation */


/* Counters of the whole edge: id, name in /metrics, what it counts. */
#define NGX_VOICE_COUNTERS(ROW)                                              \
    ROW(loop_turns, "voice_loop_turns_total",                                \
        "Turns of the event loops.")                                         \
    ROW(loop_over_1ms, "voice_loop_turns_over_1ms_total",                    \
        "Turns of over 1 ms of CPU, during which nobody is served.")         \
    ROW(loop_over_5ms, "voice_loop_turns_over_5ms_total",                    \
        "Turns of over 5 ms of CPU, during which nobody is served.")         \
    ROW(loop_over_20ms, "voice_loop_turns_over_20ms_total",                  \
        "Turns of over 20 ms of CPU, during which nobody is served.")        \
    ROW(loop_over_100ms, "voice_loop_turns_over_100ms_total",                \
        "Turns of over 100 ms of CPU, during which nobody is served.")       \
    ROW(pg_connects, "voice_postgres_connects_total",                        \
        "Connections to PostgreSQL that were opened.")                       \
    ROW(pg_failures, "voice_postgres_failures_total",                        \
        "Connections to PostgreSQL that failed or were lost.")               \
    ROW(pg_timeouts, "voice_postgres_timeouts_total",                        \
        "Queries that met their deadline.")                                  \
    ROW(pg_rejected, "voice_postgres_rejected_total",                        \
        "Queries refused because the wait queue was full.")                  \
    ROW(redis_connects, "voice_redis_connects_total",                        \
        "Connections to Redis that were opened.")                            \
    ROW(redis_failures, "voice_redis_failures_total",                        \
        "Connections to Redis that failed or were lost.")                    \
    ROW(redis_timeouts, "voice_redis_timeouts_total",                        \
        "Redis commands that met their deadline.")                           \
    ROW(redis_rejected, "voice_redis_rejected_total",                        \
        "Redis commands refused: no connection or too many in flight.")      \
    ROW(wakes_sent, "voice_wakes_sent_total",                                \
        "Entries sent to wake the workers of a queue.")                      \
    ROW(wakes_failed, "voice_wakes_failed_total",                            \
        "Wake entries left to the keeper: Redis did not take them.")         \
    ROW(stream_gaps, "voice_stream_gaps_total",                              \
        "Streams that could not resume where the client had left.")          \
    ROW(stream_lapses, "voice_stream_lapses_total",                          \
        "Open streams that were ended: their credential was no more good.")  \
    ROW(live_published, "voice_live_published_total",                        \
        "Packet events that were published for somebody who listens.")       \
    ROW(live_coalesced, "voice_live_coalesced_total",                        \
        "Packet events that went into a later one of their call.")           \
    ROW(live_dropped, "voice_live_dropped_total",                            \
        "Packet events that were lost: Redis or a listener was too slow.")   \
    ROW(known_hits, "voice_credential_hits_total",                           \
        "Credentials found among the known ones.")                           \
    ROW(known_misses, "voice_credential_misses_total",                       \
        "Credentials that had to be verified.")                              \
    ROW(tenant_hits, "voice_tenant_hits_total",                              \
        "Tenant records found in memory.")                                   \
    ROW(tenant_misses, "voice_tenant_misses_total",                          \
        "Tenant records asked of the database.")                             \
    ROW(host_hits, "voice_host_hits_total",                                  \
        "Hosts found in memory, with or without a tenant.")                  \
    ROW(host_misses, "voice_host_misses_total",                              \
        "Hosts asked of the database.")                                      \
    ROW(changes, "voice_changes_total",                                      \
        "Changes of the database by which copies in memory were dropped.")   \
    ROW(stale_uses, "voice_stale_uses_total",                                \
        "Requests judged by copies while the database could not be asked.") \
    ROW(passwords_compared, "voice_passwords_compared_total",                \
        "Passwords compared with a hash, of a user or of nobody.") \
    ROW(limit_local, "voice_limit_local_total",                              \
        "Requests admitted by tokens that the node held.")                   \
    ROW(limit_asked, "voice_limit_asked_total",                              \
        "Requests admitted after asking Redis for a token.")                 \
    ROW(limit_alone, "voice_limit_alone_total",                              \
        "Requests admitted by the node's share while Redis was away.")       \
    ROW(limit_refused, "voice_limit_refused_total",                          \
        "Requests refused by a limit.")                                      \
    ROW(limit_dry_run, "voice_limit_dry_run_total",                          \
        "Requests that a limit would have refused but for the dry run.")     \
    ROW(limit_leases, "voice_limit_leases_total",                            \
        "Leases of tokens that were asked of Redis.")                        \
    ROW(limit_late, "voice_limit_late_total",                                \
        "Tokens that came too late from Redis and were thrown away.")        \
    ROW(limit_crowded, "voice_limit_crowded_total",                          \
        "Registrations refused: more nodes than were declared.")             \
    ROW(packets_accepted, "packets_total{status=\"accepted\"}",              \
        "Packets of calls, by what became of them.")                         \
    ROW(packets_duplicate, "packets_total{status=\"duplicate\"}",            \
        "Packets of calls, by what became of them.")                         \
    ROW(packets_differing, "packets_total{status=\"differing\"}",            \
        "Packets of calls, by what became of them.")                         \
    ROW(packets_rejected, "packets_total{status=\"rejected\"}",              \
        "Packets of calls, by what became of them.")                         \
    ROW(packets_gaps, "packets_total{status=\"gaps\"}",                      \
        "Packets of calls, by what became of them.")                         \
    ROW(packet_gaps, "packet_gaps_total",                                    \
        "Gaps that packets of calls have left.")                             \
    ROW(ingest_batches, "voice_ingest_batches_total",                        \
        "Batches of packets that were committed.")                           \
    ROW(ingest_failed, "voice_ingest_batches_failed_total",                  \
        "Batches of packets that were not.")                                 \
    ROW(ingest_refused, "voice_ingest_refused_total",                        \
        "Packets refused because too many are held.")                        \
    ROW(limit_epochs, "voice_limit_epochs_total",                            \
        "Times that a Redis without its data began with empty buckets.")

typedef enum {
#define NGX_VOICE_ROW(id, name, help)  NGX_VOICE_COUNT_##id,
    NGX_VOICE_COUNTERS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    NGX_VOICE_COUNTER_COUNT
} ngx_voice_counter_e;


/* Figures of one process at this moment: id, name, help. */
#define NGX_VOICE_GAUGES(ROW)                                                \
    ROW(connections, "voice_connections",                                    \
        "Connections that are open, to clients and to services.")            \
    ROW(pg_connections, "voice_postgres_connections",                        \
        "Connections to PostgreSQL that are open.")                          \
    ROW(pg_in_flight, "voice_postgres_in_flight",                            \
        "Queries sent and not yet answered.")                                \
    ROW(pg_waiting, "voice_postgres_waiting",                                \
        "Queries waiting for a connection.")                                 \
    ROW(redis_connected, "voice_redis_connections",                          \
        "Connections to Redis that are open.")                               \
    ROW(redis_in_flight, "voice_redis_in_flight",                            \
        "Redis commands sent and not yet answered.")                         \
    ROW(redis_evicts, "voice_redis_evicts",                                  \
        "Processes whose Redis may evict what it holds: it must not.")       \
    ROW(ingest_lanes, "voice_ingest_lanes",                                  \
        "Lanes that have packets.")                                          \
    ROW(ingest_held, "voice_ingest_held",                                    \
        "Packets that are not answered yet.")                                \
    ROW(ingest_in_flight, "voice_ingest_in_flight",                          \
        "Batches of packets under way.")                                     \
    ROW(live_listeners, "voice_live_listeners",                              \
        "Live streams that are open.")                                       \
    ROW(passwords, "voice_passwords_outstanding",                            \
        "Password hashes waiting for a thread or being computed.")

typedef enum {
#define NGX_VOICE_ROW(id, name, help)  NGX_VOICE_GAUGE_##id,
    NGX_VOICE_GAUGES(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    NGX_VOICE_GAUGE_COUNT
} ngx_voice_gauge_e;


typedef struct ngx_voice_endpoint_s  ngx_voice_endpoint_t;
typedef struct ngx_voice_limits_s    ngx_voice_limits_t;


/* A method and a route template; never freed, so no lock to count. */
struct ngx_voice_endpoint_s {
    ngx_voice_endpoint_t  *next;
    ngx_str_t              method;
    ngx_str_t              route;
    ngx_atomic_t           codes[NGX_VOICE_STATUSES];   /* 0: free */
    ngx_atomic_t           requests[NGX_VOICE_STATUSES];
    ngx_atomic_t           buckets[NGX_VOICE_BUCKETS + 1];
    ngx_atomic_t           sum;            /* of durations, milliseconds */
};


typedef struct {
    u_char         type[64];
    u_char         service[16];
    ngx_atomic_t   count;
} ngx_voice_fault_t;


typedef struct {
    ngx_atomic_t   pid;                    /* 0: free */
    ngx_atomic_t   gauges[NGX_VOICE_GAUGE_COUNT];
} ngx_voice_process_t;


typedef struct {
    ngx_atomic_t           counters[NGX_VOICE_COUNTER_COUNT];
    ngx_voice_endpoint_t  *endpoints;
    ngx_voice_fault_t      faults[NGX_VOICE_FAULTS];
    ngx_atomic_t           nfaults;
    ngx_voice_process_t    processes[NGX_VOICE_PROCESSES];
    ngx_voice_watch_t      watch;
    ngx_voice_table_t     *known;          /* of ngx_voice_known_t */
    ngx_voice_table_t     *tenants;        /* of ngx_voice_tenant_t */
    ngx_voice_table_t     *hosts;          /* of ngx_voice_host_t */
    ngx_voice_table_t     *nohosts;        /* ... that are nobody's */
    ngx_voice_hear_t      *hear;           /* live channels with listeners */
    ngx_voice_limits_t    *limits;         /* by mutex */
    time_t                 born;           /* of the zone */
    ngx_uint_t             loads;          /* configurations that had it */
} ngx_voice_shared_t;


/* Upper bounds of the finite buckets in milliseconds, and as labels. */
extern const ngx_msec_int_t  ngx_voice_bucket_ms[NGX_VOICE_BUCKETS];
extern const char *const     ngx_voice_bucket_names[NGX_VOICE_BUCKETS];


/* Adds a row if there is none, at configuration time; NULL: zone full. */
ngx_voice_endpoint_t *ngx_voice_endpoint_get(ngx_voice_shared_t *shared,
    ngx_slab_pool_t *slab, const ngx_str_t *method, const ngx_str_t *route);

/* Counts an error by its code and where it came from. */
void ngx_voice_fault_count(ngx_voice_shared_t *shared, ngx_slab_pool_t *slab,
    const ngx_str_t *type, const ngx_str_t *service);

/* Does the process of a row live?  Figures of dead ones do not count. */
ngx_uint_t ngx_voice_process_alive(ngx_atomic_uint_t pid);

/* ngx_voice_limit_row.c: the node's buckets in a new zone. */
ngx_int_t ngx_voice_limit_init(ngx_voice_shared_t *shared,
    ngx_slab_pool_t *slab);
/* Forgets a bucket, for room; 0: there is none. */
ngx_uint_t ngx_voice_limit_yield(ngx_voice_shared_t *shared,
    ngx_slab_pool_t *slab);


#endif /* NGX_VOICE_ZONE_H */
