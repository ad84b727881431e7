/* Ranges of sequences and their picture. */

import test from 'node:test';
import assert from 'node:assert/strict';

import * as ranges from '../../web/console/ranges.js';


test('neighbours are one range', () => {
    assert.deepEqual(ranges.fromSequences([0, 1, 2, 5, 7, 8]),
                     [[0, 3], [5, 6], [7, 9]]);
    assert.deepEqual(ranges.fromClosed([[0, 2], [5, 5]]), [[0, 3], [5, 6]]);
    assert.equal(ranges.count([[0, 3], [5, 6]]), 4);
});


test('one that came splits its range', () => {
    assert.deepEqual(ranges.without([[0, 5], [7, 8]], 2),
                     [[0, 2], [3, 5], [7, 8]]);
    assert.deepEqual(ranges.without([[0, 5], [7, 8]], 7), [[0, 5]]);
    assert.deepEqual(ranges.without([[0, 5]], 9), [[0, 5]]);
});


test('what is behind is added, and joined where it touches', () => {
    assert.deepEqual(ranges.append([[0, 2]], 2, 4), [[0, 4]]);
    assert.deepEqual(ranges.append([[0, 2]], 3, 4), [[0, 2], [3, 4]]);
    assert.deepEqual(ranges.append([[0, 2]], 4, 4), [[0, 2]]);
});


test('columns know how much of them is missing', () => {
    assert.deepEqual([...ranges.cover([[0, 1], [5, 10]], 10, 5)],
                     [0.5, 0, 0.5, 1, 1]);
});


test('one packet of a million is seen', () => {
    assert.match(ranges.path([[500000, 500001]], 1e6, 100, 10, 0.5),
                 /^M50 0h1v5h-1z$/);
});


test('a path has no more bars than columns', () => {
    const all = Array.from({ length: 5000 }, (_, i) => [2 * i, 2 * i + 1]);
    const path = ranges.path(all, 10000, 160, 10, 0.5);

    assert.ok(path.split('M').length - 1 <= 160);
});


test('without an end the axis has room and doubles', () => {
    assert.deepEqual([0, 31, 32, 63, 64].map((n) =>
        ranges.axis(n, null, false)), [32, 32, 64, 64, 128]);
    assert.equal(ranges.axis(40, 50, false), 50);
    assert.equal(ranges.axis(40, null, true), 40);
});
