std = "luajit+busted"
max_line_length = 120
codes = true
exclude_files = { "build/", ".cache/" }
globals = { "MOONPOOL_BUILD_DIR", "MOONPOOL_ROOT", "MOONPOOL_SPEC_COUNTS", "arg" }
