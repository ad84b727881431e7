-- What wrk runs: an optional file of tokens, one a line, sent in turn; the
-- figures on one line for the benchmark.  -- [FILE]

local pool, at

function init(args)
    if args[1] == nil then
        return
    end

    pool, at = {}, 0

    for token in io.lines(args[1]) do
        wrk.headers["Authorization"] = "Bearer " .. token
        pool[#pool + 1] = wrk.format()
    end

    -- only now: without a function of its own wrk repeats one request
    request = function()
        at = at % #pool + 1
        return pool[at]
    end
end

function done(summary, latency)
    local e = summary.errors

    io.write(string.format("figures %d %d %d %d %d\n", summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
