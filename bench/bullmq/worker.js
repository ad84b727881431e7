'use strict';

// One worker process of BullMQ: trivial work.

const { Worker } = require('bullmq');

const { connection, kept } = require('./queue');
const slots = require('./slots');

const worker = new Worker('jobs', async (job) => {
    slots.begun(job.data.seq);
    return { seq: job.data.seq };
}, { connection, concurrency: Number(process.env.BENCH_CONCURRENCY), ...kept });

worker.on('error', (error) => console.error(error.message));
process.on('SIGTERM', () => worker.close().then(() => process.exit(0)));
