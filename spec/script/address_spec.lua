-- SPDX-License-Identifier: Apache-2.0
local address = require "moonpool.address"

-- What is written, and host and port, or what is wrong with it.
local good = {
  { "node1", "node1" }, { "node1:9042", "node1", 9042 }, { "a.b.", "a.b." }, { "a_b-c.d", "a_b-c.d" },
  { "10.0.0.1", "10.0.0.1" }, { "10.0.0.1:1", "10.0.0.1", 1 }, { "0.0.0.0:65535", "0.0.0.0", 65535 },
  { "::1", "::1" }, { "::", "::" }, { "1::", "1::" }, { "[::1]", "::1" }, { "[::1]:9042", "::1", 9042 },
  { "2001:db8:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:1" }, { "::ffff:1.2.3.4", "::ffff:1.2.3.4" },
  { "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:1.2.3.4" }, { "fe80::1%lo", "fe80::1%lo" },
  { "FE80::1%eth0.1", "FE80::1%eth0.1" },
  { "[fe80::1%eth0]:9042", "fe80::1%eth0", 9042 },
}
local OCTAL = "as an IPv4 address: 010 begins with 0, which some programs take for octal; write 10"
local FOUR = "as an IPv4 address: must be four numbers with dots between them"
local ZONE = "a zone (behind %) belongs to an IPv6 address, and this is none"
local bad = {
  { "", "the host is missing" }, { ":9042", "the host is missing" },
  { "node:", "the port after : is missing" }, { "[::1]:", "the port after : is missing" },
  { "node:x", "the port must be a number, 1 to 65535" }, { "node:-1", "the port must be a number, 1 to 65535" },
  { "[::1]:x", "the port must be a number, 1 to 65535" },
  { "node:0", "the port must be 1 to 65535" }, { "node:65536", "the port must be 1 to 65535" },
  { "1.2.3", FOUR .. ", not 3" }, { "1.2.3.4.5", FOUR .. ", not 5" }, { "1..2.3", FOUR }, { "1:", FOUR .. ", not 1" },
  { "1.2.3.256", "as an IPv4 address: 256 is more than 255" }, { "1.2.3.010", OCTAL }, { "1.2.3.010:9042", OCTAL },
  { "[::1", "the ] behind the address is missing" }, { "[::1]9042", 'only :PORT may stand behind ], not "9042"' },
  { "[10.0.0.1]:1", "brackets are for IPv6 addresses only" }, { "[node]", "brackets are for IPv6 addresses only" },
  { "2001:db8::g", '"2001:db8::g" is no IPv6 address: "g" is no hexadecimal number' },
  { "1:2:3:4:5:6:7", '"1:2:3:4:5:6:7" is no IPv6 address: it has 7 of 8 groups' },
  { "1:2:3:4:5:6:7:8:9", '"1:2:3:4:5:6:7:8:9" is no IPv6 address: it has 9 of 8 groups' },
  { "1:2:3:4:5:6:7::8:9", '"1:2:3:4:5:6:7::8:9" is no IPv6 address: it has more than 8 groups' },
  { "1::2::3", '"1::2::3" is no IPv6 address: :: stands in it twice' },
  { "fe80:::1", '"fe80:::1" is no IPv6 address: a : stands alone' },
  { "12345::", '"12345::" is no IPv6 address: "12345" has more than four digits' },
  { "::1.2.3", '"::1.2.3" is no IPv6 address: "1.2.3" at its end: must be four numbers with dots between them, not 3' },
  { "::1.2.3.4:5", '"::1.2.3.4:5" is no IPv6 address: an IPv4 address may only be its end' },
  { "node:1:2", "only one : may stand in it, before the port, or it must be an IPv6 address" },
  { "fe80::1%", "the zone behind % is missing" }, { "[fe80::1%]:1", "the zone behind % is missing" },
  { "fe80::1%lo:9042", "an IPv6 address with a port stands in brackets: [fe80::1%lo]:9042" },
  { "fe80::1%a.very.long.name", 'the zone "a.very.long.name" is no name of a network interface' },
  { "::1%lo", 'the zone "lo" has no meaning here: only link-local addresses (fe80::...) have one' },
  { "node%lo", ZONE }, { "10.0.0.1%lo", ZONE },
  { "http://a", "must be a host name or an address, not a URL" },
  { "me:secret@node1:9042", "must be a host name or an address, without user and password: those stand in auth" },
  { "a,b", "must be one address; each has a text of its own in the list" }, { " a", "has a space in it" },
  { "a b:1", "has a space in it" }, { "a\nb", "has a control character in it" },
  { "10.0.0.0/8", "must be one address: a path or a network means nothing here" },
  { "a..b", "a part of the name between its dots is empty" }, { ".a", "a part of the name between its dots is empty" },
  { "a!b", '"!" stands in no host name' }, { "n\195\182de", "a name has letters of ASCII only; write its xn-- form" },
  { ("x."):rep(130), "a name has at most 253 bytes, this one 260" },
  { ("x"):rep(64) .. ".de", '"' .. ("x"):rep(37) .. '..." has more than the 63 bytes of a name\'s part' },
}

describe("an address", function()
  it("is taken apart", function()
    for _, case in ipairs(good) do
      local host, port = address.split(case[1])
      assert.same({ case[2], case[3] }, { host, port }, case[1])
    end
  end)

  it("that is wrong is told by the part that is wrong", function()
    for _, case in ipairs(bad) do assert.same({ nil, case[2] }, { address.split(case[1]) }, case[1]) end
  end)

  it("is put together again", function()
    for _, case in ipairs(good) do
      local text = address.join(case[2], case[3])
      assert.same({ case[2], case[3] }, { address.split(text) })
    end
  end)

  it("has one text for all ways to write it", function()
    for _, texts in ipairs { { "::1", "0:0:0:0:0:0:0:1", "0::1", "::0001", "::0.0.0.1" },
      { "2001:db8::a", "2001:DB8:0::A", "2001:0db8:0:0::a" }, { "::", "0::0", "0:0::" }, { "10.0.0.1" } } do
      for _, text in ipairs(texts) do assert.equal(address.canonical(texts[1]), address.canonical(text)) end
    end
    assert.is_true(address.canonical "::1" ~= address.canonical "::2")
  end)

  it("that is random text is taken or refused with a sentence, and what is taken is taken again", function()
    math.randomseed(23)
    local pieces = { "1", "10", "255", "256", ".", ":", "::", "[", "]", "%", "fe80", "lo", "a", "9042", " ", "-", "x",
      "@", "/" }
    for _ = 1, 20000 do
      local text = ""
      for _ = 1, math.random(1, 9) do text = text .. pieces[math.random(#pieces)] end
      local host, port = address.split(text)
      if host then
        assert.same({ host, port }, { address.split(address.join(host, port)) }, text)
      else
        assert.is_true(type(port) == "string" and #port > 10 and not port:find "\n", text)
      end
    end
  end)
end)
