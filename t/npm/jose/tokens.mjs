// Tokens by npm's jose: "make" prints keys and a token of each algorithm as a
// JSON list; "check" reads a list of tokens of ours with their secrets, and
// prints for each what jose says.

import { readFileSync } from 'node:fs';
import * as jose from 'jose';

const kinds = [
    ['RS256'], ['RS384'], ['RS512'], ['PS256'], ['PS384'], ['PS512'],
    ['RS256', { modulusLength: 3072 }], ['RS256', { modulusLength: 4096 }],
    ['ES256'], ['ES384'], ['ES512'],
    ['EdDSA', { crv: 'Ed25519' }], ['EdDSA', { crv: 'Ed448' }], ['Ed25519'],
];

const claims = {
    iss: 'https://issuer.example/', aud: ['other', 'api'], sub: 'ünï',
    exp: 4102444800, iat: 1700000000.5, roles: ['a', 'b'],
};

function signed(alg, key, kid) {
    return new jose.SignJWT(claims)
        .setProtectedHeader(kid ? { alg, kid, typ: 'JWT' } : { alg })
        .sign(key);
}

async function pair([alg, options], index) {
    const { publicKey, privateKey } = await jose.generateKeyPair(alg,
        { extractable: true, ...options });
    const jwk = await jose.exportJWK(publicKey);
    const kid = `key ${index}`;

    return {
        alg, kid, claims,
        jwk: { ...jwk, alg, kid, use: 'sig' },
        bare: jwk,
        pem: await jose.exportSPKI(publicKey),
        thumbprint: await jose.calculateJwkThumbprint(jwk),
        named: await signed(alg, privateKey, kid),
        nameless: await signed(alg, privateKey),
    };
}

async function secret(alg) {
    const key = await jose.generateSecret(alg, { extractable: true });
    const { k } = await jose.exportJWK(key);
    const kid = `key ${alg}`;

    return {
        alg, kid, claims, secret: k,
        named: await signed(alg, key, kid),
        nameless: await signed(alg, key),
    };
}

async function check({ alg, secret, token }) {
    const key = jose.base64url.decode(secret);

    try {
        const { payload, protectedHeader } = await jose.jwtVerify(token, key,
            { algorithms: [alg] });
        return { payload, header: protectedHeader };
    } catch (error) {
        return { error: error.code };
    }
}

const made = async () => [
    ...await Promise.all(kinds.map(pair)),
    ...await Promise.all(['HS256', 'HS384', 'HS512'].map(secret)),
];

const checked = () => Promise.all(
    JSON.parse(readFileSync(0, 'utf8')).map(check));

const result = await (process.argv[2] === 'make' ? made() : checked());
process.stdout.write(JSON.stringify(result));
