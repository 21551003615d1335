-- Every request from another address, going on where the run before ended.
local sent = tonumber(os.getenv("FIRST") or "0")

function request()
  sent = sent + 1
  local address = string.format("%d.%d.%d.%d", 16 + math.floor(sent / 16777216) % 64, math.floor(sent / 65536) % 256, math.floor(sent / 256) % 256, sent % 256)
  return wrk.format("GET", nil, {
    ["X-Forwarded-For"] = address,
    ["X-Forwarded-Method"] = "GET",
    ["X-Forwarded-Uri"] = "/p/" .. (sent % 997),
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  })
end

function done(summary, latency)
  print(string.format("edge 0 0 0 0 %d", summary.requests))
end
