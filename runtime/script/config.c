// SPDX-License-Identifier: Apache-2.0
// The flat table of lua/moonpool/config/init.lua, key by key. A key that is not there leaves the core's default.
#include "script/config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cluster/profile.h"
#include "link/tls_sign.h"
#include "script/core.h"

#define CLOSE_DRAIN_MS 5000u

struct reading {
	struct mp_script_config *config;
	bool no_memory;
};

static bool get_number(lua_State *L, const char *key, double *number)
{
	lua_getfield(L, 1, key);
	bool given = lua_isnumber(L, -1);
	if (given)
		*number = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return given;
}

static void get_u32(lua_State *L, const char *key, uint32_t *to)
{
	double number;
	if (get_number(L, key, &number) && number >= 0 && number <= UINT32_MAX)
		*to = (uint32_t)number;
}

static void get_bool(lua_State *L, const char *key, bool *to)
{
	lua_getfield(L, 1, key);
	if (lua_isboolean(L, -1))
		*to = lua_toboolean(L, -1);
	lua_pop(L, 1);
}

// A copy of the text on the top of the stack, which stays there; NULL when it is none.
static const char *copy_top(lua_State *L, struct reading *reading)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		return NULL;
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);
	struct mp_str copy = mp_arena_str(&reading->config->arena, (struct mp_str){text, len});
	reading->no_memory = reading->no_memory || copy.data == NULL;
	return copy.data;
}

static void get_text(lua_State *L, struct reading *reading, const char *key, const char **to)
{
	lua_getfield(L, 1, key);
	const char *text = copy_top(L, reading);
	if (text != NULL)
		*to = text;
	lua_pop(L, 1);
}

// ---- parts ------------------------------------------------------------------------------------------------

static void get_contacts(lua_State *L, struct reading *reading)
{
	struct mp_session_config *session = &reading->config->session;
	lua_getfield(L, 1, "contactPoints");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	struct mp_contact_point *points = mp_arena_alloc(&reading->config->arena, sizeof(*points) * (count + 1));
	reading->no_memory = reading->no_memory || points == NULL;
	for (size_t i = 0; i < count && !reading->no_memory; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		lua_getfield(L, -1, "host");
		points[i].host = copy_top(L, reading);
		lua_getfield(L, -2, "port");
		points[i].port = (uint16_t)lua_tonumber(L, -1);
		lua_pop(L, 3);
		session->contact_points = points;
		session->contact_point_count = i + 1;
	}
	lua_pop(L, 1);
}

static void get_regions(lua_State *L, struct reading *reading)
{
	struct mp_session_config *session = &reading->config->session;
	lua_getfield(L, 1, "regions");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	struct mp_region *regions = mp_arena_alloc(&reading->config->arena, sizeof(*regions) * (count + 1));
	reading->no_memory = reading->no_memory || regions == NULL;
	for (size_t i = 0; i < count && !reading->no_memory; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		lua_getfield(L, -1, "dc");
		regions[i].dc = copy_top(L, reading);
		lua_getfield(L, -2, "maxConnections");
		regions[i].max_connections = (uint32_t)lua_tonumber(L, -1);
		lua_getfield(L, -3, "priority");
		regions[i].priority = (uint16_t)lua_tonumber(L, -1);
		lua_pop(L, 4);
		if (regions[i].dc == NULL)
			break;
		session->regions = regions;
		session->region_count = i + 1;
	}
	lua_pop(L, 1);
}

// The table of one profile is on top.
static void get_profile(lua_State *L, struct reading *reading, struct mp_profile *profile)
{
	int at = lua_gettop(L);
	static const struct {
		const char *key;
		uint8_t bit;
	} keys[] = {{"consistency", MP_PROFILE_CONSISTENCY},
	            {"serialConsistency", MP_PROFILE_SERIAL},
	            {"timeout", MP_PROFILE_TIMEOUT},
	            {"isIdempotent", MP_PROFILE_IDEMPOTENT},
	            {"fetchSize", MP_PROFILE_PAGE_SIZE},
	            {"traceQuery", MP_PROFILE_TRACE},
	            {"tag", MP_PROFILE_TAG}};
	lua_getfield(L, at, "name");
	profile->name = copy_top(L, reading);
	for (size_t i = 0; i < MP_ARRAY_LEN(keys); i++) {
		lua_getfield(L, at, keys[i].key);
		if (lua_isnil(L, -1))
			continue;
		profile->given |= keys[i].bit;
		int level =
			lua_type(L, -1) == LUA_TSTRING ? mp_consistency_parse(mp_str_of(lua_tostring(L, -1))) : -1;
		switch (keys[i].bit) {
		case MP_PROFILE_CONSISTENCY: profile->consistency = (uint16_t)level; break;
		case MP_PROFILE_SERIAL: profile->serial_consistency = (uint16_t)level; break;
		case MP_PROFILE_TIMEOUT: profile->timeout_ms = (uint32_t)lua_tonumber(L, -1); break;
		case MP_PROFILE_IDEMPOTENT: profile->idempotent = lua_toboolean(L, -1); break;
		case MP_PROFILE_PAGE_SIZE: profile->page_size = (int32_t)lua_tonumber(L, -1); break;
		case MP_PROFILE_TRACE: profile->trace = lua_toboolean(L, -1); break;
		default: profile->tag = copy_top(L, reading); break;
		}
	}
	lua_settop(L, at);
}

static void get_profiles(lua_State *L, struct reading *reading)
{
	struct mp_session_config *session = &reading->config->session;
	lua_getfield(L, 1, "profiles");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	struct mp_profile *profiles = mp_arena_alloc(&reading->config->arena, sizeof(*profiles) * (count + 1));
	reading->no_memory = reading->no_memory || profiles == NULL;
	for (size_t i = 0; i < count && !reading->no_memory; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		get_profile(L, reading, &profiles[i]);
		lua_pop(L, 1);
		session->profiles = profiles;
		session->profile_count = i + 1;
	}
	lua_pop(L, 1);
}

// When one of a pair is given, the other's default gives way.
static void get_limits(lua_State *L, const char *core_key, const char *max_key, struct mp_pool_limits *limits)
{
	double number;
	bool has_max = get_number(L, max_key, &number);
	get_u32(L, core_key, &limits->core);
	get_u32(L, max_key, &limits->max);
	if (limits->core > limits->max && has_max)
		limits->core = limits->max;
	else if (limits->core > limits->max)
		limits->max = limits->core;
	get_u32(L, "idleTimeout", &limits->idle_timeout_ms);
	get_u32(L, "reconnectBase", &limits->reconnect_base_ms);
	get_u32(L, "reconnectMax", &limits->reconnect_max_ms);
	if (limits->reconnect_base_ms > limits->reconnect_max_ms)
		limits->reconnect_max_ms = limits->reconnect_base_ms;
}

static void get_adaptive(lua_State *L, struct mp_pool_limits *limits)
{
	struct mp_adaptive_rules *rules = &limits->adaptive;
	*rules = (struct mp_adaptive_rules){.target = 0.7, .up = 0.8, .down = 0.3, .interval_ms = 30000};
	get_bool(L, "adaptive", &rules->enabled);
	get_number(L, "adaptiveTarget", &rules->target);
	get_number(L, "adaptiveUp", &rules->up);
	get_number(L, "adaptiveDown", &rules->down);
	get_u32(L, "adaptiveInterval", &rules->interval_ms);
	if (!rules->enabled)
		return;
	get_u32(L, "adaptiveMin", &limits->core);
	get_u32(L, "adaptiveMax", &limits->max);
	limits->grow_at = UINT32_MAX; // only when there is no room at all
}

// Programs want to know when, and people are told by what they read the lines with.
static void get_logging(lua_State *L, struct reading *reading)
{
	struct mp_session_config *session = &reading->config->session;
	static const struct {
		const char *key;
		uint8_t what;
	} wanted[] = {
		{"logConnections", MP_LOG_CONNECTIONS},
		{"logRequests", MP_LOG_REQUESTS},
		{"logErrors", MP_LOG_ERRORS},
	};
	for (size_t i = 0; i < MP_ARRAY_LEN(wanted); i++) {
		bool is_wanted = false;
		get_bool(L, wanted[i].key, &is_wanted);
		session->log_wanted |= is_wanted ? wanted[i].what : 0;
	}
	const char *format = NULL;
	get_text(L, reading, "logFormat", &format);
	if (format != NULL)
		session->log_format = strcmp(format, "json") == 0     ? MP_LOG_JSON
		                      : strcmp(format, "logfmt") == 0 ? MP_LOG_LOGFMT
		                                                      : MP_LOG_TEXT;
	const char *to = "";
	get_text(L, reading, "logTo", &to);
	session->log_to = strcmp(to, "journal") == 0  ? MP_LOG_SYSTEMD
	                  : strcmp(to, "syslog") == 0 ? MP_LOG_SYSLOG
	                                              : MP_LOG_STDERR;
	session->log_stamped = session->log_format != MP_LOG_TEXT;
	get_bool(L, "logTimestamps", &session->log_stamped);
	get_u32(L, "slowRequestMs", &session->log_slow_ms);
}

static void get_session(lua_State *L, struct reading *reading)
{
	struct mp_session_config *session = &reading->config->session;
	double number;
	if (get_number(L, "port", &number))
		session->port = (uint16_t)number;
	if (get_number(L, "protocolVersion", &number))
		session->protocol_version = (uint8_t)number;
	const char *compression = NULL;
	get_text(L, reading, "compression", &compression);
	int kind = compression != NULL ? mp_compression_find(mp_str_of(compression)) : -1;
	if (kind >= 0)
		session->compression = (enum mp_compression)kind;
	get_bool(L, "clientTimestamps", &session->client_timestamps);
	if (get_number(L, "preparedMax", &number))
		session->prepared_max = (size_t)number;
	get_text(L, reading, "localDataCenter", &session->local_dc);
	get_text(L, reading, "localRack", &session->local_rack);
	get_text(L, reading, "keyspace", &session->keyspace);
	get_text(L, reading, "username", &session->username);
	get_text(L, reading, "password", &session->password);
	bool auth_required = true;
	get_bool(L, "authRequired", &auth_required);
	session->auth_optional = !auth_required;
	get_limits(L, "localCore", "localMax", &session->local);
	get_adaptive(L, &session->local);
	get_limits(L, "remoteCore", "remoteMax", &session->remote);
	get_bool(L, "connectRemote", &session->connect_remote);
	get_u32(L, "remoteHostsPerDc", &session->remote_hosts_per_dc);
	get_u32(L, "maxRequests", &session->max_requests_per_connection);
	get_u32(L, "connectTimeout", &session->connect_timeout_ms);
	get_bool(L, "warmup", &session->warmup);
	get_u32(L, "warmupTimeout", &session->warmup_timeout_ms);
	get_u32(L, "heartbeatInterval", &session->heartbeat_interval_ms);
	get_u32(L, "heartbeatTimeout", &session->heartbeat_timeout_ms);
	get_u32(L, "requestTimeout", &session->request_timeout_ms);
	get_u32(L, "attemptTimeout", &session->attempt_timeout_ms);
	get_u32(L, "maxQueued", &session->max_queued);
	get_u32(L, "busyPollUs", &session->busy_poll_us);
	get_bool(L, "autoDiscovery", &session->auto_discovery);
	get_u32(L, "discoveryInterval", &session->discovery_interval_ms);
	get_bool(L, "failoverAllowLocal", &session->local_may_follow);
	get_bool(L, "failoverEnabled", &session->failover.enabled);
	get_u32(L, "failoverMaxRetries", &session->failover.max_moves);
	get_u32(L, "failoverRetryDelay", &session->failover.delay_ms);
	if (get_number(L, "failoverBackoff", &number))
		session->failover.multiplier = number;
	get_bool(L, "breakerEnabled", &session->breaker.enabled);
	get_u32(L, "breakerThreshold", &session->breaker.threshold);
	get_u32(L, "breakerRecovery", &session->breaker.recovery_ms);
	get_u32(L, "breakerTrials", &session->breaker.trials);
	get_bool(L, "batching", &session->batching.enabled);
	get_u32(L, "batchSize", &session->batching.size);
	get_u32(L, "batchTimeout", &session->batching.timeout_ms);
	get_u32(L, "connectsPerSecond", &session->connects_per_second);
	get_bool(L, "tcpNoDelay", &session->tcp.no_delay);
	get_bool(L, "tcpKeepAlive", &session->tcp.keep_alive);
	get_u32(L, "tcpUserTimeout", &session->tcp.user_timeout_ms);
	get_bool(L, "healthEnabled", &session->health.enabled);
	get_u32(L, "healthInterval", &session->health.interval_ms);
	get_u32(L, "healthTimeout", &session->health.timeout_ms);
	get_text(L, reading, "healthQuery", &session->health.query);
	get_bool(L, "decisions", &session->decisions.enabled);
	get_number(L, "decisionSample", &session->decisions.sample);
	get_text(L, reading, "decisionFile", &session->decisions.file);
	if (get_number(L, "decisionKeep", &number))
		session->decisions.keep_bytes = (uint64_t)number;
	get_number(L, "shadowShare", &session->shadow_share);
	get_bool(L, "metrics", &session->metrics);
	get_u32(L, "metricsInterval", &session->metrics_interval_ms);
	const char *level = NULL;
	get_text(L, reading, "logLevel", &level);
	if (level != NULL && mp_log_level_from(level, &session->log_level) != 0)
		session->log_level = MP_LOG_WARN;
	get_logging(L, reading);
}

static void get_tls(lua_State *L, struct reading *reading)
{
	struct mp_tls_options *tls = &reading->config->tls;
	bool verify = true;
	const char *version = NULL, *identity = NULL;
	get_bool(L, "tls", &reading->config->has_tls);
	get_text(L, reading, "tlsCa", &tls->ca);
	get_text(L, reading, "tlsCert", &tls->cert);
	get_text(L, reading, "tlsKey", &tls->key);
	get_text(L, reading, "tlsPassphrase", &tls->pass_phrase);
	get_text(L, reading, "tlsCiphers", &tls->ciphers);
	get_text(L, reading, "tlsCrl", &tls->crl);
	get_bool(L, "tlsVerify", &verify);
	get_text(L, reading, "tlsMinVersion", &version);
	get_text(L, reading, "tlsServerName", &reading->config->session.tls_name);
	get_text(L, reading, "tlsIdentity", &identity);
	tls->unverified = !verify;
	tls->identity = identity == NULL || strcmp(identity, "name") == 0 ? MP_TLS_NAME
	                : strcmp(identity, "address") == 0                ? MP_TLS_ADDRESS
	                                                                  : MP_TLS_HOST_ID;
	tls->minor = version != NULL && strcmp(version, "1.3") == 0 ? 3 : 2;
}

// A list of public keys, 32 bytes each.
static void get_keys(lua_State *L, struct reading *reading)
{
	struct mp_policies_config *policies = &reading->config->policies;
	lua_getfield(L, 1, "policyKeys");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	uint8_t *keys = mp_arena_alloc(&reading->config->arena, MP_SIGN_KEY_BYTES * (count + 1));
	reading->no_memory = reading->no_memory || keys == NULL;
	for (size_t i = 0; i < count && !reading->no_memory; i++) {
		size_t len = 0;
		lua_rawgeti(L, -1, (int)i + 1);
		const char *key = lua_tolstring(L, -1, &len);
		if (len == MP_SIGN_KEY_BYTES)
			memcpy(keys + policies->key_count++ * MP_SIGN_KEY_BYTES, key, len);
		lua_pop(L, 1); // the list keeps it
	}
	policies->keys = keys;
	policies->is_good = mp_sign_is_good;
	lua_pop(L, 1);
}

// The number `key` of the table on the top of the stack; `otherwise` where there is none.
static double number_of(lua_State *L, const char *key, double otherwise)
{
	lua_getfield(L, -1, key);
	double number = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : otherwise;
	lua_pop(L, 1);
	return number;
}

static void get_canary(lua_State *L, const char *kind, struct mp_canary_rule *rule)
{
	char key[48];
	snprintf(key, sizeof(key), "%sCanary", kind);
	lua_getfield(L, 1, key);
	if (lua_istable(L, -1)) {
		rule->share = number_of(L, "share", 0);
		rule->lasting_ms = (uint32_t)number_of(L, "lasting", 0);
		rule->requests = (uint32_t)number_of(L, "requests", 0);
		lua_getfield(L, -1, "limits");
		for (int i = 0; lua_istable(L, -1) && i < MP_CANARY_CONDITION_COUNT; i++)
			rule->limits[i] = number_of(L, mp_canary_condition_name(i), 0);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void get_policies(lua_State *L, struct reading *reading)
{
	struct mp_policies_config *policies = &reading->config->policies;
	policies->watch = true;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		char key[48];
		struct mp_policy_choice *choice = &policies->choices[kind];
		const char *name = mp_policy_kind_name((enum mp_policy_kind)kind);
		choice->key = mp_policy_kind_key((enum mp_policy_kind)kind);
		snprintf(key, sizeof(key), "%sPolicy", name);
		get_text(L, reading, key, &choice->policy);
		snprintf(key, sizeof(key), "%sOptions", name);
		get_text(L, reading, key, &choice->options);
		get_canary(L, name, &choice->canary);
	}
	get_text(L, reading, "where", &policies->where);
	if (policies->where != NULL && policies->where[0] == '\0')
		policies->where = NULL;
	lua_getfield(L, 1, "policyPath");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	const char **paths = mp_arena_alloc(&reading->config->arena, sizeof(*paths) * (count + 1));
	reading->no_memory = reading->no_memory || paths == NULL;
	for (size_t i = 0; i < count && !reading->no_memory; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		paths[i] = copy_top(L, reading);
		lua_pop(L, 1);
		policies->path_count = paths[i] != NULL ? i + 1 : policies->path_count;
	}
	policies->paths = paths;
	lua_pop(L, 1);
}

// In a protected call: the table at 1, the reading at 2.
static int read_all(lua_State *L)
{
	struct reading *reading = lua_touserdata(L, 2);
	const char *checked = NULL;
	get_text(L, reading, "checked", &checked);
	if (checked == NULL || strcmp(checked, "moonpool.config") != 0)
		return 0;
	get_session(L, reading);
	get_tls(L, reading);
	get_contacts(L, reading);
	get_regions(L, reading);
	get_profiles(L, reading);
	get_policies(L, reading);
	get_keys(L, reading);
	get_text(L, reading, "file", &reading->config->file);
	lua_pushboolean(L, 1);
	return 1;
}

int mp_script_config_read(lua_State *L, int index, struct mp_script_config *config)
{
	memset(config, 0, sizeof(*config));
	mp_arena_init(&config->arena);
	mp_session_config_defaults(&config->session);
	config->close_drain_ms = CLOSE_DRAIN_MS;
	if (lua_type(L, index) != LUA_TTABLE)
		return MP_ECONFIG;
	if (!lua_checkstack(L, 16))
		return MP_ENOMEM;
	static const char key = 'c';
	struct reading reading = {.config = config};
	lua_pushvalue(L, index);
	if (mp_lua_push_function(L, read_all, &key) != 0) {
		lua_pop(L, 1);
		return MP_ENOMEM;
	}
	lua_insert(L, -2);
	lua_pushlightuserdata(L, &reading);
	int rc = lua_pcall(L, 2, 1, 0) != 0 || reading.no_memory ? MP_ENOMEM : 0;
	if (rc == 0 && !lua_toboolean(L, -1))
		rc = MP_ECONFIG;
	lua_pop(L, 1);
	if (rc != 0)
		mp_script_config_deinit(config);
	return rc;
}

void mp_script_config_deinit(struct mp_script_config *config)
{
	mp_arena_wipe(&config->arena); // of passwords
	mp_arena_deinit(&config->arena);
}
