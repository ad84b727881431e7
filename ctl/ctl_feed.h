
/*
 * The live events of the caller's tenant, over a connection of its own that
 * comes back by itself.
 */

#ifndef CTL_FEED_H
#define CTL_FEED_H


#include "ctl_stream.h"


typedef struct ctl_feed_s  ctl_feed_t;


/*
 * Begins to listen to these types ("a,b"); on_event gets what comes while
 * ctl_feed_wait() runs.  NULL: no stream for this caller.  Release with
 * ctl_feed_close().
 */
ctl_feed_t *ctl_feed_open(ctl_t *ctl, const char *types,
    ctl_stream_pt on_event, void *user);
void ctl_feed_close(ctl_feed_t *feed);

/*
 * Waits for events, at most so long; a feed of NULL only waits.  0: we were
 * asked to end.
 */
int ctl_feed_wait(ctl_feed_t *feed, int ms);

/* Are events coming now? */
int ctl_feed_live(const ctl_feed_t *feed);


#endif /* CTL_FEED_H */
