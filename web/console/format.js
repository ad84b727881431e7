/* How figures and times are written. */

const clock = new Intl.DateTimeFormat(undefined,
    { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat(undefined,
    { day: 'numeric', month: 'short' });
const whole = new Intl.NumberFormat(undefined);

export const STATE_WORDS = {
    IN_PROGRESS: 'In progress',
    COMPLETED: 'Completed',
    PROCESSING_AI: 'Processing',
    ARCHIVED: 'Archived',
    FAILED: 'Failed',
};


export function number(n) {
    return n === null || n === undefined ? '–' : whole.format(n);
}


/* The time of a day, with the day where it is not today's. */
export function time(ms) {
    if (ms === null || ms === undefined || ms === 0) {
        return '–';
    }

    const at = new Date(ms);
    const today = new Date();

    return at.toDateString() === today.toDateString()
        ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}


/* 4:05, 1:02:07. */
export function duration(ms) {
    if (ms === null || ms === undefined) {
        return '–';
    }

    const seconds = Math.max(0, Math.round(ms / 1000));
    const two = (n) => String(n).padStart(2, '0');
    const [h, m, s] = [Math.floor(seconds / 3600),
        Math.floor(seconds / 60) % 60, seconds % 60];

    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}


/* A score from -1 to 1 with its sign. */
export function score(value) {
    return (value > 0 ? '+' : value < 0 ? '−' : '')
        + Math.abs(value).toFixed(2);
}


/* [3, 4) is "3", [3, 7) is "3–6". */
export function range([from, to]) {
    return to - from === 1 ? number(from)
        : `${number(from)}–${number(to - 1)}`;
}
