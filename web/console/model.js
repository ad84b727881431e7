/*
 * The calls that the page knows, from lists, single calls and live events.
 * Knows no page and no network; see t/console/model.mjs for what it promises.
 *
 * Events and lists come on different roads, so a list may be older than an
 * event: whoever asks for one notes model.clock first and hands it in with
 * the answer, and calls that an event changed since then keep what the event
 * said.
 */

import { append, count, fromClosed, fromSequences, within, without }
    from './ranges.js';

export const STATES = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI',
    'ARCHIVED', 'FAILED'];

const RATE_SECONDS = 5;
const ASK_MS = 5000;            /* between questions for the same gaps */


export class Model {
    /* At most cap calls are kept; those that ended longest ago go first. */
    constructor(cap = 1000) {
        this.cap = cap;
        this.calls = new Map();      /* by external id */
        this.clock = 0;              /* counts events */
        this.lastId = 0;             /* of a state event */
        this.unclear = new Set();    /* calls to be asked for */
        this.ticks = [];             /* [time in ms, packets] */
    }


    /* One live event in its flat shape; the call that it changed, or null. */
    event(event, now) {
        const apply = EVENTS[event.event];

        if (event.id !== undefined) {
            if (event.id <= this.lastId) {
                return null;
            }
            this.lastId = event.id;
        }
        /* of an erased call only the number is left */
        if (apply === undefined || typeof event.call_id !== 'string') {
            return null;
        }

        const call = this.calls.get(event.call_id)
            ?? this.begin(event.call_id, now);

        call.stamp = ++this.clock;
        apply(this, call, event, now);

        return call;
    }


    /* One event as GET /api/v1/events lists it. */
    stored(event, now) {
        return this.event({
            ...event.payload,
            event: event.event_type.replace(/^call\./, ''),
            id: event.id,
            timestamp: event.timestamp,
        }, now);
    }


    /* A call of which the first thing that we hear is an event. */
    begin(callId, now) {
        const call = blank(callId);

        call.startedAt = now;
        this.calls.set(callId, call);
        this.unclear.add(callId);
        this.trim();

        return call;
    }


    /* A call as a list or GET /v1/calls/{call_id}, asked for at that clock. */
    merge(item, clock, now) {
        const call = this.calls.get(item.call_id) ?? blank(item.call_id);

        if (!this.calls.has(item.call_id)) {
            this.calls.set(item.call_id, call);
        }

        takeConstant(call, item);
        if (call.stamp <= clock) {
            takeState(call, item);
            this.unclear.delete(item.call_id);
        } else {
            takeResult(call, item);
            this.unclear.add(item.call_id);
        }
        takeCounts(call, item);
        call.askedAt = now;
        this.trim();

        return call;
    }


    /* A whole, fresh list has come: what it lacks is gone. */
    keep(callIds, clock) {
        for (const [id, call] of this.calls) {
            if (!callIds.has(id) && call.stamp <= clock) {
                this.remove(id);
            }
        }
    }


    remove(callId) {
        this.calls.delete(callId);
        this.unclear.delete(callId);
    }


    trim() {
        if (this.calls.size <= this.cap) {
            return;
        }

        const order = [...this.calls.values()].sort((a, b) =>
            isOver(b) - isOver(a) || a.startedAt - b.startedAt);

        for (const call of order.slice(0, this.calls.size - this.cap)) {
            this.remove(call.callId);
        }
    }


    /* Newest first. */
    visible(filter) {
        const test = matcher(filter);

        return [...this.calls.values()].filter(test).sort((a, b) =>
            b.startedAt - a.startedAt
                || (a.callId < b.callId ? -1 : 1));
    }


    totals() {
        const totals = Object.fromEntries(STATES.map((name) => [name, 0]));

        for (const call of this.calls.values()) {
            totals[call.state]++;
        }

        return totals;
    }


    tick(packets, now) {
        this.ticks.push([now, packets]);
        if (this.ticks.length > 4096) {
            this.ticks = thin(this.ticks);
        }
    }


    /* Packets a second of the last five. */
    rate(now) {
        const from = now - RATE_SECONDS * 1000;

        this.ticks = this.ticks.filter(([at]) => at > from);

        return this.ticks.reduce((sum, [, n]) => sum + n, 0) / RATE_SECONDS;
    }
}


const EVENTS = {
    packet_received: (model, call, event, now) => {
        model.tick(event.coalesced ?? 1, now);
        takePacket(model, call, event, now);
    },

    packet_duplicate: (model, call, event, now) => {
        model.tick(event.coalesced ?? 1, now);
        call.duplicates += event.coalesced ?? 1;
        takePacket(model, call, event, now);
    },

    packet_rejected: (model, call, event) => {
        call.rejected += event.coalesced ?? 1;
    },

    state_changed: (model, call, event) => {
        call.state = event.to_state;
        call.historyStale = true;
        /* when and of how many packets the event does not say */
        model.unclear.add(call.callId);
    },

    ai_completed: (model, call, event) => {
        /* of a long one only its beginning is told */
        call.transcription = event.truncated ? null : event.transcription;
        call.excerpt = event.transcription;
        call.sentiment = event.sentiment;
        call.failureReason = null;
        model.unclear.add(call.callId);
    },

    ai_failed: (model, call, event) => {
        call.failureReason = event.detail === undefined
            ? event.reason : `${event.reason}: ${event.detail}`;
        call.historyStale = true;
        model.unclear.add(call.callId);
    },
};


/*
 * The counts of a packet's event.  Processes publish on their own, so an
 * older one may come later: the one that has received less is passed over.
 */
function takePacket(model, call, event, now) {
    if (event.total_received < call.received) {
        return;
    }

    const listed = fromSequences(event.missing_sequences ?? []);
    const missing = event.missing_count ?? count(listed);
    const next = event.total_received + missing;

    if (count(listed) >= missing) {
        call.missing = listed;
        call.exact = true;
    } else {
        guess(call, event, listed, next);
        call.exact = count(call.missing) === missing;
    }

    call.received = event.total_received;
    call.missingCount = missing;
    call.next = next;

    if (!call.exact && now - call.askedAt > ASK_MS) {
        model.unclear.add(call.callId);
    }
}


/*
 * Events list the first hundred missing sequences.  What lies behind them is
 * what we knew, without what came and with the gap that it left.
 */
function guess(call, event, listed, next) {
    const known = append(call.missing, call.next,
                         Math.max(call.next, Math.min(event.sequence, next)));
    const end = listed.length ? listed[listed.length - 1][1] : 0;
    const rest = within(without(known, event.sequence), end, next);

    call.missing = listed.length && rest.length && rest[0][0] === end
        ? [...listed.slice(0, -1),
           [listed[listed.length - 1][0], rest[0][1]], ...rest.slice(1)]
        : [...listed, ...rest];
}


function blank(callId) {
    return {
        callId, id: null, source: null, state: 'IN_PROGRESS',
        disposition: null, startedAt: 0, completedAt: null,
        processedAt: null, received: 0, missingCount: 0, next: 0,
        expected: null, missing: [], exact: true, duplicates: 0,
        rejected: 0, transcription: null, excerpt: null, summary: null,
        sentiment: null, score: null, confidence: null, method: null,
        language: null, durationMs: null, talkMs: null, silenceMs: null,
        recording: false, failureReason: null, media: null, drive: 0, stamp: 0,
        historyStale: true, askedAt: 0, redriveAt: null,
        lastAt: null,
    };
}


function takeConstant(call, item) {
    call.id = item.id ?? call.id;
    call.source = item.source ?? call.source;
    call.startedAt = time(item.started_at) ?? call.startedAt;
    call.media = item.media ?? call.media;
    call.lastAt = time(item.last_packet_at) ?? call.lastAt;
}


function takeState(call, item) {
    if (call.state !== item.state) {
        call.historyStale = true;
    }
    call.state = item.state;
    call.failureReason = item.failure_reason ?? null;
    call.redriveAt = time(item.redrive_at);
    takeResult(call, item);
}


function takeResult(call, item) {
    const detail = item.sentiment_detail ?? {};

    call.disposition = item.disposition ?? call.disposition;
    call.completedAt = time(item.completed_at) ?? call.completedAt;
    call.processedAt = time(item.processed_at) ?? call.processedAt;
    call.transcription = item.transcription ?? call.transcription;
    call.excerpt = item.excerpt ?? call.excerpt;
    call.summary = item.summary ?? call.summary;
    call.sentiment = item.sentiment ?? call.sentiment;
    call.score = detail.score ?? item.sentiment_score ?? call.score;
    call.confidence = detail.confidence ?? call.confidence;
    call.method = detail.method ?? call.method;
    call.language = item.language ?? call.language;
    call.durationMs = item.duration_ms ?? call.durationMs;
    call.talkMs = item.talk_ms ?? call.talkMs;
    call.silenceMs = item.silence_ms ?? call.silenceMs;
    call.recording = Boolean(item.recording_url) || call.recording;
    call.drive = item.drive ?? call.drive;
}


/*
 * The API counts what is missing up to the total, once that is known; here
 * the tail behind the highest packet is apart, because it may still come.
 */
function takeCounts(call, item) {
    const { total_received: received, missing_count: missing } = item;
    const expected = item.expected_total_packets ?? call.expected;

    call.expected = expected;
    if (received < call.received) {
        return;
    }

    let next = received + missing;
    const ranges = item.missing_ranges === undefined
        ? within(call.missing, 0, next) : fromClosed(item.missing_ranges);
    const last = ranges[ranges.length - 1];

    if (expected !== null && last !== undefined && last[1] === expected) {
        [next] = ranges.pop();
    }

    call.received = received;
    call.next = next;
    call.missing = ranges;
    call.missingCount = Math.max(0, next - received);
    call.exact = count(ranges) === call.missingCount;
}


function time(text) {
    return text === null || text === undefined ? null : Date.parse(text);
}


/*
 * How long it lasted: sound as long as it is, however fast it came; null: not
 * known.  It goes on until now.
 */
export function lasted(call, now) {
    if (call.talkMs !== null && call.durationMs !== null) {
        return call.durationMs;
    }

    const end = call.completedAt ?? (isOver(call) ? null : now);

    return end === null ? null : end - call.startedAt;
}


export function isOver(call) {
    return call.state === 'ARCHIVED' || call.state === 'FAILED';
}


/* Everything that a filter asks for: {states: Set, text, sentiment}. */
export function matcher(filter) {
    const words = (filter.text ?? '').toLowerCase().split(/\s+/)
        .filter((word) => word !== '');

    return (call) => {
        if (filter.states?.size && !filter.states.has(call.state)) {
            return false;
        }
        if (filter.sentiment && call.sentiment !== filter.sentiment) {
            return false;
        }
        if (words.length === 0) {
            return true;
        }

        const text = [call.callId, call.transcription ?? call.excerpt,
            call.summary, call.failureReason].join('\n').toLowerCase();

        return words.every((word) => text.includes(word));
    };
}


/* Half as many entries with the same sum. */
function thin(ticks) {
    const out = [];

    for (let i = 0; i < ticks.length; i += 2) {
        out.push([ticks[i][0], ticks[i][1] + (ticks[i + 1]?.[1] ?? 0)]);
    }

    return out;
}
