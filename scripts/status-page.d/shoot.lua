-- SPDX-License-Identifier: Apache-2.0
-- shoot.lua URL FILE: the page at that URL as a picture, its left in the light and its right in the dark.
local chromium = require "spec.http.chromium"

local url, path = ...
local WIDTH, HEIGHT = 1280, 1280

local page = chromium.open { width = WIDTH, height = HEIGHT }

local function look_at(light)
  page:look { width = WIDTH, height = HEIGHT, dark = light == "dark" }
  page:wait "new Promise((done) => requestAnimationFrame(() => done(true)))"
  page:shoot(path .. "." .. light)
end

page:go(url)
page:wait "document.querySelectorAll('#host-rows tr').length === 6"
page:wait "document.querySelectorAll('.part').length > 12"
look_at "light"
look_at "dark"

-- Both in one: a page of two pictures, which are cut along a line.
local function data(light)
  local pipe = io.popen(("base64 -w 0 '%s.%s'"):format(path, light))
  local text = pipe:read "*a"
  pipe:close()
  return "data:image/png;base64," .. text
end
page:go "about:blank"
page:look { width = WIDTH, height = HEIGHT }
page:evaluate(([=[Promise.all([["%s", ""], ["%s", "polygon(62%% 0, 100%% 0, 100%% 100%%, 38%% 100%%)"]].map(
  async ([source, clip]) => {
    const image = new Image();
    image.src = source;
    image.style.cssText = "position:absolute;left:0;top:0;clip-path:" + clip;
    await image.decode();
    document.body.append(image);
  })).then(() => true)]=]):format(data "light", data "dark"))
page:shoot(path)
page:close()
