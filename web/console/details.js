/* The pane of one call: figures, gaps, content, history, what can be done. */

import { el, setAttribute, setHidden, setText } from './dom.js';
import { STATE_WORDS, duration, number, range, score, time }
    from './format.js';
import { History } from './history.js';
import { Sentiment } from './list.js';
import { lasted } from './model.js';
import { Packets } from './packets.js';
import { Strip, missingCount, missingRanges } from './strip.js';

const COLUMNS = 480;            /* of the strip */
const GAPS = 12;                /* written out */


export class Details {
    /* What happens elsewhere: close(), changed(callId), notice(text). */
    constructor(node, api, on) {
        this.node = node;
        this.api = api;
        this.on = on;
        this.call = null;
        this.parts = null;
    }


    show(call) {
        const same = call !== null && call?.callId === this.call?.callId;

        if (!same) {
            this.leave();
            this.call = call ?? null;
            if (this.call !== null) {
                this.build();
            }
        }
        setHidden(this.node, this.call === null);
        if (this.call !== null) {
            this.update(call);
            if (!same) {
                this.heading.focus();
            }
        }
    }


    leave() {
        if (this.audio?.src) {
            URL.revokeObjectURL(this.audio.src);
        }
        this.packets?.stop();
        this.node.replaceChildren();
        this.audio = null;
        this.packets = null;
    }


    build() {
        this.heading = el('h2', { tabindex: '-1', class: 'call-name' },
                          this.call.callId);
        this.state = el('span', { class: 'state' });
        this.reason = el('p', { class: 'failure' });
        this.strip = new Strip(COLUMNS);
        this.end = el('span');
        this.gaps = el('p', { class: 'gaps' });
        this.facts = new Facts();
        this.sentiment = new Sentiment();
        this.method = el('p', { class: 'method' });
        this.summary = el('p', { class: 'summary' });
        this.text = el('p', { class: 'transcript', tabindex: '0' });
        this.history = new History(this.api);
        this.buildActions();

        const part = (title, ...children) =>
            el('section', {}, el('h3', {}, title), ...children);
        this.mood = part('Sentiment', this.sentiment.node, this.method);
        this.short = part('Summary', this.summary);
        this.long = part('Transcript', this.text);

        this.node.replaceChildren(
            el('header', { class: 'details-head' },
               el('div', {}, this.heading, this.state),
               el('button', { type: 'button', class: 'quiet close',
                   'aria-label': 'Close', onclick: () => this.on.close() },
                  '✕')),
            this.reason, this.actions,
            part('Packets', this.strip.node,
                 el('p', { class: 'axis' }, el('span', {}, '0'), this.end),
                 this.gaps),
            this.facts.node, this.sound, this.mood, this.short, this.long,
            part('History', this.history.node), this.packetsNode);
    }


    buildActions() {
        const button = (text, f, kind) => el('button',
            { type: 'button', class: kind, onclick: () => this.busy(f) },
            text);

        this.redriveButton = button('Process again',
                                    () => this.redrive(), 'primary');
        this.playButton = button('Play recording', () => this.play());
        this.packetsButton = button('Show packets',
                                    () => this.packets.toggle());
        this.saveButton = button('Save packets', () => this.packets.save());
        this.actions = el('div', { class: 'actions' }, this.redriveButton,
            this.playButton, this.packetsButton, this.saveButton);
        this.audio = el('audio', { controls: true });
        this.sound = el('div', { class: 'sound', hidden: true }, this.audio);
        this.packets = new Packets(this.api, () => this.call,
                                   this.packetsButton);
        this.packetsNode = this.packets.node;
    }


    /* One thing at a time; what goes wrong is said. */
    async busy(f) {
        if (this.working) {
            return;
        }

        this.working = true;
        setAttribute(this.actions, 'aria-busy', 'true');
        try {
            await f();
        } catch (error) {
            this.on.notice(error.message);
        } finally {
            this.working = false;
            setAttribute(this.actions, 'aria-busy', null);
        }
    }


    async redrive() {
        const { call } = this;
        const { runs_at: at } = await this.api.post(
            `/api/v1/calls/${call.id}/process`);

        this.on.notice(Date.parse(at) > Date.now() + 1000
            ? `${call.callId} is processed again at ${time(Date.parse(at))}.`
            : `${call.callId} is being processed again.`);
    }


    async play() {
        const { audio, call } = this;

        if (!audio.src) {
            const reply = await this.api.fetch('GET',
                `/api/v1/calls/${call.id}/recording`);
            const blob = await reply.blob();
            if (this.audio !== audio) {
                return;
            }
            audio.src = URL.createObjectURL(blob);
        }
        setHidden(this.sound, false);
        /* without a device there is the player, not the sound */
        await audio.play().catch(() => {});
    }


    update(call) {
        if (call === undefined || this.call === null) {
            return;
        }

        this.call = call;
        setText(this.state, STATE_WORDS[call.state] ?? call.state);
        setAttribute(this.state, 'data-state', call.state);
        setHidden(this.reason, call.state !== 'FAILED');
        setText(this.reason, call.failureReason ?? '');
        this.strip.update(call);
        setText(this.end, number(Math.max(0, this.strip.span - 1)));
        setText(this.gaps, gapText(call));
        this.facts.update(call);
        this.updateContent(call);
        setHidden(this.redriveButton,
                  call.state !== 'FAILED' || call.id === null);
        setHidden(this.playButton, !call.recording);
        setHidden(this.packetsButton, call.id === null);
        setHidden(this.saveButton, call.id === null);
        this.history.update(call);
    }


    updateContent(call) {
        const figures = [call.score === null ? null
            : `score ${score(call.score)}`,
        call.confidence === null ? null
            : `confidence ${Math.round(call.confidence * 100)} %`,
        call.method && `by ${call.method}`];

        this.sentiment.update(call);
        setText(this.method, figures.filter(Boolean).join(' · '));
        setHidden(this.mood, call.sentiment === null);
        setText(this.summary, call.summary ?? '');
        setHidden(this.short, !call.summary);
        setText(this.text, (call.transcription ?? call.excerpt)
                           || 'Nothing was said.');
        setHidden(this.long, call.transcription === null
                             && call.excerpt === null);
    }


    tick(now) {
        if (this.call !== null) {
            this.facts.tick(this.call, now);
        }
    }
}


function gapText(call) {
    const ranges = missingRanges(call);
    const missing = missingCount(call);

    if (missing === 0) {
        return call.next === 0 ? 'No packet yet.' : 'None is missing.';
    }

    const named = ranges.slice(0, GAPS).map(range).join(', ');
    const more = ranges.length > GAPS || !call.exact ? ', …' : '';

    return `${number(missing)} missing: ${named}${more}`;
}


/* A list of names and values; those without a value are not shown. */
class Facts {
    constructor() {
        this.node = el('dl', { class: 'facts' });
        this.rows = new Map();
    }


    update(call) {
        const talk = call.talkMs === null ? null
            : `${duration(call.talkMs)} talk, `
              + `${duration(call.silenceMs)} silence`;

        this.set('Received', call.expected === null ? number(call.received)
            : `${number(call.received)} of ${number(call.expected)}`);
        this.set('Came twice', call.duplicates ? number(call.duplicates)
            : null);
        this.set('Refused', call.rejected ? number(call.rejected) : null);
        this.set('Began', time(call.startedAt));
        this.set('Ended', call.completedAt === null ? null
            : time(call.completedAt)
              + (call.disposition === 'abandoned' ? ', abandoned' : ''));
        this.tick(call, Date.now());
        this.set('Processed', call.processedAt === null ? null
            : time(call.processedAt));
        this.set('Again from', call.state === 'FAILED' && call.redriveAt
            ? time(call.redriveAt) : null);
        this.set('Speech', talk);
        this.set('Language', call.language === 'und' ? null : call.language);
        this.set('Media', call.media);
        this.set('Drives', call.drive > 1 ? number(call.drive) : null);
    }


    tick(call, now) {
        this.set('Lasted', duration(lasted(call, now)));
    }


    set(name, value) {
        let row = this.rows.get(name);

        if (row === undefined) {
            row = el('dd');
            row.parent = el('div', {}, el('dt', {}, name), row);
            this.rows.set(name, row);
            this.node.append(row.parent);
        }
        setHidden(row.parent, value === null);
        setText(row, value ?? '');
    }
}
