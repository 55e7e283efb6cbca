-- SPDX-License-Identifier: Apache-2.0
-- For LuaRocks, with LuaJIT:  luarocks --lua-version 5.1 make      (docs/install.md)
--
-- The rock has an installation of moonpool in its own folder, the Lua modules where LuaRocks has modules, and a command.
-- MOONPOOL_BUILD names a folder in which moonpool was built already; without it a release is built.
rockspec_format = "3.0"
package = "moonpool"
version = "0.1.0-1"
source = {
  url = "git+https://moonpool.invalid/moonpool.git", -- whoever publishes it names its place here
  tag = "v0.1.0",
}
description = {
  summary = "Lua-scriptable connection pool for Apache Cassandra",
  license = "Apache-2.0",
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.1, < 5.2", "argparse >= 0.7", "lua-cjson >= 2.1" } -- the last two: of the command
deploy = { wrap_bin_scripts = false }
build = {
  type = "command",
  build_command = [[test -n "$MOONPOOL_BUILD" || {
    cmake -S . -B build/rock -DCMAKE_BUILD_TYPE=Release -DMP_NGINX=OFF && cmake --build build/rock --parallel; }]],
  install_command = [[set -e
    for component in library cli; do
      cmake --install "${MOONPOOL_BUILD:-build/rock}" --component $component --prefix "$(PREFIX)/installed"
    done
    mkdir -p "$(LUADIR)" "$(BINDIR)"
    cp -R lua/moonpool lua/resty "$(LUADIR)"
    library=$(find "$(PREFIX)/installed" -name libmoonpool.so.0)
    printf 'return "%s"\n' "$library" > "$(LUADIR)/moonpool/library_path.lua"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$(PREFIX)/installed/bin/moonpool" > "$(BINDIR)/moonpool"
    chmod 755 "$(BINDIR)/moonpool"]],
}
