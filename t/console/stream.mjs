/* The stream's life, with a world of its own. */

import test from 'node:test';
import assert from 'node:assert/strict';

import { Buffer } from '../../web/console/buffer.js';
import { Stream } from '../../web/console/stream.js';


/* A world in which nothing happens by itself. */
class World {
    constructor() {
        this.states = [];
        this.events = [];
        this.sources = [];
        this.timers = new Map();
        this.resyncs = [];
        this.refused = null;
    }

    async ticket() {
        if (this.refused) {
            throw this.refused;
        }
        return `t${this.sources.length}`;
    }

    open(url) {
        const source = new EventTarget();

        source.url = url;
        source.close = () => { source.closed = true; };
        source.says = (name, event, id) => {
            const message = new Event(name);
            message.data = JSON.stringify(event);
            message.lastEventId = id ?? '';
            source.dispatchEvent(message);
        };
        this.sources.push(source);

        return source;
    }

    after(ms, f) {
        const timer = Symbol('timer');

        this.timers.set(timer, { ms, f });

        return timer;
    }

    cancel(timer) {
        this.timers.delete(timer);
    }

    onState(state) {
        this.states.push(state);
    }

    onEvent(event) {
        this.events.push(event);
    }

    onRefused(error) {
        this.ended = error;
    }

    /* Held until the test lets it go on. */
    resync(reason) {
        return new Promise((done, failed) => {
            this.resyncs.push({ reason, done, failed });
        });
    }

    async fire() {
        for (const [timer, { f }] of this.timers) {
            this.timers.delete(timer);
            f();
        }
        await settle();
    }
}


async function settle() {
    for (let i = 0; i < 10; i++) {
        await null;
    }
}


async function live() {
    const world = new World();
    const stream = new Stream('/s', world);

    stream.start();
    await settle();
    world.sources[0].onopen();
    world.resyncs[0].done();
    await settle();

    return { world, stream };
}


test('events wait until the list is there', async () => {
    const world = new World();
    const stream = new Stream('/s', world);

    stream.start();
    await settle();
    assert.equal(world.sources[0].url, '/s?ticket=t0');
    world.sources[0].onopen();
    world.sources[0].says('state_changed', { n: 1 });
    assert.deepEqual(world.events, []);
    world.resyncs[0].done();
    await settle();
    assert.deepEqual(world.events, [{ n: 1 }]);
    assert.deepEqual(world.states, ['connecting', 'syncing', 'live']);
});


test('a stream that ends comes back with a new ticket and the last id',
     async () => {
    const { world } = await live();

    world.sources[0].says('packet_received', { n: 1 }, '17:0');
    world.sources[0].onerror();
    assert.equal(world.sources[0].closed, true);
    await world.fire();
    assert.equal(world.sources[1].url, '/s?ticket=t1&last_event_id=17%3A0');
    world.sources[1].onopen();
    assert.equal(world.resyncs[1].reason, 'reopen');
    world.resyncs[1].done();
    await settle();
    assert.equal(world.states.at(-1), 'live');
});


test('a gap is read anew before what follows it', async () => {
    const { world } = await live();

    world.sources[0].says('gap', {});
    world.sources[0].says('state_changed', { n: 2 });
    assert.equal(world.resyncs[1].reason, 'gap');
    assert.deepEqual(world.events, []);
    world.resyncs[1].done();
    await settle();
    assert.deepEqual(world.events, [{ n: 2 }]);
});


test('a list that fails is a new connection, later each time', async () => {
    const { world } = await live();
    const waits = [];

    world.sources[0].onerror();
    for (let i = 1; i < 9; i++) {
        waits.push([...world.timers.values()][0].ms);
        await world.fire();
        world.sources[i].onopen();
        world.resyncs[i].failed(new Error('503'));
        await settle();
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
});


test('the server says how long to wait', async () => {
    const { world } = await live();

    world.refused = Object.assign(new Error('429'), { retryAfter: 7 });
    world.sources[0].onerror();
    await world.fire();
    assert.equal([...world.timers.values()][0].ms, 7000);
});


test('a kick ends the waiting', async () => {
    const { world, stream } = await live();

    world.sources[0].onerror();
    stream.kick();
    await settle();
    assert.equal(world.timers.size, 0);
    assert.equal(world.sources.length, 2);
    stream.kick();
    await settle();
    assert.equal(world.sources.length, 2, 'where there is any');
});


test('a stream whose credential is over comes back with a new ticket',
     async () => {
    const { world } = await live();

    world.sources[0].says('state_changed', { n: 1 }, '5');
    world.sources[0].says('end', { status: 401 });
    assert.equal(world.sources[0].closed, true);
    await world.fire();
    assert.equal(world.sources[1].url, '/s?ticket=t1&last_event_id=5');
    world.sources[0].says('end', { status: 401 });
    assert.equal(world.timers.size, 0, 'once');
});


test('who may not listen any more is not asked again', async () => {
    const { world } = await live();

    world.refused = Object.assign(new Error('no'), { status: 403 });
    world.sources[0].says('end', { status: 403 });
    await world.fire();
    assert.equal(world.ended.message, 'no');
    assert.equal(world.timers.size, 0);
});


test('after a stop nothing is opened and nothing heard', async () => {
    const { world, stream } = await live();

    stream.start();
    stream.stop();
    await settle();
    assert.equal(world.sources.length, 1);
    assert.equal(world.timers.size, 0);
    assert.equal(world.sources[0].closed, true);
});


test('two gaps at once end with the second list', async () => {
    const { world } = await live();

    world.sources[0].says('gap', {});
    world.sources[0].says('gap', {});
    world.sources[0].says('state_changed', { n: 1 });
    world.resyncs[1].done();
    await settle();
    assert.deepEqual(world.events, []);
    world.resyncs[2].done();
    await settle();
    assert.deepEqual(world.events, [{ n: 1 }]);
    assert.equal(world.states.at(-1), 'live');
});


test('waiting packet events are folded to the newest, states are not', () => {
    const buffer = new Buffer(10);

    for (let i = 0; i < 25; i++) {
        buffer.push({ event: 'packet_received', call_id: 'a',
            sequence: i, total_received: i + 1 });
        if (i % 10 === 0) {
            buffer.push({ event: 'state_changed', call_id: 'a', id: i });
        }
    }
    assert.equal(buffer.count, 28);

    const events = buffer.drain();
    const packets = events.filter((e) => e.event === 'packet_received');
    assert.equal(packets.at(-1).total_received, 25);
    assert.ok(packets.length < 15);
    assert.equal(packets.reduce((n, e) => n + (e.coalesced ?? 1), 0), 25);
    assert.deepEqual(events.filter((e) => e.event === 'state_changed')
        .map((e) => e.id), [0, 10, 20]);
});


test('a buffer that overflows says so and is bounded', () => {
    const buffer = new Buffer(10, 20);

    for (let i = 0; i < 500; i++) {
        buffer.push({ event: 'state_changed', call_id: 'a', id: i });
    }
    assert.equal(buffer.overflowed, true);
    assert.ok(buffer.events.length <= 30);
});
