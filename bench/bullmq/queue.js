'use strict';

// The queue as worker and client have it.

const port = Number(process.env.BENCH_REDIS_PORT);
const base = Number(process.env.BENCH_BASE);

module.exports = {
    connection: { host: '127.0.0.1', port, db: base,
        maxRetriesPerRequest: null },
    // a result is kept for an hour, or not at all
    kept: { removeOnComplete: process.env.BENCH_RESULTS === '1'
        ? { age: 3600 } : { count: 0 } }
};
