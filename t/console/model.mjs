/* What the page knows of calls: events, lists, filters, in whatever order. */

import test from 'node:test';
import assert from 'node:assert/strict';

import { Model } from '../../web/console/model.js';
import { missingCount, missingRanges } from '../../web/console/strip.js';

const NOW = Date.parse('2026-11-21T12:00:00Z');


function packet(callId, sequence, total, missing, more = {}) {
    return { event: 'packet_received', call_id: callId, sequence,
        total_received: total, missing_sequences: missing.slice(0, 100),
        missing_count: missing.length, ...more };
}


function item(callId, more = {}) {
    return { id: `id-${callId}`, call_id: callId, state: 'IN_PROGRESS',
        total_received: 0, expected_total_packets: null, missing_count: 0,
        missing_ranges: [], started_at: '2026-11-21T11:00:00Z', ...more };
}


function moved(callId, from, to, id) {
    return { event: 'state_changed', call_id: callId, from_state: from,
        to_state: to, id };
}


test('a packet of an unknown call begins it, and the call is asked for',
     () => {
    const model = new Model();
    const call = model.event(packet('a', 2, 1, [0, 1]), NOW);

    assert.equal(call.next, 3);
    assert.deepEqual(call.missing, [[0, 2]]);
    assert.deepEqual([...model.unclear], ['a']);
});


test('a packet event that was overtaken changes nothing', () => {
    const model = new Model();

    model.event(packet('a', 1, 2, []), NOW);
    model.event(packet('a', 0, 1, []), NOW);
    assert.equal(model.calls.get('a').received, 2);
});


test('of more than a hundred missing sequences all are known from before',
     () => {
    const model = new Model();
    const missing = Array.from({ length: 250 }, (_, i) => i);

    model.event(packet('a', 250, 1, missing), NOW);
    assert.deepEqual(model.calls.get('a').missing, [[0, 250]]);

    model.event(packet('a', 200, 2, missing.filter((n) => n !== 200)), NOW);
    assert.deepEqual(model.calls.get('a').missing, [[0, 200], [201, 250]]);
    assert.equal(model.calls.get('a').exact, true);
});


test('what cannot be known of the gaps is asked for, but not all the time',
     () => {
    const model = new Model();
    const missing = Array.from({ length: 300 }, (_, i) => 2 * i);

    model.merge(item('a'), 0, NOW);
    model.event(packet('a', 599, 300, missing, { coalesced: 300 }),
                NOW + 1000);
    assert.equal(model.unclear.size, 0);
    model.event(packet('a', 600, 301, missing), NOW + 6000);
    assert.deepEqual([...model.unclear], ['a']);
});


test('an event of state counts once, whichever road it takes', () => {
    const model = new Model();

    model.event(moved('a', 'IN_PROGRESS', 'COMPLETED', 7), NOW);
    model.stored({ id: 7, event_type: 'call.state_changed', payload: {
        call_id: 'a', from_state: 'IN_PROGRESS', to_state: 'COMPLETED' } },
    NOW);
    model.stored({ id: 8, event_type: 'call.state_changed', payload: {
        call_id: 'a', from_state: 'COMPLETED',
        to_state: 'PROCESSING_AI' } }, NOW);
    model.event(moved('a', 'IN_PROGRESS', 'COMPLETED', 7), NOW);

    assert.equal(model.calls.get('a').state, 'PROCESSING_AI');
    assert.equal(model.lastId, 8);
});


test('an event of an erased call counts, and shows nothing', () => {
    const model = new Model();

    assert.equal(model.event({ event: 'state_changed', erased: true,
        id: 4 }, NOW), null);
    assert.equal(model.lastId, 4);
    assert.equal(model.calls.size, 0);
});


test('a list that is older than an event takes no state back', () => {
    const model = new Model();
    const { clock } = model;

    model.event(moved('a', 'IN_PROGRESS', 'COMPLETED', 1), NOW);
    model.merge(item('a', { total_received: 4 }), clock, NOW);
    assert.equal(model.calls.get('a').state, 'COMPLETED');
    assert.equal(model.calls.get('a').received, 4, 'its counts are news');
    assert.ok(model.unclear.has('a'), 'and it is asked for once more');

    model.merge(item('a', { state: 'ARCHIVED', total_received: 4 }),
                model.clock, NOW);
    assert.equal(model.calls.get('a').state, 'ARCHIVED');
    assert.equal(model.unclear.size, 0);
});


test('a call that goes from failed to processing again is followed', () => {
    const model = new Model();

    model.merge(item('a', { state: 'FAILED', failure_reason: 'no' }), 0, NOW);
    model.event(moved('a', 'FAILED', 'PROCESSING_AI', 5), NOW);
    model.event({ event: 'ai_completed', call_id: 'a', id: 6,
        transcription: 'hello', sentiment: 'positive' }, NOW);

    const call = model.calls.get('a');
    assert.equal(call.state, 'PROCESSING_AI');
    assert.equal(call.transcription, 'hello');
    assert.equal(call.failureReason, null);
});


test('the beginning of a long transcript is not taken for all of it', () => {
    const model = new Model();

    model.event({ event: 'ai_completed', call_id: 'a', id: 6,
        transcription: 'It began', truncated: true,
        sentiment: 'neutral' }, NOW);

    const call = model.calls.get('a');
    assert.equal(call.transcription, null);
    assert.equal(call.excerpt, 'It began');
    model.merge(item('a', { transcription: 'It began and ended' }),
                model.clock, NOW);
    assert.equal(call.transcription, 'It began and ended');
});


test('the tail may still come until processing begins, then it is missing',
     () => {
    const model = new Model();
    const open = { state: 'COMPLETED', total_received: 6,
        expected_total_packets: 10, missing_count: 4,
        missing_ranges: [[2, 2], [7, 9]] };

    const call = model.merge(item('a', open), 0, NOW);
    assert.equal(call.next, 7);
    assert.deepEqual(missingRanges(call), [[2, 3]]);
    assert.equal(missingCount(call), 1);

    model.merge(item('a', { ...open, state: 'PROCESSING_AI' }), 0, NOW);
    assert.deepEqual(missingRanges(call), [[2, 3], [7, 10]]);
    assert.equal(missingCount(call), 4);
});


test('a fresh list without a call takes it away, but not a newer one', () => {
    const model = new Model();

    model.merge(item('old'), 0, NOW);
    const { clock } = model;
    model.event(packet('new', 0, 1, []), NOW);
    model.keep(new Set(), clock);
    assert.deepEqual([...model.calls.keys()], ['new']);
});


test('the oldest calls that are over make room', () => {
    const model = new Model(3);
    const at = (minute) => `2026-11-21T11:${minute}:00Z`;

    model.merge(item('live', { started_at: at(10) }), 0, NOW);
    for (const n of [20, 30, 40]) {
        model.merge(item(`over${n}`, { state: 'ARCHIVED',
            started_at: at(n) }), 0, NOW);
    }
    assert.deepEqual([...model.calls.keys()].sort(),
                     ['live', 'over30', 'over40']);
});


test('a filter wants the state, the sentiment and every word', () => {
    const model = new Model();
    const ids = (filter) => model.visible(filter).map((c) => c.callId);

    model.merge(item('a1', { state: 'ARCHIVED', sentiment: 'positive',
        summary: 'Delivery on Thursday',
        started_at: '2026-11-21T11:00:01Z' }), 0, NOW);
    model.merge(item('a2', { state: 'FAILED', failure_reason: 'late' }), 0,
                NOW);

    assert.deepEqual(ids({}), ['a1', 'a2'], 'newest first');
    assert.deepEqual(ids({ states: new Set(['FAILED']) }), ['a2']);
    assert.deepEqual(ids({ sentiment: 'positive' }), ['a1']);
    assert.deepEqual(ids({ text: 'thursday A1' }), ['a1']);
    assert.deepEqual(ids({ text: 'late' }), ['a2']);
    assert.deepEqual(ids({ text: 'thursday late' }), []);
});


test('the rate counts coalesced packets, and forgets', () => {
    const model = new Model();

    model.event(packet('a', 0, 1, []), NOW);
    model.event(packet('a', 9, 10, [], { coalesced: 9 }), NOW + 1000);
    assert.equal(model.rate(NOW + 2000), 2);
    assert.equal(model.rate(NOW + 7000), 0);
});


test('events that are none change nothing', () => {
    const model = new Model();

    for (const event of [{}, { event: 'x', call_id: 'a' },
        { event: 'packet_received' },
        { event: 'state_changed', call_id: 7, id: 1 }])
    {
        assert.equal(model.event(event, NOW), null);
    }
    assert.equal(model.calls.size, 0);
});
