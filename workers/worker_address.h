
/*
 * Addresses that an outbound call must not reach unless it is allowed to.
 */

#ifndef WORKER_ADDRESS_H
#define WORKER_ADDRESS_H


#include <sys/socket.h>


/*
 * Is this a loopback, private, link-local, shared, multicast or reserved
 * address, also one embedded in IPv6?  Other families are private.
 */
int worker_address_private(const struct sockaddr *address);


#endif /* WORKER_ADDRESS_H */
