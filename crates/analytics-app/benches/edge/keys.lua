-- 50,000 clients in turn, each at another page.
local agents = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}
local sent = 0

function request()
  sent = sent + 1
  local key = sent % 50000
  local address = string.format("11.%d.%d.%d", math.floor(key / 65536), math.floor(key / 256) % 256, key % 256)
  return wrk.format("GET", nil, {
    ["X-Forwarded-For"] = address,
    ["X-Forwarded-Method"] = "GET",
    ["X-Forwarded-Host"] = "site.example",
    ["X-Forwarded-Uri"] = "/p/" .. (sent % 97),
    ["User-Agent"] = agents[key % 2 + 1],
    ["Accept"] = "text/html",
    ["Accept-Language"] = "en",
  })
end

function done(summary, latency)
  local rate = summary.requests / (summary.duration / 1e6)
  local refused = summary.errors.status / math.max(summary.requests, 1)
  print(string.format("edge %.0f %.3f %.3f %.4f %d", rate, latency:percentile(50) / 1000, latency:percentile(99) / 1000, refused, summary.requests))
end
