'use strict';

// A Fastify service that does for two operations what the edge does: verifies
// the token, limits by tenant in Redis, checks the role, calls the same SQL
// function in the same way, one prepared statement a request.

const fastify = require('fastify');
const jwt = require('jsonwebtoken');
const Redis = require('ioredis');
const { Pool } = require('pg');
const { RateLimiterRedis } = require('rate-limiter-flexible');
const { createSecretKey, randomUUID } = require('node:crypto');

const settings = JSON.parse(process.env.BENCH_SETTINGS);
const ROLES = new Set(['owner', 'admin', 'supervisor', 'operator', 'viewer']);

// As a string jsonwebtoken would try it as a public key at every token.
const secret = createSecretKey(Buffer.from(settings.secret));

const pool = new Pool({
    host: settings.postgres_host, database: settings.database,
    user: 'voice_edge', password: settings.postgres_password,
    max: settings.connections,
});

const limiter = new RateLimiterRedis({
    storeClient: new Redis({ port: settings.redis_port,
                             password: settings.redis_password,
                             enableOfflineQueue: false }),
    points: 100_000_000, duration: 1, keyPrefix: 'bench',
});

const app = fastify({ logger: false, keepAliveTimeout: 65_000 });


function refuse(reply, status, code) {
    reply.code(status).send({ success: false, error: { code } });
}


app.decorateRequest('claims', null);

app.addHook('onRequest', async (request, reply) => {
    const header = request.headers.authorization;

    if (!header || !header.startsWith('Bearer ')) {
        return refuse(reply, 401, 'AUTH_INVALID_TOKEN');
    }

    try {
        request.claims = jwt.verify(header.slice(7), secret,
            { algorithms: ['HS256'], issuer: 'voicegate' });
    } catch {
        return refuse(reply, 401, 'AUTH_INVALID_TOKEN');
    }

    if (!ROLES.has(request.claims.role)) {
        return refuse(reply, 403, 'AUTH_INSUFFICIENT_PERMISSIONS');
    }

    try {
        await limiter.consume(request.claims.tenant_id);
    } catch (refusal) {
        if (refusal instanceof Error) {
            return refuse(reply, 503, 'SERVICE_UNAVAILABLE');
        }
        reply.header('Retry-After', Math.ceil(refusal.msBeforeNext / 1000));
        return refuse(reply, 429, 'RATE_LIMIT_EXCEEDED');
    }
});


// The row's JSON is sent as PostgreSQL wrote it.
function operation(name) {
    const statement = {
        name,
        text: 'select status, data::text, message, pagination::text'
            + ` from api.${name}(api.enter($1,$2,$3,$4,$5,$6,$7), $8)`,
        rowMode: 'array',
    };

    return async (request, reply) => {
        const id = request.headers['x-request-id'] || randomUUID();
        const claims = request.claims;
        const args = { ...request.query, ...request.params };

        for (const name of ['page', 'page_size']) {
            if (name in args) {
                args[name] = Number(args[name]);
            }
        }

        const result = await pool.query({ ...statement, values: [
            claims.tenant_id, claims.sub, 'user', claims.role, claims.sid,
            id, request.ip, JSON.stringify(args)] });
        const [status, data, , pagination] = result.rows[0];

        reply.code(status).type('application/json')
            .header('X-Request-Id', id);

        return `{"success":true,"data":${data},`
            + (pagination ? `"pagination":${pagination},` : '')
            + `"request_id":"${id}"}`;
    };
}

const params = {
    type: 'object', properties: { id: { type: 'string', format: 'uuid' } },
};
const querystring = {
    type: 'object',
    properties: {
        page: { type: 'integer', minimum: 1 },
        page_size: { type: 'integer', minimum: 1, maximum: 100 },
        sort: { type: 'string', default: '-created_at' },
    },
};

app.get('/api/v1/test-suites/:id', { schema: { params } },
        operation('get_test_suite'));
app.get('/api/v1/test-suites', { schema: { querystring } },
        operation('list_test_suites'));

app.setErrorHandler((error, request, reply) => {
    refuse(reply, error.validation ? 422 : 500,
           error.validation ? 'VALIDATION_ERROR' : 'INTERNAL_ERROR');
});

app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
