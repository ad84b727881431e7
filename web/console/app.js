/* The page: logs in, holds model, list and stream together. */

import { Api } from './api.js';
import { Buffer } from './buffer.js';
import { Details } from './details.js';
import { el, setAttribute, setHidden, setText } from './dom.js';
import { STATE_WORDS, number } from './format.js';
import { List } from './list.js';
import { Model, STATES } from './model.js';
import { Stream } from './stream.js';
import { Sync } from './sync.js';

const MOST = 1000;              /* calls on the page */
const STREAM = '/api/v1/calls/stream';
const NOTICE_MS = 8000;
const REFRESH_MS = 10000;       /* the list, while there is no stream */
const FRAME_MS = 100;           /* between drawings, at least */
const CHECK_MS = 60000;         /* whether the stream hears */

const CONNECTIONS = {
    connecting: 'Connecting',
    syncing: 'Catching up',
    live: 'Live',
    reconnecting: 'Reconnecting',
};

const $ = (id) => document.getElementById(id);

const page = {
    filter: { states: new Set(), text: '', sentiment: '' },
    changed: new Set(),         /* ids of calls to draw; null: all */
    refreshedAt: 0,
    waiting: false,             /* for a frame */
    drawnAt: 0,
    buffer: null,               /* events while the list stands still */
    model: null,
    open: null,
    calls: [],                  /* as they stand in the list */
};

const api = new Api(showLogin);
const list = new List($('calls'), openCall);
const details = new Details($('details'), api, {
    close: () => openCall(null),
    changed: (id) => draw(id),
    notice,
});

let sync;
let stream;


start();


function start() {
    wireLogin();
    wireTools();
    wireFilters();

    if (api.loggedIn) {
        showConsole();
    } else {
        showLogin();
    }
}


/* --- login -------------------------------------------------------------- */

function wireLogin() {
    $('login-form').addEventListener('submit', async (event) => {
        const form = event.target;
        const button = form.querySelector('button');

        event.preventDefault();
        setText($('login-error'), '');
        button.disabled = true;

        try {
            await api.login($('email').value, $('password').value);
            form.reset();
            showConsole();
        } catch (error) {
            setText($('login-error'), loginError(error));
            $('password').select();
        } finally {
            button.disabled = false;
        }
    });

    $('logout').addEventListener('click', () => api.logout());
}


function loginError(error) {
    if (error.status === undefined) {
        return 'The server cannot be reached.';
    }

    return error.retryAfter
        ? `${error.message} Try again in ${error.retryAfter} s.`
        : error.message;
}


function showLogin(why = '') {
    stream?.stop();
    sync?.stop();
    details.show(null);
    list.show([], null);
    page.model = null;
    page.open = null;
    page.calls = [];
    $('console').hidden = true;
    $('login').hidden = false;
    setText($('login-error'), why);
    $('email').focus();
}


function showConsole() {
    $('login').hidden = true;
    $('console').hidden = false;
    setText($('tenant'), api.session.tenant ?? '');
    setAttribute($('logout'), 'title', api.session.email);

    page.model = new Model(MOST);
    page.buffer = null;
    sync = new Sync(api, page.model, draw);
    stream = makeStream();
    showPause();
    draw(null);
    refresh();
    stream.start();
}


/* --- what comes in ------------------------------------------------------ */

function makeStream() {
    return new Stream(STREAM, {
        ticket: async () =>
            (await api.post('/api/v1/stream-tickets',
                            { stream: 'stream_supervisor' })).ticket,
        open: (url) => new EventSource(url),
        after: (ms, f) => setTimeout(f, ms),
        cancel: (timer) => clearTimeout(timer),
        onState: showConnection,
        onEvent: take,
        resync: (reason) => resync(reason),
        onRefused: (error) => api.drop(error.message),
    });
}


/* The list without the stream: at the beginning, and while there is none. */
function refresh() {
    page.refreshedAt = Date.now();
    sync.all().catch(() => {});
}


/* While the list stands still, what is new is asked for at its end. */
async function resync(reason) {
    if (page.buffer !== null) {
        page.buffer.overflowed = true;
        return;
    }

    await sync.all();
    if (reason === 'gap') {
        notice('Events were missed and have been read anew.');
    }
}


function take(event) {
    if (page.buffer !== null) {
        page.buffer.push(event);
        schedule();
        return;
    }

    const call = page.model.event(event, Date.now());
    if (call !== null) {
        draw(call.callId);
    }
}


function showConnection(state) {
    setAttribute($('connection'), 'data-state', state);
    setText($('connection-text'), CONNECTIONS[state]);
}


/* --- drawing ------------------------------------------------------------ */

/* A call is to be drawn; null: the whole list. */
function draw(callId) {
    if (callId === null) {
        page.changed = null;
    } else {
        page.changed?.add(callId);
    }
    schedule();
}


/* In the next frame, unless the last drawing was a moment ago. */
function schedule() {
    if (page.waiting) {
        return;
    }

    page.waiting = true;
    setTimeout(() => requestAnimationFrame(render),
               page.drawnAt + FRAME_MS - performance.now());
}


function render() {
    page.waiting = false;
    page.drawnAt = performance.now();
    if (page.model === null) {
        return;
    }

    if (page.buffer !== null) {
        setText($('held'), number(page.buffer.count));
        setHidden($('held'), page.buffer.count === 0);
        if (page.changed !== null) {
            return;
        }
    }

    const { changed } = page;
    if (page.open !== null && !page.model.calls.has(page.open)) {
        openCall(null);         /* it was erased, or made room */
    }
    page.changed = new Set();
    page.calls = page.model.visible(page.filter);
    list.show(page.calls, changed);

    showStates();
    showShown();
    if (page.open !== null
        && (changed === null || changed.has(page.open)))
    {
        details.update(page.model.calls.get(page.open));
    }
    sync.clear();
}


function showStates() {
    const totals = page.model.totals();

    for (const name of STATES) {
        setText($(`total-${name}`), number(totals[name]));
    }
}


function showShown() {
    const all = page.model.calls.size;
    const some = page.calls.length;

    setText($('shown'), some === all ? `${number(all)} calls`
        : `${number(some)} of ${number(all)} calls`);
    setAttribute($('calls'), 'aria-busy', sync.loaded ? null : 'true');
    setHidden($('empty'), some > 0 || !sync.loaded);
    setText($('empty'), all === 0
        ? 'No calls yet. They appear here with their first packet.'
        : 'No call fits the filter.');
}


function tick() {
    if (page.model === null || document.hidden) {
        return;
    }

    const now = Date.now();
    if ($('connection').dataset.state === 'reconnecting'
        && page.buffer === null && now - page.refreshedAt > REFRESH_MS)
    {
        refresh();
    }
    setText($('rate'), number(Math.round(page.model.rate(now))));
    if (page.buffer === null) {
        list.tick(page.calls, now);
        details.tick(now);
    }
}


/* A stream that is open and brings nothing is opened anew. */
async function check() {
    if (page.model !== null && page.buffer === null
        && $('connection').dataset.state === 'live'
        && await sync.deaf().catch(() => false))
    {
        stream.again();
    }
}


/* --- tools -------------------------------------------------------------- */

function wireTools() {
    $('pause').addEventListener('click', () =>
        page.buffer === null ? pause() : resume());

    $('theme').addEventListener('click', () => {
        const root = document.documentElement;
        const dark = root.dataset.theme === undefined
            ? matchMedia('(prefers-color-scheme: dark)').matches
            : root.dataset.theme === 'dark';
        root.dataset.theme = dark ? 'light' : 'dark';
        localStorage.setItem('voicegate.theme', root.dataset.theme);
    });

    addEventListener('online', () => stream?.kick());
    document.addEventListener('visibilitychange', () => {
        if (!document.hidden) {
            stream?.kick();
            tick();
        }
    });
    document.addEventListener('keydown', keys);
    setInterval(tick, 1000);
    setInterval(check, CHECK_MS);
}


function pause() {
    page.buffer = new Buffer();
    showPause();
}


async function resume() {
    const { buffer } = page;

    page.buffer = null;
    showPause();
    buffer.drain().forEach(take);
    draw(null);

    if (buffer.overflowed) {
        showConnection('syncing');
        await sync.all().catch(() => stream.again());
        showConnection(stream.source === null ? 'reconnecting' : 'live');
    }
}


function showPause() {
    const paused = page.buffer !== null;

    setAttribute($('pause'), 'aria-pressed', String(paused));
    setText($('pause-text'), paused ? 'Resume' : 'Pause');
    setText($('held'), '0');
    setHidden($('held'), true);
    setAttribute($('console'), 'data-paused', paused ? 'true' : null);
}


function keys(event) {
    const typing = event.target.closest?.('input, select, textarea');

    if (event.key === 'Escape' && page.open !== null) {
        openCall(null);
    } else if (event.key === '/' && !typing && page.model !== null) {
        event.preventDefault();
        $('text').focus();
    }
}


/* A word to the user that goes by itself. */
function notice(text) {
    const node = el('p', { class: 'notice' }, text);

    $('notices').append(node);
    setTimeout(() => node.remove(), NOTICE_MS);
}


/* --- filter ------------------------------------------------------------- */

function wireFilters() {
    for (const name of STATES) {
        $('states').append(el('button', {
            type: 'button', class: 'tile', 'data-state': name,
            'aria-pressed': 'false',
            onclick: (event) => toggleState(name, event.currentTarget),
        }, el('b', { id: `total-${name}` }, '0'),
        el('span', {}, STATE_WORDS[name])));
    }

    $('text').addEventListener('input', (event) => {
        page.filter.text = event.target.value;
        draw(null);
    });
    $('sentiment').addEventListener('change', (event) => {
        page.filter.sentiment = event.target.value;
        draw(null);
    });
}


function toggleState(name, tile) {
    const { states } = page.filter;

    if (!states.delete(name)) {
        states.add(name);
    }
    tile.setAttribute('aria-pressed', String(states.has(name)));
    draw(null);
}


/* --- one call ----------------------------------------------------------- */

function openCall(callId) {
    const former = page.open;

    page.open = callId;
    sync.open = callId;
    list.mark(callId);
    setAttribute($('console'), 'data-open', callId === null ? null : 'true');
    details.show(callId === null ? null : page.model.calls.get(callId));

    if (callId === null && former !== null) {
        list.focus(former);
    } else if (callId !== null) {
        /* lists have no whole transcript */
        sync.one(callId).catch((error) => notice(error.message));
    }
}
