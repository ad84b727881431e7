/*
 * The public API with a session of its own.  Tokens live in this page and in
 * sessionStorage, nowhere else.  A refresh token is good once; a tab that was
 * duplicated has the same one, so tabs take turns and tell each other.
 */

const KEY = 'voicegate.session';
const EARLY_MS = 60000;         /* renew a token so long before its end */


export class ApiError extends Error {
    constructor(status, code, message, retryAfter) {
        super(message);
        this.status = status;
        this.code = code;
        this.retryAfter = retryAfter;
    }
}


export class Api {
    constructor(onEnd) {
        this.onEnd = onEnd;     /* called when the session is over, and why,
                                   unless by the user */
        this.session = load();
        this.renewing = null;
        this.channel = new BroadcastChannel(KEY);
        this.channel.onmessage = ({ data }) => this.adopt(data);
    }


    get loggedIn() {
        return this.session !== null;
    }


    async login(email, password) {
        this.keep(await this.send('POST', '/api/v1/auth/login',
                                  { body: { email, password } }));
    }


    async logout() {
        await this.post('/api/v1/auth/logout').catch(() => {});
        this.drop();
    }


    /* The data of a reply. */
    async get(path, query) {
        return (await this.whole('GET', path, { query })).data;
    }


    /* The whole reply, with its pagination. */
    page(path, query) {
        return this.whole('GET', path, { query });
    }


    /* What answers without the common shape around it. */
    flat(path) {
        return this.whole('GET', path);
    }


    async post(path, body) {
        return (await this.whole('POST', path, { body })).data;
    }


    async whole(method, path, options) {
        const reply = await this.fetch(method, path, options);

        return reply.status === 204 ? { data: null } : reply.json();
    }


    /* A reply as it comes; a token that has just ended is renewed once. */
    async fetch(method, path, options = {}) {
        if (this.session !== null
            && this.session.expiresAt - Date.now() < EARLY_MS)
        {
            await this.renew();
        }

        try {
            return await this.request(method, path, options);
        } catch (error) {
            if (error.status !== 401 || this.session === null) {
                throw error;
            }
        }

        await this.renew();

        return this.request(method, path, options);
    }


    async request(method, path, { query, body, headers, signal }) {
        const reply = await fetch(path + queryString(query), {
            method,
            signal,
            cache: 'no-store',
            credentials: 'omit',
            headers: {
                ...(this.session
                    && { Authorization: `Bearer ${this.session.token}` }),
                ...(body !== undefined
                    && { 'Content-Type': 'application/json' }),
                ...headers,
            },
            body: body === undefined ? undefined : JSON.stringify(body),
        });

        if (!reply.ok) {
            throw await refusal(reply);
        }

        return reply;
    }


    /* One renewal at a time, in this tab and among tabs. */
    renew() {
        this.renewing ??= this.renewInTurn()
            .finally(() => { this.renewing = null; });

        return this.renewing;
    }


    async renewInTurn() {
        const former = this.session;

        await locked(async () => {
            /* what another tab got meanwhile is on its way to us */
            await new Promise((resolve) => { setTimeout(resolve, 50); });
            if (this.session !== former || former === null) {
                return;
            }

            try {
                this.keep(await this.send('POST', '/api/v1/auth/refresh',
                    { body: { refresh_token: former.refreshToken } }));
                this.channel.postMessage({ former: former.refreshToken,
                                           session: this.session });
            } catch (error) {
                if (error.status >= 400 && error.status < 500
                    && error.status !== 429)
                {
                    this.drop('The session has ended. Please log in again.');
                }
                throw error;
            }
        });
    }


    async send(method, path, options) {
        const reply = await this.request(method, path, options);

        return (await reply.json()).data;
    }


    keep(data) {
        this.set({
            token: data.tokens.access_token,
            refreshToken: data.tokens.refresh_token,
            expiresAt: Date.now() + data.tokens.expires_in * 1000,
            email: data.user.email,
            tenant: data.tenant.business_name,
            role: data.role ?? data.user.role ?? null,
        });
    }


    adopt({ former, session }) {
        if (this.session?.refreshToken === former) {
            this.set(session);
        }
    }


    set(session) {
        this.session = session;
        sessionStorage.setItem(KEY, JSON.stringify(session));
    }


    drop(why = '') {
        this.session = null;
        sessionStorage.removeItem(KEY);
        this.onEnd(why);
    }
}


function load() {
    try {
        return JSON.parse(sessionStorage.getItem(KEY));
    } catch {
        return null;
    }
}


/* Locks exist on pages of a secure origin, localhost among them. */
function locked(work) {
    return navigator.locks === undefined
        ? work() : navigator.locks.request(KEY, work);
}


function queryString(query) {
    const parts = Object.entries(query ?? {})
        .filter(([, value]) => value !== undefined && value !== '');

    return parts.length ? `?${new URLSearchParams(parts)}` : '';
}


async function refusal(reply) {
    const body = await reply.json().catch(() => ({}));
    /* the flat shape has its code beside the text */
    const error = typeof body.error === 'object' && body.error !== null
        ? body.error : { code: body.error, message: body.detail };

    return new ApiError(reply.status, error.code ?? 'HTTP_ERROR',
        typeof error.message === 'string' ? error.message
            : `The server answered ${reply.status}.`,
        Number(reply.headers.get('Retry-After')) || 0);
}
