/*
 * The list: a row a call, kept by the call's id.  A frame changes the rows
 * whose calls changed and no others, of these only those in sight: the others
 * follow when they come there.  Rows move only when their order does.
 */

import { el, setAttribute, setHidden, setStyle, setText } from './dom.js';
import { STATE_WORDS, duration, number, score, time } from './format.js';
import { lasted } from './model.js';
import { Strip, missingCount } from './strip.js';

const COLUMNS = 160;            /* of a row's strip */
const NEAR = '400px';           /* of the sight, which counts as in it */


export class List {
    /* onOpen(callId) when a row is chosen. */
    constructor(node, onOpen) {
        this.node = node;
        this.onOpen = onOpen;
        this.rows = new Map();
        this.order = [];        /* ids as they stand on the page */
        this.open = null;
        this.sight = new IntersectionObserver(
            (entries) => entries.forEach((entry) => this.seen(entry)),
            { root: node.parentElement, rootMargin: NEAR });

        node.addEventListener('click', (event) => {
            const row = event.target.closest('button.row');
            if (row !== null) {
                this.onOpen(row.dataset.call);
            }
        });
        node.addEventListener('keydown', (event) => this.key(event));
    }


    /* Calls as they are to stand, and the ids of those that changed. */
    show(calls, changed) {
        const wanted = calls.map((call) => call.callId);

        this.drop(new Set(wanted));
        for (const call of calls) {
            const row = this.rows.get(call.callId);
            if (row === undefined) {
                this.add(call);
            } else if (changed === null || changed.has(call.callId)) {
                row.update(call);
            }
        }
        this.arrange(wanted);
    }


    add(call) {
        const row = new Row(call);

        this.rows.set(call.callId, row);
        this.sight.observe(row.node);
    }


    seen({ target, isIntersecting }) {
        this.rows.get(target.firstChild.dataset.call)?.see(isIntersecting);
    }


    drop(wanted) {
        for (const [id, row] of this.rows) {
            if (!wanted.has(id)) {
                row.node.remove();
                this.sight.unobserve(row.node);
                this.rows.delete(id);
            }
        }
    }


    arrange(wanted) {
        const same = wanted.length === this.order.length
            && wanted.every((id, i) => id === this.order[i]);

        if (!same) {
            let at = this.node.firstChild;
            for (const id of wanted) {
                const { node } = this.rows.get(id);
                if (node === at) {
                    at = at.nextSibling;
                } else {
                    this.node.insertBefore(node, at);
                }
            }
            this.order = wanted;
        }
        this.rove();
    }


    /* The durations of calls that go on. */
    tick(calls, now) {
        for (const call of calls) {
            if (call.completedAt === null) {
                this.rows.get(call.callId)?.tick(call, now);
            }
        }
    }


    mark(callId) {
        for (const id of [this.open, callId]) {
            const row = this.rows.get(id);
            if (row !== undefined) {
                setAttribute(row.button, 'aria-current',
                             id === callId ? 'true' : null);
            }
        }
        this.open = callId;
        this.rove();
    }


    focus(callId) {
        this.rows.get(callId)?.button.focus();
    }


    /* One stop of the tab key in the list: the open row, or the first. */
    rove() {
        const focused = document.activeElement?.dataset?.call;
        const stop = this.rows.has(focused) ? focused
            : this.rows.has(this.open) ? this.open : this.order[0];

        if (stop === this.stop && this.rows.has(stop)) {
            setAttribute(this.rows.get(stop).button, 'tabindex', '0');
            return;
        }
        for (const id of [this.stop, stop]) {
            const row = this.rows.get(id);
            if (row !== undefined) {
                setAttribute(row.button, 'tabindex',
                             id === stop ? '0' : '-1');
            }
        }
        this.stop = stop;
    }


    key(event) {
        const at = this.order.indexOf(event.target.dataset?.call);
        const page = 10;
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page,
            PageUp: -page, Home: -Infinity, End: Infinity }[event.key];

        if (at < 0 || step === undefined || event.ctrlKey || event.altKey
            || event.metaKey)
        {
            return;
        }

        const to = Math.min(this.order.length - 1, Math.max(0, at + step));
        event.preventDefault();
        this.focus(this.order[to]);
        this.rove();
    }
}


class Row {
    constructor(call) {
        this.strip = new Strip(COLUMNS);
        this.id = el('span', { class: 'cell-id' });
        this.state = el('span', { class: 'state' });
        this.packets = el('span', { class: 'packets' });
        this.missing = el('span', { class: 'missing' });
        this.sentiment = new Sentiment();
        this.words = el('span', { class: 'cell-words' });
        this.began = el('span', { class: 'cell-time' });
        this.lasted = el('span', { class: 'cell-time' });
        this.button = el('button', {
            class: 'row', type: 'button', tabindex: '-1',
            'data-call': call.callId,
        }, this.id, el('span', { class: 'cell-state' }, this.state),
        el('span', { class: 'cell-packets' }, this.packets, this.missing),
        el('span', { class: 'cell-strip' }, this.strip.node),
        this.sentiment.node, this.words, this.began, this.lasted);
        this.node = el('li', {}, this.button);
        this.seen = true;
        this.waits = null;      /* the call as it is, out of sight */

        this.draw(call);
    }


    update(call) {
        if (this.seen) {
            this.draw(call);
        } else {
            this.waits = call;
        }
    }


    see(seen) {
        this.seen = seen;
        if (seen && this.waits !== null) {
            this.draw(this.waits);
            this.waits = null;
        }
    }


    draw(call) {
        const missing = missingCount(call);

        setText(this.id, call.callId);
        setText(this.state, STATE_WORDS[call.state] ?? call.state);
        setAttribute(this.state, 'data-state', call.state);
        setText(this.packets, call.expected === null
            ? number(call.received)
            : `${number(call.received)} / ${number(call.expected)}`);
        setText(this.missing, missing ? `${number(missing)} missing` : '');
        setText(this.words, words(call));
        setAttribute(this.words, 'data-kind',
                     call.state === 'FAILED' ? 'failed' : null);
        setText(this.began, time(call.startedAt));
        this.strip.update(call);
        this.sentiment.update(call);
        this.tick(call, Date.now());
    }


    tick(call, now) {
        if (!this.seen) {
            return;
        }

        setText(this.lasted, duration(lasted(call, now)));
    }
}


const WORDS = {
    COMPLETED: () => 'Late packets still count',
    PROCESSING_AI: () => 'Being heard and analysed',
    FAILED: (call) => call.failureReason ?? '',
};


/* What a row says of a call's content, or why there is none. */
function words(call) {
    return WORDS[call.state]?.(call)
        ?? (call.summary || call.transcription || call.excerpt || '')
            .slice(0, 240);
}


/* The word, and a bar to the left or the right of a middle line. */
export class Sentiment {
    constructor() {
        this.word = el('span', { class: 'sentiment-word' });
        this.bar = el('i', { class: 'sentiment-bar' });
        this.scale = el('span', { class: 'sentiment-scale',
            'aria-hidden': 'true' }, this.bar);
        this.node = el('span', { class: 'sentiment' }, this.word, this.scale);
    }


    update(call) {
        const value = Math.max(-1, Math.min(1, call.score ?? 0));

        setText(this.word, call.sentiment ?? '');
        setAttribute(this.node, 'data-sentiment', call.sentiment);
        setAttribute(this.node, 'title', call.score === null ? null
            : `score ${score(call.score)}`);
        setHidden(this.scale, call.score === null);
        setStyle(this.bar, 'left', `${50 + Math.min(0, value) * 50}%`);
        setStyle(this.bar, 'width', `${Math.abs(value) * 50}%`);
    }
}
