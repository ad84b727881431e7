/* Moves of a call and tries to have it processed, in their order. */

import { el, setText } from './dom.js';
import { STATE_WORDS, duration, time } from './format.js';

const MOST = 100;
const WAIT_MS = 300;


export class History {
    constructor(api) {
        this.api = api;
        this.list = el('ol', { class: 'history' });
        this.note = el('p', { class: 'note' });
        this.node = el('div', {}, this.list, this.note);
        this.timer = null;
        this.busy = false;
    }


    /* Reads it anew where something has happened since. */
    update(call) {
        this.call = call;
        if (call.historyStale && call.id !== null && this.timer === null
            && !this.busy)
        {
            this.timer = setTimeout(() => this.load(), WAIT_MS);
        }
    }


    async load() {
        const { call } = this;

        this.timer = null;
        this.busy = true;
        call.historyStale = false;

        try {
            const path = `/api/v1/calls/${call.id}/events`;
            const first = await this.api.page(path, { page_size: MOST });
            const pages = first.pagination.total_pages;
            const reply = pages > 1
                ? await this.api.page(path, { page: pages, page_size: MOST })
                : first;
            this.list.replaceChildren(...reply.data.map(line));
            setText(this.note, pages > 1
                ? 'Older entries are not shown.' : '');
        } catch (error) {
            setText(this.note, error.message);
        } finally {
            this.busy = false;
            this.update(this.call);
        }
    }
}


function line(entry) {
    const at = Date.parse(entry.at);
    const text = entry.kind === 'try' ? tryText(entry) : moveText(entry);

    return el('li', { class: `entry entry-${entry.kind}`,
        'data-state': entry.kind === 'move' ? entry.to_state
            : entry.outcome === 'failed' ? 'FAILED' : null },
    el('time', { datetime: entry.at }, time(at)),
    el('span', {}, text,
       entry.reason ? el('small', {}, entry.reason) : null));
}


function moveText(entry) {
    const word = (name) => STATE_WORDS[name] ?? name;

    return entry.from_state
        ? `${word(entry.from_state)} → ${word(entry.to_state)}`
        : word(entry.to_state);
}


function tryText(entry) {
    const where = entry.drive > 1 ? ` of drive ${entry.drive}` : '';
    const how = { done: 'done', failed: 'failed' }[entry.outcome]
        ?? 'under way';
    const took = entry.ended_at
        ? `, ${duration(Date.parse(entry.ended_at) - Date.parse(entry.at))}`
        : '';

    return `Try ${entry.try}${where}: ${how}${took}`
        + (entry.provider ? ` (${entry.provider})` : '');
}
