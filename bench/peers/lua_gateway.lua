-- The Lua gateway: HS256 by OpenSSL through the FFI, GCRA in a script of
-- Redis, connections kept.

local base64 = require("ngx.base64")
local cjson = require("cjson.safe")
local ffi = require("ffi")
local lrucache = require("resty.lrucache")

local crypto = ffi.C
local find, sub = string.find, string.sub
local decode64 = base64.decode_base64url
local decode = cjson.decode
local time = ngx.time
local tcp = ngx.socket.tcp

ffi.cdef [[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *md, const void *key, int key_len,
    const unsigned char *d, size_t n, unsigned char *out, unsigned int *len);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

-- one time a key says when the next request would conform
local SCRIPT = [[
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local interval = 1000000 / ARGV[1]
if due - now > interval * ARGV[2] then
    return due - now
end
redis.call('SET', KEYS[1], due + interval, 'PX', 60000)
return 0
]]

local M = {}
local settings, script_hash, cache
local digest = ffi.new("unsigned char[32]")


function M.configure(given)
    settings = given
    script_hash = ngx.sha1_bin and ngx.sha1_bin(SCRIPT):gsub(".",
        function(c) return string.format("%02x", c:byte()) end)
    cache = lrucache.new(10000)
end


-- The claims of a good token, or nil.
function M.verify(token)
    local dot = find(token, ".", 1, true)
    local last = dot and find(token, ".", dot + 1, true)

    if not last then
        return nil
    end

    local header = decode(decode64(sub(token, 1, dot - 1)) or "")
    if type(header) ~= "table" or header.alg ~= "HS256" then
        return nil
    end

    local signature = decode64(sub(token, last + 1))
    if not signature or #signature ~= 32 then
        return nil
    end

    crypto.HMAC(crypto.EVP_sha256(), settings.secret, #settings.secret,
                token, last - 1, digest, nil)

    if crypto.CRYPTO_memcmp(digest, signature, 32) ~= 0 then
        return nil
    end

    local claims = decode(decode64(sub(token, dot + 1, last - 1)) or "")
    if type(claims) ~= "table" or claims.iss ~= settings.issuer
        or type(claims.exp) ~= "number" or claims.exp <= time()
    then
        return nil
    end

    return claims
end


function M.known(token)
    local claims = cache:get(token)

    if claims then
        return claims.exp > time() and claims or nil
    end

    claims = M.verify(token)
    if claims then
        cache:set(token, claims, claims.exp - time())
    end

    return claims
end


-- The reply to one command: an integer or a line, nil and the fault.
local function reply(socket)
    local line, err = socket:receive()

    if not line then
        return nil, err
    end

    local kind = sub(line, 1, 1)

    if kind == ":" then
        return tonumber(sub(line, 2))
    end

    if kind == "-" then
        return nil, sub(line, 2)
    end

    return sub(line, 2)
end


local function command(socket, ...)
    local words = { ... }
    local parts = { "*", #words, "\r\n" }

    for _, word in ipairs(words) do
        local n = #parts
        parts[n + 1], parts[n + 2], parts[n + 3] = "$", #word, "\r\n"
        parts[n + 4], parts[n + 5] = word, "\r\n"
    end

    local sent, err = socket:send(parts)

    if not sent then
        return nil, err
    end

    return reply(socket)
end


-- Microseconds to wait, 0: go; nil where Redis does not answer.
local function limit(tenant)
    local socket = tcp()
    socket:settimeouts(1000, 1000, 1000)

    if not socket:connect("127.0.0.1", settings.redis_port) then
        return nil
    end

    if socket:getreusedtimes() == 0
        and not command(socket, "AUTH", settings.redis_password)
    then
        return nil
    end

    local rate, burst = tostring(settings.rate), tostring(settings.burst)
    local key = "limit:" .. tenant
    local wait, err = command(socket, "EVALSHA", script_hash, "1", key, rate,
                              burst)

    if not wait and find(err, "NOSCRIPT", 1, true) then
        wait = command(socket, "EVAL", SCRIPT, "1", key, rate, burst)
    end

    if wait then
        socket:setkeepalive(60000, 128)
    end

    return wait
end


-- The access phase.
function M.admit(identify)
    local header = ngx.var.http_authorization

    if not header or sub(header, 1, 7) ~= "Bearer " then
        return ngx.exit(401)
    end

    local claims = identify(sub(header, 8))

    if not claims then
        return ngx.exit(401)
    end

    if not settings.roles[claims.role] then
        return ngx.exit(403)
    end

    local wait = limit(claims.tenant_id)

    if not wait then
        return ngx.exit(503)
    end

    if wait > 0 then
        ngx.header["Retry-After"] = math.ceil(wait / 1000000)
        return ngx.exit(429)
    end
end


return M
