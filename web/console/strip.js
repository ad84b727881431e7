/*
 * A call's packets as a strip over the axis of sequences: what was received,
 * what is missing, what is still to come.
 */

import { setAttribute, svg } from './dom.js';
import { append, axis, path } from './ranges.js';

const HEIGHT = 10;
const LEAST = 0.55;     /* how tall a bar is where little is missing */


/* Of a state after which nothing more is taken. */
function isClosed(call) {
    return call.state !== 'IN_PROGRESS' && call.state !== 'COMPLETED';
}


/* Sequences that did not come: gaps, and the tail once it is too late. */
export function missingRanges(call) {
    return isClosed(call) && call.expected !== null
        ? append(call.missing, call.next, call.expected) : call.missing;
}


export function missingCount(call) {
    const tail = isClosed(call) && call.expected !== null
        ? Math.max(0, call.expected - call.next) : 0;

    return call.missingCount + tail;
}


export class Strip {
    /* As many columns as it may be wide. */
    constructor(columns) {
        this.columns = columns;
        this.received = svg('path', { class: 'strip-received' });
        this.missing = svg('path', { class: 'strip-missing' });
        this.node = svg('svg', {
            class: 'strip', viewBox: `0 0 ${columns} ${HEIGHT}`,
            preserveAspectRatio: 'none', role: 'img',
        }, this.received, this.missing);
    }


    update(call) {
        const span = axis(call.next, call.expected, isClosed(call));
        const draw = (ranges, least) =>
            path(ranges, span, this.columns, HEIGHT, least);

        this.span = span;
        setAttribute(this.received, 'd',
                     draw(append([], 0, call.next), 1));
        setAttribute(this.missing, 'd', draw(missingRanges(call), LEAST));
        setAttribute(this.node, 'aria-label',
            `${call.received} received, ${missingCount(call)} missing`);
    }
}
