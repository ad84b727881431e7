/*
 * Ranges of sequences, [from, to) each, sorted and apart, and how they are
 * drawn on a strip.  Nothing here touches the page.
 */

/* Of a sorted list of sequences. */
export function fromSequences(list) {
    const ranges = [];

    for (const n of list) {
        const last = ranges[ranges.length - 1];
        if (last !== undefined && last[1] === n) {
            last[1] = n + 1;
        } else {
            ranges.push([n, n + 1]);
        }
    }

    return ranges;
}


/* Of [from, to] with both ends in it, as the API writes them. */
export function fromClosed(list) {
    return list.map(([from, to]) => [from, to + 1]);
}


export function count(ranges) {
    return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}


/* With [from, to), which lies behind all others, added. */
export function append(ranges, from, to) {
    if (from >= to) {
        return ranges;
    }

    const last = ranges[ranges.length - 1];
    if (last !== undefined && last[1] === from) {
        return [...ranges.slice(0, -1), [last[0], to]];
    }

    return [...ranges, [from, to]];
}


/* Without the sequence n. */
export function without(ranges, n) {
    const out = [];

    for (const [from, to] of ranges) {
        if (n < from || n >= to) {
            out.push([from, to]);
            continue;
        }
        if (from < n) {
            out.push([from, n]);
        }
        if (n + 1 < to) {
            out.push([n + 1, to]);
        }
    }

    return out;
}


/* What of them lies in [from, to). */
export function within(ranges, from, to) {
    return ranges
        .map(([a, b]) => [Math.max(a, from), Math.min(b, to)])
        .filter(([a, b]) => a < b);
}


/*
 * How much of each of n equal columns of [0, span) the ranges cover, 0 to 1.
 * A column is wide where there are more sequences than columns, so no range
 * is too small to be seen.
 */
export function cover(ranges, span, n) {
    const columns = new Float32Array(n);
    const width = span / n;

    for (const [from, to] of ranges) {
        const first = Math.max(0, Math.floor(from / width));
        const last = Math.min(n - 1, Math.ceil(to / width) - 1);

        for (let i = first; i <= last; i++) {
            const part = Math.min(to, (i + 1) * width)
                - Math.max(from, i * width);
            columns[i] = Math.min(1, columns[i] + Math.max(0, part) / width);
        }
    }

    return columns;
}


/*
 * An SVG path of the ranges over [0, span) in a box of the given width and
 * height: bars from the top, as high as the column is covered, the lowest
 * being "least" of the height.
 */
export function path(ranges, span, width, height, least) {
    if (span <= 0 || ranges.length === 0) {
        return '';
    }

    const n = Math.max(1, Math.min(width, Math.ceil(span)));
    const step = width / n;
    const columns = cover(ranges, span, n);
    let out = '';

    for (let i = 0; i < n; i++) {
        if (columns[i] === 0) {
            continue;
        }

        let j = i + 1;
        while (j < n && columns[j] === columns[i]) {
            j++;
        }

        const tall = round(height * Math.max(least, columns[i]));
        out += `M${round(i * step)} 0h${round((j - i) * step)}v${tall}`
            + `h${round((i - j) * step)}z`;
        i = j - 1;
    }

    return out;
}


/* The axis of a call that may go on: room that fills and doubles. */
export function axis(next, expected, ended) {
    if (ended || expected !== null) {
        return Math.max(next, expected ?? 0);
    }

    return Math.max(32, 2 ** Math.ceil(Math.log2(next + 1)));
}


function round(x) {
    return Math.round(x * 100) / 100;
}
