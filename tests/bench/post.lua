-- Posts the lines of a file in order, again and again, each as a JSON body.
-- `wrk ... url -- file target authorization`
local texts, last = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    texts[#texts + 1] = "POST " .. args[2] .. " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: "
      .. args[3] .. "\r\nContent-Length: " .. #line .. "\r\n\r\n" .. line
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
