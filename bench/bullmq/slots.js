'use strict';

// When each job began: nanoseconds of the monotonic clock in a file that the
// workers and the client share.

const fs = require('fs');

const file = fs.openSync(process.env.BENCH_SLOTS,
    fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
const cell = Buffer.alloc(8);

module.exports = {
    begun(seq) {
        cell.writeBigInt64LE(process.hrtime.bigint());
        fs.writeSync(file, cell, 0, 8, 8 * seq);
    },

    forget() {
        fs.ftruncateSync(file, 0);
    },

    // The first from there on that has not begun.
    upTo(from) {
        const some = Buffer.alloc(8 * 4096);
        const size = fs.readSync(file, some, 0, some.length, 8 * from);
        let i = 0;

        while (8 * i < size && some.readBigInt64LE(8 * i) !== 0n) {
            i++;
        }

        return from + i;
    },

    // Microseconds of the first n; 0: not begun.
    read(n) {
        const all = Buffer.alloc(8 * n);    // what was never written is 0

        fs.readSync(file, all, 0, 8 * n, 0);

        return Array.from({ length: n },
            (_, i) => Number(all.readBigInt64LE(8 * i)) / 1000);
    }
};
