/*
 * Live events that wait.  Counts of packets are totals, so of a call's packet
 * events the newest tells what the former ones did: where many wait, those
 * are folded into one.  Events of state stay as they are; beyond what is kept
 * of them the buffer has overflowed, and who drains it must ask anew.
 */

const FOLD_AT = 4000;
const KEEP = 20000;

const FOLDS = new Set(['packet_received', 'packet_duplicate',
    'packet_rejected']);


export class Buffer {
    constructor(foldAt = FOLD_AT, keep = KEEP) {
        this.foldAt = foldAt;
        this.limit = foldAt;
        this.most = keep;
        this.events = [];
        this.count = 0;         /* of all that came */
        this.overflowed = false;
    }


    push(event) {
        this.count++;
        this.events.push(event);

        if (this.events.length <= this.limit) {
            return;
        }

        this.events = fold(this.events);
        if (this.events.length > this.most) {
            this.events = [];
            this.overflowed = true;
        }
        this.limit = this.events.length + this.foldAt;
    }


    drain() {
        const events = this.events;

        this.events = [];
        this.count = 0;
        this.limit = this.foldAt;

        return events;
    }
}


function fold(events) {
    const sums = new Map();     /* by call and name */
    const kept = [];

    /* from the newest on, so that the first of a kind is the one to keep */
    for (const event of events.slice().reverse()) {
        if (!FOLDS.has(event.event)) {
            kept.push(event);
            continue;
        }

        const key = `${event.event} ${event.call_id}`;
        const newer = sums.get(key);
        if (newer === undefined) {
            const copy = { ...event, coalesced: event.coalesced ?? 1 };
            sums.set(key, copy);
            kept.push(copy);
        } else {
            newer.coalesced += event.coalesced ?? 1;
        }
    }

    return kept.reverse();
}
