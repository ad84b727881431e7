/*
 * The live stream, for as long as it is wanted: a ticket, an EventSource,
 * and again after the last id when it ends.  Whenever it (re)opens, or tells
 * of a gap, "resync" is called before the events that come after it.
 *
 * What it needs of the world is handed in, so that tests may do without:
 *   ticket()            a promise of a ticket
 *   open(url)           an EventSource
 *   after(ms, f)        a timer; gives what cancel() takes
 *   cancel(timer)
 *   onState(state)      connecting, live, syncing, reconnecting
 *   onEvent(event)      a parsed event
 *   resync(reason)      a promise: open, reopen, gap
 *   onRefused(error)    no ticket will be given, however often it is asked
 */

import { Buffer } from './buffer.js';

const NAMES = ['packet_received', 'packet_duplicate', 'packet_rejected',
    'state_changed', 'ai_completed', 'ai_failed', 'message'];
const FIRST_MS = 250;
const MOST_MS = 15000;
const REFUSED = 403;            /* 401: a token that may be renewed */


export class Stream {
    constructor(path, world) {
        this.path = path;
        this.world = world;
        this.source = null;
        this.timer = null;
        this.run = 0;           /* of start and stop */
        this.turn = 0;          /* of resyncs */
        this.opened = false;    /* once */
        this.tries = 0;
        this.lastId = null;     /* of a message, for the server */
        this.held = null;       /* events during a resync: a Buffer */
    }


    start() {
        this.stop();
        this.world.onState('connecting');
        this.connect();
    }


    stop() {
        this.run++;
        this.turn++;
        this.close();
        this.world.cancel(this.timer);
        this.timer = null;
        this.opened = false;
        this.tries = 0;
        this.lastId = null;
        this.held = null;
    }


    close() {
        this.source?.close();
        this.source = null;
    }


    async connect() {
        const run = this.run;
        let ticket;

        try {
            ticket = await this.world.ticket();
        } catch (error) {
            if (run === this.run && error.status === REFUSED) {
                this.stop();
                this.world.onRefused(error);
            } else if (run === this.run) {
                this.retry(error.retryAfter);
            }
            return;
        }

        if (run === this.run) {
            this.listen(ticket);
        }
    }


    listen(ticket) {
        const query = new URLSearchParams({ ticket });
        if (this.lastId !== null) {
            query.set('last_event_id', this.lastId);
        }

        const source = this.world.open(`${this.path}?${query}`);
        this.source = source;

        source.onopen = () => {
            this.sync(this.opened ? 'reopen' : 'open');
            this.opened = true;
        };
        /* its own second try would have the same ticket, which is used */
        source.onerror = () => {
            if (this.source === source) {
                this.again();
            }
        };
        for (const name of NAMES) {
            source.addEventListener(name, (message) => this.take(message));
        }
        source.addEventListener('gap', () => this.sync('gap'));
        /* its credential is over: the next ticket needs a new one */
        source.addEventListener('end', () => source.onerror());
    }


    take(message) {
        let event;

        if (message.lastEventId) {
            this.lastId = message.lastEventId;
        }

        try {
            event = JSON.parse(message.data);
        } catch {
            return;
        }

        if (this.held !== null) {
            this.held.push(event);
        } else {
            this.world.onEvent(event);
        }
    }


    /* Events wait until what they build on is there. */
    async sync(reason) {
        const turn = ++this.turn;

        this.held ??= new Buffer();
        this.world.onState('syncing');

        try {
            await this.world.resync(reason);
        } catch (error) {
            if (turn === this.turn) {
                this.release();
                this.again(error.retryAfter);
            }
            return;
        }

        if (turn === this.turn) {
            this.release();
            if (this.source !== null) {
                this.tries = 0;
                this.world.onState('live');
            }
        }
    }


    release() {
        const held = this.held;

        this.held = null;
        held.drain().forEach((event) => this.world.onEvent(event));
    }


    /* A new connection, for one that has ended or is deaf. */
    again(seconds) {
        this.close();
        this.retry(seconds);
    }


    /* No more waiting: the network is back, say. */
    kick() {
        if (this.timer !== null) {
            this.world.cancel(this.timer);
            this.timer = null;
            this.connect();
        }
    }


    retry(seconds) {
        const wait = Math.max((seconds || 0) * 1000,
                              Math.min(MOST_MS, FIRST_MS * 2 ** this.tries));

        this.tries++;
        this.world.onState('reconnecting');
        this.world.cancel(this.timer);
        this.timer = this.world.after(wait, () => {
            this.timer = null;
            this.connect();
        });
    }
}
