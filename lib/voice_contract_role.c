/*
 * Roles and methods of the contract.
 */

#include "voice_contract_private.h"


/* Rows stand in the order of voice_role_e. */
static const char *const  contract_roles[VOICE_ROLE_COUNT] = {
    "viewer", "operator", "supervisor", "admin", "owner", "platform_admin",
    "qa_lead", "validator", "billing", "api_client", "service",
};


/* Rows stand in the order of voice_method_e. */
static const char *const  contract_methods[VOICE_METHOD_COUNT] = {
    "GET", "POST", "PUT", "PATCH", "DELETE",
};


const char *
voice_role_name(voice_role_e role)
{
    return (unsigned) role < VOICE_ROLE_COUNT ? contract_roles[role]
                                              : "unknown";
}


voice_role_e
voice_role_parse(voice_span_t name)
{
    unsigned  i;

    for (i = 0; i < VOICE_ROLE_COUNT; i++) {
        if (voice_span_eq(name, voice_span_str(contract_roles[i]))) {
            break;
        }
    }

    return (voice_role_e) i;
}


int
voice_role_admitted(const voice_operation_t *operation, voice_role_e role)
{
    return (unsigned) role < VOICE_ROLE_COUNT
           && (operation->roles & (uint32_t) 1 << role) != 0;
}


const char *
voice_method_name(voice_method_e method)
{
    return (unsigned) method < VOICE_METHOD_COUNT ? contract_methods[method]
                                                  : "unknown";
}
