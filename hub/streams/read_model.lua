-- Takes what one batch of facts changes, or nothing: a relay that was replaced expects an offset that is no longer ours.
-- KEYS[1] positions. ARGV: field of the facts partition, expected next offset, new next offset, commands as JSON.
local HISTORY, HISTORY_MAX = 'hub:history', 100
-- Of each region its last days of change stay: whoever follows the page reads them all.
local function trim(region)
  local days = {}
  for _, name in ipairs(redis.call('HKEYS', HISTORY)) do
    if string.sub(name, 1, #region) == region then
      days[#days + 1] = name
    end
  end
  table.sort(days)
  for at = 1, #days - HISTORY_MAX do
    redis.call('HDEL', HISTORY, days[at])
  end
end
local found = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if found ~= tonumber(ARGV[2]) then
  return {0, found}
end
local changed = {}
for _, command in ipairs(cjson.decode(ARGV[4])) do
  redis.call(unpack(command))
  if command[2] == HISTORY then
    changed[string.match(command[3], '^.*/')] = true
  end
end
for region in pairs(changed) do
  trim(region)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return {1, tonumber(ARGV[3])}
