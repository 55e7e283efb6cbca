// SPDX-License-Identifier: Apache-2.0
// Life of a session's policies, their listing and their news. News are kept until the loop's next turn, so a
// listener is never inside a request or a reload and may do what it likes, also free the policies.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text/redact.h"
#include "policy/installation.h"
#include "policy/policies_internal.h"

#define LATER_MS 1u // between two things that take a part of a millisecond each

// The loader comes last: it is the one that is called.
static const char *const module_names[MP_POLICY_MODULES] = {
	"moonpool.nearest",
	"moonpool.policy.environment",
	"moonpool.policy.objects",
	"moonpool.policy.loader",
};

// ---- making -------------------------------------------------------------------------------------------------------

static int read_module(struct mp_policies *policies, struct mp_policy_module *module, const char *name,
                       char *message, size_t size)
{
	char path[PATH_MAX];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/lua/", policies->home);
	for (const char *c = name; *c != '\0' && len < sizeof(path) - 5; c++)
		path[len++] = *c == '.' ? '/' : *c;
	memcpy(path + len, ".lua", 5);
	module->name = name;
	struct mp_buf text;
	mp_buf_init(&text);
	int rc = mp_source_read(path, MP_SOURCE_MAX_BYTES, &text, message, size);
	if (rc == 0)
		rc = mp_policy_module_compile(module, &text, message, size);
	mp_buf_deinit(&text);
	return rc;
}

static int read_modules(struct mp_policies *policies, char *message, size_t size)
{
	int rc = 0;
	for (size_t i = 0; i < MP_POLICY_MODULES && rc == 0; i++)
		rc = read_module(policies, &policies->modules[i], module_names[i], message, size);
	return rc;
}

int mp_policy_read_driver(struct mp_policy_slot *slot, char *message, size_t message_size)
{
	struct mp_policy_module *driver = &slot->owner->drivers[slot->kind];
	if (driver->code.len > 0)
		return 0;
	snprintf(driver->title, sizeof(driver->title), "moonpool.policy.%s", mp_policy_kind_name(slot->kind));
	return read_module(slot->owner, driver, driver->title, message, message_size);
}

// NULL stays NULL and is fine.
static bool copy_text(char **to, const char *from)
{
	*to = from == NULL ? NULL : mp_strdup(from);
	return from == NULL || *to != NULL;
}

bool mp_policy_copy_choice(struct mp_policy_choice *to, const struct mp_policy_choice *from,
                           const char *fallback)
{
	char *policy, *options, *key;
	bool ok = copy_text(&policy, from->policy != NULL ? from->policy : fallback);
	ok = copy_text(&options, from->options) && ok;
	ok = copy_text(&key, from->key) && ok;
	*to = (struct mp_policy_choice){.policy = policy, .options = options, .key = key};
	return ok;
}

void mp_policy_free_choice(struct mp_policy_choice *choice)
{
	mp_free((void *)(uintptr_t)choice->policy);
	mp_free((void *)(uintptr_t)choice->options);
	mp_free((void *)(uintptr_t)choice->key);
}

static bool set_up_slot(struct mp_policy_slot *slot, const struct mp_policy_choice *choice)
{
	const struct mp_policy_ops *ops = mp_policy_ops(slot->kind);
	slot->service = mp_calloc(1, ops->service_bytes);
	bool ok = mp_policy_copy_choice(&slot->choice, choice, ops->fallback);
	return ok && slot->service != NULL;
}

static bool copy_config(struct mp_policies *policies, const struct mp_policies_config *config)
{
	char home[PATH_MAX];
	if (config->home == NULL && mp_installation_find(home, sizeof(home)) != 0)
		home[0] = '\0';
	bool ok = copy_text(&policies->home, config->home != NULL ? config->home : home);
	char where[PATH_MAX] = "";
	if (config->where != NULL)
		snprintf(where, sizeof(where), "%s: ", config->where);
	ok = copy_text(&policies->where, where) && ok;
	policies->source.paths = mp_calloc(config->path_count, sizeof(char *));
	ok = policies->source.paths != NULL && ok;
	for (size_t i = 0; i < config->path_count && ok; i++) {
		ok = copy_text(&policies->source.paths[i], config->paths[i]);
		policies->source.path_count = i + 1;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		ok = set_up_slot(&policies->slots[kind], &config->choices[kind]) && ok;
	policies->source.home = policies->home;
	policies->memory_bytes = config->memory_bytes != 0 ? config->memory_bytes : MP_POLICY_MEMORY;
	policies->watch = config->watch;
	policies->log = config->log != NULL ? config->log : mp_loop_log(policies->loop);
	return ok;
}

static void work(void *data);
static void on_later(void *data);

static struct mp_policies *make_empty(struct mp_loop *loop)
{
	struct mp_policies *policies = mp_calloc(1, sizeof(*policies));
	if (policies == NULL)
		return NULL;
	policies->loop = loop;
	for (size_t i = 0; i < MP_POLICY_MODULES; i++)
		mp_buf_init(&policies->modules[i].code);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		mp_buf_init(&policies->drivers[kind].code);
		policies->slots[kind].owner = policies;
		policies->slots[kind].kind = (enum mp_policy_kind)kind;
		policies->slots[kind].timed_mask =
			mp_policy_ops((enum mp_policy_kind)kind)->is_hot ? MP_POLICY_TIMED_MASK : 0;
	}
	mp_task_init(&policies->task, work, policies);
	mp_timer_init(&policies->later, loop, on_later, policies);
	mp_policy_install(policies);
	return policies;
}

static int load_all(struct mp_policies *policies, char *message, size_t size)
{
	if (policies->home[0] == '\0') {
		snprintf(message, size, "moonpool's lua/ and policies/ are not found; set MOONPOOL_HOME");
		return MP_ENOTFOUND;
	}
	int rc = read_modules(policies, message, size);
	if (rc == 0 && mp_sample_init(&policies->sample) != 0) {
		snprintf(message, size, "out of memory");
		rc = MP_ENOMEM;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS && rc == 0; kind++)
		if (policies->slots[kind].choice.policy != NULL)
			rc = mp_policy_load(&policies->slots[kind], true, message, size);
	return rc;
}

struct mp_policies *mp_policies_new(struct mp_loop *loop, const struct mp_policies_config *config,
                                    char *message, size_t message_size)
{
	struct mp_policies *policies = make_empty(loop);
	if (policies == NULL || !copy_config(policies, config)) {
		snprintf(message, message_size, "out of memory");
		mp_policies_free(policies);
		return NULL;
	}
	if (load_all(policies, message, message_size) != 0) {
		mp_policies_free(policies);
		return NULL;
	}
	mp_policy_install(policies);
	return policies;
}

void mp_policy_install(struct mp_policies *policies)
{
	policies->policies = (struct mp_policy_calls){
		.balance = {.self = NULL, .plan = mp_default_plan},
		.retry = {.self = NULL, .decide = mp_default_retry},
	};
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		if (policies->slots[kind].current != NULL)
			mp_policy_ops((enum mp_policy_kind)kind)->serve(&policies->slots[kind], &policies->policies);
}

static void free_slot(struct mp_policy_slot *slot)
{
	mp_policy_unwatch(slot);
	mp_generation_free(slot->current);
	mp_generation_free(slot->retired);
	mp_generation_free(slot->discarded);
	mp_policy_state_free(slot->tried);
	mp_policy_free_choice(&slot->choice);
	mp_free(slot->service);
}

void mp_policies_free(struct mp_policies *policies)
{
	if (policies == NULL)
		return;
	if (policies->in_event) {
		policies->free_wanted = true;
		return;
	}
	mp_task_cancel(policies->loop, &policies->task);
	mp_timer_stop(&policies->later);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		free_slot(&policies->slots[kind]);
	for (size_t i = 0; i < MP_POLICY_MODULES; i++)
		mp_buf_deinit(&policies->modules[i].code);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		mp_buf_deinit(&policies->drivers[kind].code);
	mp_policy_state_free(policies->spare);
	mp_sample_deinit(&policies->sample);
	for (size_t i = 0; i < policies->source.path_count; i++)
		mp_free(policies->source.paths[i]);
	mp_free(policies->source.paths);
	mp_free(policies->home);
	mp_free(policies->where);
	mp_free(policies);
}

const struct mp_policy_calls *mp_policies_get(const struct mp_policies *policies)
{
	return &policies->policies;
}

int mp_policies_bind(struct mp_policies *policies, struct mp_view *view, const struct mp_policy_names *names)
{
	policies->view = view;
	policies->has_names = names != NULL;
	if (names != NULL)
		policies->names = *names;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		char message[MP_POLICY_TEXT];
		if (slot->current == NULL)
			continue;
		if (mp_policy_rebind(slot, message, sizeof(message)) != 0) {
			mp_log_write(policies->log, MP_LOG_ERROR, "policy %s: %s", slot->current->state->name, message);
			return MP_ESCRIPT;
		}
	}
	return 0;
}

// ---- by hand ------------------------------------------------------------------------------------------------------

int mp_policies_reload(struct mp_policies *policies, char *message, size_t message_size)
{
	int rc = 0;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		char why[MP_POLICY_TEXT];
		struct mp_policy_slot *slot = &policies->slots[kind];
		if (slot->current == NULL || mp_policy_reload(slot, true, why, sizeof(why)) == 0)
			continue;
		if (rc == 0)
			snprintf(message, message_size, "%s", why);
		rc = MP_ESCRIPT;
	}
	return rc;
}

int mp_policies_rollback(struct mp_policies *policies, enum mp_policy_kind kind)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	struct mp_generation *left = slot->current != NULL ? mp_policy_go_back(slot) : NULL;
	if (left == NULL)
		return MP_ENOTFOUND;
	mp_policy_discard(slot, left);
	mp_policy_tell(slot, MP_POLICY_RELOADED, "");
	return 0;
}

bool mp_policies_info(const struct mp_policies *policies, enum mp_policy_kind kind,
                      struct mp_policy_info *info)
{
	const struct mp_policy_slot *slot = &policies->slots[kind];
	const struct mp_generation *generation = slot->current;
	memset(info, 0, sizeof(*info));
	if (generation == NULL)
		return false;
	struct mp_policy_state *state = generation->state;
	*info = (struct mp_policy_info){
		.name = state->name,
		.file = state->files[0],
		.child = state->child,
		.generation = generation->number,
		.since_ms = generation->since_ms,
		.calls = generation->calls,
		.errors = generation->errors,
		.ns_per_call = generation->timed_calls == 0 ? 0 : generation->timed_ns / generation->timed_calls,
		.reloads = slot->reloads,
		.refused = slot->refused,
		.memory_bytes = state->vm.used_bytes,
		.allocations = state->vm.allocs,
		.given_bytes = state->vm.given_bytes,
		.has_loop = state->loop_at[0] != '\0',
		.is_compiled = mp_policy_state_is_compiled(state),
		.bytes_per_call = state->bytes_per_call,
		.is_slow = mp_policy_is_slow(state, NULL, 0),
		.is_suspended = slot->suspended,
		.last_error = slot->last_error,
	};
	return true;
}

// ---- news ---------------------------------------------------------------------------------------------------------

void mp_policies_listen(struct mp_policies *policies,
                        void (*on_event)(void *data, const struct mp_policy_event *event), void *data)
{
	policies->on_event = on_event;
	policies->event_data = data;
}

void mp_policy_tell(struct mp_policy_slot *slot, enum mp_policy_event_kind kind, const char *message)
{
	struct mp_policies *policies = slot->owner;
	// When nobody comes to read them, the oldest go.
	if (policies->news_count == MP_POLICY_EVENTS) {
		memmove(policies->news, policies->news + 1, sizeof(policies->news[0]) * (MP_POLICY_EVENTS - 1));
		policies->news_count--;
	}
	struct mp_policy_news *news = &policies->news[policies->news_count++];
	news->kind = kind;
	news->policy = slot->kind;
	news->generation = slot->current->number;
	snprintf(news->name, sizeof(news->name), "%s", slot->current->state->name);
	snprintf(news->file, sizeof(news->file), "%s", slot->current->state->files[0]);
	snprintf(news->message, sizeof(news->message), "%s", message);
	mp_redact_line(news->message);
	mp_task_post(policies->loop, &policies->task, MP_PHASE_RUN);
}

static void tell_one(struct mp_policies *policies)
{
	struct mp_policy_news news = policies->news[0];
	policies->news_count--;
	memmove(policies->news, policies->news + 1, sizeof(policies->news[0]) * policies->news_count);
	struct mp_policy_event event = {
		.kind = news.kind,
		.policy = news.policy,
		.name = news.name,
		.file = news.file,
		.generation = news.generation,
		.message = news.message,
	};
	if (policies->on_event != NULL)
		policies->on_event(policies->event_data, &event);
}

// What takes long and can wait, one thing at a time: traffic goes on in between.
static void on_later(void *data)
{
	struct mp_policies *policies = data;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		if (policies->slots[kind].tried == NULL)
			continue;
		mp_policy_finish(&policies->slots[kind]);
		if (mp_policy_later(policies))
			return;
	}
	if (policies->wants_spare)
		mp_policy_prepare(policies);
	policies->wants_spare = false;
}

bool mp_policy_later(struct mp_policies *policies)
{
	return mp_timer_start_ms(&policies->later, LATER_MS) == 0;
}

// What is not done inside of a decision: freeing what failed, collecting garbage, telling.
static void work(void *data)
{
	struct mp_policies *policies = data;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		mp_generation_free(slot->retired);
		mp_generation_free(slot->discarded);
		slot->retired = NULL;
		slot->discarded = NULL;
		if (slot->needs_collect)
			mp_policy_state_collect(slot->current->state);
		slot->needs_collect = false;
	}
	policies->in_event = true;
	while (policies->news_count > 0 && !policies->free_wanted)
		tell_one(policies);
	policies->in_event = false;
	if (policies->free_wanted)
		mp_policies_free(policies);
}
