
/*
 * What a request must be to get in: of an operation of the contract, or of a
 * location with voice_auth and voice_limit.
 */

#ifndef NGX_VOICE_POLICY_H
#define NGX_VOICE_POLICY_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "voice_contract.h"


#define NGX_VOICE_SCOPES_MAX  128          /* distinct ones in contract and
                                              locations */
#define NGX_VOICE_NO_SCOPE    NGX_VOICE_SCOPES_MAX


/* A set of scopes by their number in ngx_voice_main_conf_t.scopes. */
typedef struct {
    uint64_t  bits[NGX_VOICE_SCOPES_MAX / 64];
} ngx_voice_scopes_t;


typedef struct {
    uint32_t                    roles;     /* bit per voice_role_e */
    ngx_uint_t                  scope;     /* that an API key needs, or
                                              NGX_VOICE_NO_SCOPE */
    const voice_limit_class_t  *limit;     /* NULL: no limit */
    unsigned                    dry_run:1; /* the limit refuses nobody */
    unsigned                    public:1;  /* no credentials are looked at */
    unsigned                    optional:1;    /* none need be there */
} ngx_voice_policy_t;


#endif /* NGX_VOICE_POLICY_H */
