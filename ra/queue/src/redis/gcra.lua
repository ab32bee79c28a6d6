-- Counts one request against a limit (GCRA), by the server's clock.
-- KEYS[1]: when the allowance is whole again, in microseconds since 1970.
-- ARGV: what the request costs, and what a full burst costs, in microseconds. With a negative cost it is only asked
-- whether a request of that cost would be admitted.
-- Answers -1 for admitted, else the microseconds to wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.pcall('GET', KEYS[1])
local whole = type(kept) == 'string' and tonumber(kept) or now
-- A time beyond a full burst is left by a larger limit, or by a clock that was set back; the last comparison is for NaN.
if not (whole >= now) then whole = now end
if whole > now + burst then whole = now + burst end
local after = whole + math.abs(cost)
if after > now + burst then
  return math.ceil(math.min(after - now - burst, burst))
end
if cost > 0 and after > now then
  redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000))
end
return -1
