/*
 * A call's packets, as the API streams them: lines of JSON in order, with
 * lines {"gap": {"from", "to"}} between.  Reads no more than it shows.
 */

import { el, setHidden, setText } from './dom.js';
import { number, range, time } from './format.js';

const SHOWN = 300;
const TEXT = 400;               /* characters of a packet */


export class Packets {
    /* call() gives the call, button is the one that shows them. */
    constructor(api, call, button) {
        this.api = api;
        this.call = call;
        this.button = button;
        this.body = el('tbody');
        this.note = el('p', { class: 'note' });
        this.node = el('section', { class: 'packets-list', hidden: true },
            el('h3', {}, 'Packets'),
            el('table', {}, el('thead', {}, el('tr', {},
                el('th', { scope: 'col' }, 'Sequence'),
                el('th', { scope: 'col' }, 'Received'),
                el('th', { scope: 'col' }, 'Data'))), this.body),
            this.note);
        this.control = null;
    }


    stop() {
        this.control?.abort();
        this.control = null;
    }


    async toggle() {
        const show = this.node.hidden;

        this.stop();
        setHidden(this.node, !show);
        setText(this.button, show ? 'Hide packets' : 'Show packets');
        if (show) {
            await this.read();
            this.node.scrollIntoView({ block: 'nearest' });
        }
    }


    async read() {
        const control = new AbortController();
        let shown = 0;

        this.control = control;
        this.body.replaceChildren();
        setText(this.note, 'Reading…');

        for await (const line of this.lines(control.signal)) {
            if (shown === SHOWN) {
                setText(this.note,
                        `The first ${number(SHOWN)}; save them to have all.`);
                control.abort();
                return;
            }
            this.body.append(rowOf(line));
            shown++;
        }
        setText(this.note, shown ? '' : 'There is none.');
    }


    async* lines(signal) {
        const reply = await this.open(signal);
        const reader = reply.body.pipeThrough(new TextDecoderStream())
            .getReader();
        let rest = '';

        while (true) {
            const { done, value } = await reader.read();
            if (done) {
                return;
            }
            const lines = (rest + value).split('\n');
            rest = lines.pop();
            for (const line of lines) {
                yield JSON.parse(line);
            }
        }
    }


    open(signal) {
        return this.api.fetch('GET',
            `/api/v1/calls/${this.call().id}/packets`, { signal });
    }


    async save() {
        const name = this.call().callId.replace(/[^\w.-]+/g, '_');
        const url = URL.createObjectURL(await (await this.open()).blob());

        el('a', { href: url, download: `${name}.ndjson` }).click();
        setTimeout(() => URL.revokeObjectURL(url), 60000);
    }
}


function rowOf(line) {
    if (line.gap !== undefined) {
        const { from, to } = line.gap;
        return el('tr', { class: 'gap' },
            el('td', {}, range([from, to + 1])),
            el('td', { colspan: '2' }, `${number(to - from + 1)} missing`));
    }

    return el('tr', {}, el('td', {}, number(line.sequence)),
        el('td', {}, time(Date.parse(line.received_at))),
        el('td', {}, line.data.slice(0, TEXT)
                     + (line.data.length > TEXT ? '…' : '')));
}
