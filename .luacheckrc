std = "luajit+busted"
max_line_length = 120
codes = true
exclude_files = { "build/", ".cache/", "lua/moonpool/library/", "spec/escape/balance/",
  "spec/escape/retry/", "spec/escape/reconnect/", "spec/escape/speculate/", "spec/escape/failover/" }
globals = { "MOONPOOL_BUILD_DIR", "MOONPOOL_ROOT", "MOONPOOL_SPEC_COUNTS", "arg" }

-- In nginx.
for _, path in ipairs { "lua/resty", "lua/moonpool/core_loader.lua", "examples/nginx", "bench/nginx" } do
  files[path] = { globals = { "ngx" } }
end

-- The words of a policy's sandbox (lua/moonpool/policy/).
stds.policy = {
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type", "unpack", "bit",
    math = { other_fields = true }, string = { other_fields = true }, table = { other_fields = true },
    "balance", "retry", "reconnect", "failover", "dcs", "speculate", "latency", "giveUp", "sameHost", "nextHost", "log",
    "localDc", "sameRack", "remoteDcs", "allDcs", "all", "dc", "tagged", "listed",
    "inTurn", "shuffled", "primaryFirst", "leastLoaded", "fastest", "weighted",
    "hosts", "replicas", "upCount", "shutCount", "random", "chance", "tags", "keyspaces",
    "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE",
    "SERVER_ERROR", "PROTOCOL_ERROR", "BAD_CREDENTIALS", "UNAVAILABLE", "OVERLOADED", "IS_BOOTSTRAPPING",
    "TRUNCATE_ERROR", "WRITE_TIMEOUT", "READ_TIMEOUT", "READ_FAILURE", "FUNCTION_FAILURE", "WRITE_FAILURE",
    "CDC_WRITE_FAILURE", "CAS_WRITE_UNKNOWN", "SYNTAX_ERROR", "UNAUTHORIZED", "INVALID", "CONFIG_ERROR",
    "ALREADY_EXISTS", "UNPREPARED", "WRITE_SIMPLE", "WRITE_BATCH", "WRITE_UNLOGGED_BATCH", "WRITE_COUNTER",
    "WRITE_BATCH_LOG", "WRITE_CAS", "WRITE_VIEW", "WRITE_CDC",
    "UNREACHABLE", "CONNECT_TIMEOUT", "AUTH_FAILED", "WRONG_NODE", "HANDSHAKE_REFUSED", "CONNECTION_LOST",
    "LOCAL_FAILURE",
  },
}
files["policies"] = { std = "policy", ignore = { "212/req", "212/err", "212/options" } }
files["examples/policies"] = files["policies"]
files["examples/nginx/policies"] = files["policies"]
files["examples/policies/*_test.lua"] = {
  std = "luajit+busted", globals = { "cluster", "run", "explore", "holds" },
}
files["examples/playbooks"] = { read_globals = { "playbook", "cluster", "run", "handlers", "expect" } }
