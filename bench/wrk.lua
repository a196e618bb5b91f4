-- wrk -s bench/wrk.lua URL -- [BYTES KEYS | BODY]: GET of the URL, or PUT of BYTES to URL/0 ... URL/{KEYS-1}, or POST
-- of BODY to URL. Prints JSON.
function init(args)
  if #args == 1 then
    wrk.method, wrk.body = "POST", args[1]
    wrk.headers["Content-Type"] = "application/json"
  end
  if #args < 2 then return end
  local keys = tonumber(args[2])
  local body = '{"text":"' .. string.rep("x", tonumber(args[1]) - 11) .. '"}'
  local headers = { ["Content-Type"] = "application/json" }
  local path, sent = wrk.path, 0
  function request()
    sent = sent + 1
    return wrk.format("PUT", path .. "/" .. (sent % keys), headers, body)
  end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"perSecond":%.1f,"errors":%d,"p99":%.3f}',
    summary.requests / summary.duration * 1e6,
    e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(99) / 1000))
end
