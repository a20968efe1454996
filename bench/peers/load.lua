-- Script for wrk: sends one request, or cycles through several, and prints one line of figures.
-- Arguments: method, file of bodies (one per line; "-" for none), value of If-None-Match ("-" for none), mean pause in ms.

function init(args)
  wrk.method = args[1]
  wrk.headers["Accept"] = "application/json"
  if args[3] ~= "-" then wrk.headers["If-None-Match"] = args[3] end
  local bodies = {}
  if args[2] ~= "-" then
    wrk.headers["Content-Type"] = "application/json"
    for line in io.lines(args[2]) do bodies[#bodies + 1] = line end
  end
  if #bodies == 1 then wrk.body = bodies[1] end
  if #bodies > 1 then
    local requests, number = {}, 0
    for position, body in ipairs(bodies) do requests[position] = wrk.format(nil, nil, nil, body) end
    function request()
      number = number % #requests + 1
      return requests[number]
    end
  end
  local pause = tonumber(args[4])
  if pause > 0 then
    -- Memoryless arrivals: exponential pauses over many connections approximate many independent clients.
    math.randomseed(1)
    function delay() return -pause * math.log(1 - math.random()) end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("\nfigures %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), failed))
end
