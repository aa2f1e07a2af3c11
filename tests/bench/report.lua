-- One line that the harness reads: requests, microseconds, wrong answers.
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("BENCH %d %d %d", summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout))
end
