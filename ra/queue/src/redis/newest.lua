-- The newest id of each stream, '0-0' for one that does not exist, '$' when there is no memory to find it out.
-- Every command that tells it directly comes with an entry; a group of consumers that begins at the end knows the id alone.
local group = 'portreeve'
local ids = {}
for place, key in ipairs(KEYS) do
  ids[place] = '0-0'
  local made = redis.pcall('XGROUP', 'CREATE', key, group, '$')
  local refused = made.err or ''
  if string.find(refused, 'WRONGTYPE', 1, true) then
    redis.call('UNLINK', key)
  elseif string.find(refused, 'BUSYGROUP', 1, true) then
    redis.call('XGROUP', 'SETID', key, group, '$')
    refused = ''
  elseif string.find(refused, 'OOM', 1, true) then
    ids[place] = '$'
  elseif refused ~= '' and not string.find(refused, 'requires the key to exist', 1, true) then
    return made
  end
  if refused == '' then
    for _, found in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      local fields = {}
      for at = 1, #found, 2 do fields[found[at]] = found[at + 1] end
      if fields.name == group then ids[place] = fields['last-delivered-id'] end
    end
    redis.call('XGROUP', 'DESTROY', key, group)
  end
end
return ids
