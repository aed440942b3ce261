-- Takes what one batch of facts changes, or nothing: a relay that was replaced expects an offset that is no longer ours.
-- KEYS[1] positions. ARGV: field of the facts partition, expected next offset, new next offset, commands as JSON.
local found = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if found ~= tonumber(ARGV[2]) then
  return {0, found}
end
for _, command in ipairs(cjson.decode(ARGV[4])) do
  redis.call(unpack(command))
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return {1, tonumber(ARGV[3])}
