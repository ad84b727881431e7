'use strict';

// The client of worker.js.  Commands on stdin as those of
// bench/peers/jobs_celery_client.py; EACH of more than 1 is addBulk.

const readline = require('readline');

const { Queue } = require('bullmq');

const { connection } = require('./queue');
const slots = require('./slots');

const SIDE_BY_SIDE = 64;     // calls of add() at a time

const jobs = new Queue('jobs', { connection });
const nobody = new Queue('nobody', { connection });

const now = () => Number(process.hrtime.bigint()) / 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));


async function send(queue, first, n, each) {
    if (each === 1) {
        return queue.add('probe', { seq: first });
    }

    return queue.addBulk(Array.from({ length: Math.min(each, n - first) },
        (_, i) => ({ name: 'probe', data: { seq: first + i } })));
}


async function sendAll(queue, from, n, each) {
    let next = from;

    async function lane() {
        while (next < n) {
            const first = next;
            next += each;
            await send(queue, first, n, each);
        }
    }

    await Promise.all(Array.from({ length: each === 1 ? SIDE_BY_SIDE : 2 },
        lane));
}


async function wait(n) {
    const counts = ['wait', 'active', 'delayed', 'prioritized'];

    for (;;) {
        const left = await jobs.getJobCounts(...counts);
        if (counts.every((name) => left[name] === 0)) {
            break;
        }
        await sleep(2);
    }

    if (slots.read(n).some((us) => us === 0)) {
        throw new Error('a job was not run');
    }
}


async function load(n, each) {
    slots.forget();
    const start = now();
    await sendAll(jobs, 0, n, each);

    return [now() - start];
}


async function rate(n, each) {
    slots.forget();
    const start = now();
    await sendAll(jobs, 0, n, each);
    const sent = now();
    await wait(n);

    return [sent - start, now() - start];
}


function percentiles(times) {
    const sorted = times.map((us) => Math.max(us, 0)).sort((a, b) => a - b);

    return [0.5, 0.99, 1].map((share) =>
        sorted[Math.min(Math.floor(sorted.length * share),
            sorted.length - 1)]);
}


async function paced(n, perSecond, each) {
    const asked = [], sent = [], running = [];

    slots.forget();
    const start = now();
    for (let i = 0; i < n; i += each) {
        const due = start + i * 1e6 / perSecond;
        while (now() < due) {
            await sleep((due - now()) / 1000);
        }
        const before = now();
        running.push(send(jobs, i, n, each).then(() => {
            const after = now();
            for (let j = i; j < Math.min(i + each, n); j++) {
                asked[j] = before;
                sent[j] = after;
            }
        }));
    }
    await Promise.all(running);
    await wait(n);
    const begun = slots.read(n);

    return [...percentiles(begun.map((us, i) => us - sent[i])),
        ...percentiles(begun.map((us, i) => us - asked[i]))];
}


async function fill(n, each) {
    const start = now();
    await sendAll(nobody, 0, n, each);
    const took = now() - start;
    await nobody.obliterate({ force: true });

    return [took];
}


async function standing(backlog, n, each) {
    let done = 0, made = backlog, warm = 0, start = 0;

    while (done < n) {
        const before = done;
        done = slots.upTo(done);
        if (done === before) {
            await sleep(1);
        }
        if (warm === 0 && done > n / 5) {
            console.log('warm');
            warm = done;
            start = now();
        }
        if (done + backlog - made >= each) {
            await sendAll(jobs, made, done + backlog, each);
            made = done + backlog;
        }
    }

    return [done - warm, now() - start];
}


async function later(n, singles) {
    const sent = [];

    for (let i = n; i < n + singles; i++) {
        await send(jobs, i, i + 1, 1);
        sent.push(now());
        await sleep(200);
    }
    await wait(n + singles);

    const begun = slots.read(n + singles);
    const mine = begun.splice(n);
    const before = mine.map((us, i) =>
        begun.filter((other) => other > sent[i] && other < us).length);

    return [...percentiles(mine.map((us, i) => us - sent[i])),
        ...percentiles(before)];
}


async function drop() {
    await jobs.obliterate({ force: true });
    await jobs.resume();

    return [0];
}


const commands = { fill, load, rate, standing, paced, later, drop };

async function main() {
    await jobs.waitUntilReady();
    await nobody.waitUntilReady();
    console.log('ready');

    for await (const line of readline.createInterface(
        { input: process.stdin })) {
        const [name, ...words] = line.trim().split(' ');
        const figures = await commands[name](...words.map(Number));
        console.log('figures', figures.map(Math.round).join(' '));
    }

    await jobs.close();
    await nobody.close();
}


main().catch((error) => {
    console.error(error);
    process.exit(1);
});
