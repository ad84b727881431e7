/*
 * Keeps the model true beside the stream: reads lists and missed events
 * anew, asks for calls that an event left unclear, and looks now and then
 * whether the stream is deaf.
 */

const PAGE = 100;
const TYPES = 'call.state_changed,call.ai_completed,call.ai_failed';
const EVENTS = 500;             /* at most in a reply */
const SOON_MS = 400;            /* unclear calls are gathered for */
const MANY = 12;                /* of them: the list is cheaper */
const LATE_MS = 5000;           /* of an event on the stream */


export class Sync {
    /* drawn(callId) after a change; null: everything. */
    constructor(api, model, drawn) {
        this.api = api;
        this.model = model;
        this.drawn = drawn;
        this.loaded = false;    /* a whole list has come once */
        this.open = null;       /* a call of which all is wanted */
        this.timer = null;
        this.busy = false;
        this.stopped = false;
    }


    stop() {
        this.stopped = true;
        clearTimeout(this.timer);
    }


    /* Missed events in their order, then the list. */
    async all() {
        await this.events();
        await this.list();
    }


    async events() {
        const { model } = this;

        /* none was seen: the list tells all that there is */
        while (model.lastId > 0 && !this.stopped) {
            const events = await this.api.get('/api/v1/events', {
                after: model.lastId, types: TYPES, limit: EVENTS,
            });
            for (const event of events) {
                model.stored(event, Date.now());
                model.lastId = Math.max(model.lastId, event.id);
            }
            if (events.length < EVENTS) {
                return;
            }
        }
    }


    async list() {
        const { model } = this;
        const begun = model.clock;
        const seen = new Set();
        let pages = 1;

        for (let page = 1; page <= pages && !this.stopped; page++) {
            const { clock } = model;
            const reply = await this.api.page('/api/v1/calls',
                                              { page, page_size: PAGE });
            for (const item of reply.data) {
                seen.add(item.call_id);
                model.merge(item, clock, Date.now());
            }
            pages = Math.min(reply.pagination.total_pages,
                             Math.ceil(model.cap / PAGE));
            this.drawn(null);
        }

        if (!this.stopped) {
            model.keep(seen, begun);
            this.loaded = true;
            this.drawn(null);
        }
    }


    /* Is there an event that the stream should have brought by now? */
    async deaf() {
        const { model } = this;

        if (model.lastId === 0) {
            return false;
        }

        const [event] = await this.api.get('/api/v1/events',
            { after: model.lastId, types: TYPES, limit: 1 });
        if (event === undefined) {
            return false;
        }

        await new Promise((resolve) => { setTimeout(resolve, LATE_MS); });

        return !this.stopped && model.lastId < event.id;
    }


    /* Asks for what is unclear, soon and together. */
    clear() {
        if (this.model.unclear.size > 0 && this.timer === null
            && !this.busy && !this.stopped)
        {
            this.timer = setTimeout(() => this.ask(), SOON_MS);
        }
    }


    async ask() {
        const ids = [...this.model.unclear];

        this.timer = null;
        this.busy = true;

        try {
            if (ids.length > MANY) {
                await this.list();
                if (ids.includes(this.open)) {
                    await this.one(this.open);
                }
            } else {
                await Promise.all(ids.map((id) => this.one(id)));
            }
        } catch (error) {
            await new Promise((resolve) => {
                setTimeout(resolve, Math.max(1, error.retryAfter ?? 0)
                                    * 1000);
            });
        } finally {
            this.busy = false;
            this.clear();
        }
    }


    async one(callId) {
        const { clock } = this.model;
        let item;

        try {
            item = await this.api.flat(
                `/v1/calls/${encodeURIComponent(callId)}`);
        } catch (error) {
            if (error.status !== 404) {
                throw error;
            }
            this.model.remove(callId);
            this.drawn(null);
            return;
        }

        this.model.merge(item, clock, Date.now());
        this.drawn(callId);
    }
}
