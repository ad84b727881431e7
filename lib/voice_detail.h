
/*
 * What is wrong with a request, in the shape that FastAPI gives it: a list
 * of {type, loc, msg}.
 */

#ifndef VOICE_DETAIL_H
#define VOICE_DETAIL_H


#include "voice_json.h"


/*
 * The list that stands for problems, an array of {path, reason}
 * (voice_problems_json(), or what SQL wrote).  loc is the path's parts,
 * numbers for places in a list; msg the reason; type what the reason tells
 * ("missing", "int_type", ...), "value_error" where it tells nothing.  A
 * problem without a path or reason is passed by.  The caller owns the list;
 * NULL: out of memory.
 */
json_t *voice_detail_list(const json_t *problems) VOICE_MUST_CHECK;


#endif /* VOICE_DETAIL_H */
