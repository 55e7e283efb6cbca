-- SPDX-License-Identifier: Apache-2.0
-- Addresses as users write them: "node1", "10.0.0.1:9042", "[2001:db8::1]:9042", "fe80::1%eth0". What is wrong is found
-- where it stands, from the outside inwards, so that the message names the part that is wrong and not the last rule.
local format = string.format

local address = {}

-- The text as a message may show it: a piece of it, on one line.
local function quoted(text)
  if #text > 40 then text = text:sub(1, 37) .. "..." end
  return '"' .. text:gsub("[%c\"]", function(c) return format("\\%d", c:byte()) end) .. '"'
end

-- ---- numbers ----------------------------------------------------------------------------------------------

-- nil, or what is wrong with the text as an IPv4 address.
local function ipv4_problem(text)
  local parts = {}
  for part in (text .. "."):gmatch "(.-)%." do parts[#parts + 1] = part end
  for _, part in ipairs(parts) do
    if part == "" then return "must be four numbers with dots between them" end
    if tonumber(part) > 255 then return format("%s is more than 255", part) end
    if #part > 1 and part:sub(1, 1) == "0" then
      return format("%s begins with 0, which some programs take for octal; write %d", part, tonumber(part))
    end
  end
  if #parts ~= 4 then return format("must be four numbers with dots between them, not %d", #parts) end
end

-- The groups of one side of "::", or nil and what is wrong. The last one may be an IPv4 address, which counts twice.
local function count_groups(side, is_last)
  if side == "" then return 0 end
  local count, groups = 0, {}
  for group in (side .. ":"):gmatch "(.-):" do groups[#groups + 1] = group end
  for i, group in ipairs(groups) do
    if group:find(".", 1, true) then
      if not is_last or i < #groups then return nil, "an IPv4 address may only be its end" end
      if not group:find "^[%d.]+$" then return nil, quoted(group) .. " is no IPv4 address" end
      local why = ipv4_problem(group)
      if why then return nil, format("%s at its end: %s", quoted(group), why) end
      count = count + 2
    elseif group == "" then
      return nil, "a : stands alone"
    elseif not group:find "^%x+$" then
      return nil, format("%s is no hexadecimal number", quoted(group))
    elseif #group > 4 then
      return nil, format("%s has more than four digits", quoted(group))
    else
      count = count + 1
    end
  end
  return count
end

-- nil, or what is wrong with the text as an IPv6 address without its zone.
local function ipv6_problem(text)
  local left, right = text:match "^(.-)::(.*)$"
  if right and right:find("::", 1, true) then return ":: stands in it twice" end
  local before, why = count_groups(left or text, not right or right == "")
  if not before then return why end
  local behind = 0
  if right then
    behind, why = count_groups(right, true)
    if not behind then return why end
  end
  local count = before + behind
  if not right and count ~= 8 then return format("it has %d of 8 groups", count) end
  if right and count > 7 then return "it has more than 8 groups" end
end

-- Behind the % of an IPv6 address: which network of this machine it belongs to.
local function zone_problem(zone, host)
  if zone == "" then return "the zone behind % is missing" end
  if #zone > 15 or not zone:find "^[%w_.-]+$" then
    return format("the zone %s is no name of a network interface", quoted(zone))
  end
  if not host:lower():find "^fe[89ab]" then
    return format("the zone %s has no meaning here: only link-local addresses (fe80::...) have one", quoted(zone))
  end
end

local function check_ipv6(text)
  local host, zone = text:match "^(.-)%%(.*)$"
  local why = ipv6_problem(host or text)
  if why then return nil, format("%s is no IPv6 address: %s", quoted(host or text), why) end
  why = zone and zone_problem(zone, host)
  if why then return nil, why end
  return text
end

-- ---- names and ports --------------------------------------------------------------------------------------

local function check_name(text)
  local odd = text:match "[^%w._-]"
  if odd and odd:byte() > 127 then return nil, "a name has letters of ASCII only; write its xn-- form" end
  if odd == "%" then return nil, "a zone (behind %) belongs to an IPv6 address, and this is none" end
  if odd then return nil, format("%s stands in no host name", quoted(odd)) end
  if #text > 253 then return nil, format("a name has at most 253 bytes, this one %d", #text) end
  for label in (text:gsub("%.$", "") .. "."):gmatch "(.-)%." do
    if label == "" then return nil, "a part of the name between its dots is empty" end
    if #label > 63 then return nil, format("%s has more than the 63 bytes of a name's part", quoted(label)) end
  end
  return text
end

local function check_host(text)
  if text == "" then return nil, "the host is missing" end
  if not text:find "^[%d.]+$" then return check_name(text) end
  local why = ipv4_problem(text)
  if why then return nil, "as an IPv4 address: " .. why end
  return text
end

local function check_port(text)
  if text == "" then return nil, "the port after : is missing" end
  local number = text:find "^%d+$" and tonumber(text)
  if not number then return nil, "the port must be a number, 1 to 65535" end
  if number < 1 or number > 65535 then return nil, "the port must be 1 to 65535" end
  return number
end

-- ---- addresses --------------------------------------------------------------------------------------------

-- What somebody meant who wrote more than an address.
local function misunderstanding(text)
  if text == "" then return "the host is missing" end
  if text:find "@" then
    return "must be a host name or an address, without user and password: those stand in auth"
  end
  if text:find "://" then return "must be a host name or an address, not a URL" end
  if text:find "[,;]" then return "must be one address; each has a text of its own in the list" end
  if text:find "%c" then return "has a control character in it" end
  if text:find "%s" then return "has a space in it" end
  if text:find "/" then return "must be one address: a path or a network means nothing here" end
end

local function split_brackets(text)
  local inside, behind = text:match "^%[(.-)%](.*)$"
  if not inside then return nil, "the ] behind the address is missing" end
  local host, why = check_ipv6(inside)
  if not host and not inside:find(":", 1, true) then why = "brackets are for IPv6 addresses only" end
  if not host then return nil, why end
  if behind == "" then return host end
  if behind:sub(1, 1) ~= ":" then return nil, format("only :PORT may stand behind ], not %s", quoted(behind)) end
  local port
  port, why = check_port(behind:sub(2))
  if not port then return nil, why end
  return host, port
end

-- Several colons without brackets: an IPv6 address, or something with a colon too many.
local function split_colons(text)
  local zone_and_port = text:match "%%[^:]*:(.*)$"
  if zone_and_port then
    return nil, format("an IPv6 address with a port stands in brackets: [%s]:%s", text:match "^(.*):", zone_and_port)
  end
  local bare = text:match "^(.-)%%" or text
  if not bare:find "^[%x:.]+$" and not text:find "^::" then
    local first = text:match "^[^:]*"
    if not first:find "^%x*$" then
      return nil, format("only one : may stand in it, before the port, or it must be an IPv6 address")
    end
  end
  return check_ipv6(text)
end

-- Returns host and port (nil: none is given), or nil and what is wrong.
function address.split(text)
  local why = misunderstanding(text)
  if why then return nil, why end
  if text:sub(1, 1) == "[" then return split_brackets(text) end
  local _, colons = text:gsub(":", "")
  if colons > 1 then return split_colons(text) end
  local name, behind = text:match "^([^:]*):(.*)$"
  local host, port
  host, why = check_host(name or text)
  if not host then return nil, why end
  if not behind then return host end
  port, why = check_port(behind)
  if not port then return nil, why end
  return host, port
end

-- The same for what is no name: numbers only, because nobody will look it up.
function address.split_literal(text)
  local host, port = address.split(text)
  if host and not host:find ":" and not host:find "^[%d.]+$" then
    return nil, "must be an IP address: names are not looked up here"
  end
  return host, port
end

local function groups_of(side, out)
  for group in side:gmatch "[^:]+" do
    local a, b, c, d = group:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
    if a then
      out[#out + 1], out[#out + 2] = a * 256 + b, c * 256 + d
    else
      out[#out + 1] = tonumber(group, 16)
    end
  end
  return out
end

-- One text for all ways to write the same IP address. It must be one.
function address.canonical(host)
  if not host:find(":", 1, true) then return host end
  local bare, zone = host:match "^(.-)(%%.*)$"
  bare = bare or host
  local left, right = bare:match "^(.-)::(.*)$"
  local groups, behind = groups_of(left or bare, {}), right and groups_of(right, {}) or {}
  for _ = #groups + #behind + 1, 8 do groups[#groups + 1] = 0 end
  for _, group in ipairs(behind) do groups[#groups + 1] = group end
  for i, group in ipairs(groups) do groups[i] = format("%x", group) end
  return table.concat(groups, ":") .. (zone or "")
end

-- "10.0.0.1:9042", "[::1]:9042", or without a port.
function address.join(host, port)
  if host:find(":", 1, true) and port then host = "[" .. host .. "]" end
  return port and host .. ":" .. port or host
end

return address
