-- Sends the requests of a file in order, again and again: each line is a target, a tab and an Authorization value.
-- `wrk ... url -- file user-agent`
local texts, last = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local target, authorization = line:match("^(.-)\t(.*)$")
    texts[#texts + 1] = "GET " .. target .. " HTTP/1.1\r\nHost: bench\r\nUser-Agent: " .. args[2]
      .. "\r\nAuthorization: " .. authorization .. "\r\n\r\n"
  end
end

function request()
  last = last % #texts + 1
  return texts[last]
end

function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("BENCH %d %d %d", summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout))
end
