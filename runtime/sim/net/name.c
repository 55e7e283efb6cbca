// SPDX-License-Identifier: Apache-2.0
// Names and files of the simulated world: a table of names, looked at when the answer comes, and watches that
// hear of a touch 20 ms later.
#include "sim/net/internal.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

#define SETTLE_NS 20000000u

struct sim_name {
	struct mp_list_node node;
	char *host;
	size_t count;
	struct mp_addr addrs[];
};

struct sim_resolve {
	struct mp_resolve base;
	struct mp_timer answer;
	uint16_t port;
	char *host;
};

struct sim_watch {
	struct mp_watch base;
	struct mp_list_node node;
	struct mp_timer settle;
	char *path;
};

// ---- names ------------------------------------------------------------------------------------------------

static struct sim_name *find_name(struct mp_loop_sim *world, const char *host)
{
	for (struct mp_list_node *node = mp_list_first(&world->names); node != NULL;
	     node = mp_list_next(&world->names, node)) {
		struct sim_name *name = MP_CONTAINER_OF(node, struct sim_name, node);
		if (strcasecmp(name->host, host) == 0)
			return name;
	}
	return NULL;
}

static void free_name(struct mp_loop_sim *world, struct sim_name *name)
{
	mp_list_remove(&world->names, &name->node);
	mp_free(name->host);
	mp_free(name);
}

int mp_loop_sim_set_name(struct mp_loop *loop, const char *host, const struct mp_addr *addrs, size_t count)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	if (count > UINT16_MAX)
		return MP_EINVAL;
	struct sim_name *name = mp_calloc(1, sizeof(*name) + count * sizeof(*addrs));
	char *copy = mp_strdup(host);
	if (name == NULL || copy == NULL) {
		mp_free(name);
		mp_free(copy);
		return MP_ENOMEM;
	}
	mp_list_node_init(&name->node);
	name->host = copy;
	name->count = count;
	if (count > 0)
		memcpy(name->addrs, addrs, count * sizeof(*addrs));
	struct sim_name *old = find_name(world, host);
	if (old != NULL)
		free_name(world, old);
	mp_list_push_back(&world->names, &name->node);
	return 0;
}

static void collect(const struct sim_name *name, uint8_t ip_len, uint16_t port, struct mp_addr *addrs,
                    size_t *count)
{
	for (size_t i = 0; i < name->count; i++) {
		struct mp_addr addr = name->addrs[i];
		if (addr.ip_len != ip_len)
			continue;
		addr.port = port;
		mp_loop_add_addr(addrs, count, &addr);
	}
}

static size_t look_up(struct mp_loop_sim *world, const char *host, uint16_t port, struct mp_addr *addrs)
{
	size_t count = 0;
	if (mp_addr_parse_ip(host, port, &addrs[0]) == 0)
		return 1;
	const struct sim_name *name = find_name(world, host);
	if (name != NULL) {
		collect(name, 4, port, addrs, &count);
		collect(name, 16, port, addrs, &count);
	} else if (strcasecmp(host, "localhost") == 0) {
		addrs[count++] = mp_addr_v4(127, 0, 0, 1, port);
	}
	return count;
}

static void free_resolve(struct sim_resolve *self)
{
	struct mp_loop_sim *world = mp_sim_of(self->base.loop);
	mp_sim_stop(world, &self->answer);
	mp_sim_unreserve(world, 1);
	mp_free(self->host);
	mp_free(self);
}

static void on_answer(void *data)
{
	struct sim_resolve *self = data;
	struct mp_loop_sim *world = mp_sim_of(self->base.loop);
	struct mp_addr addrs[MP_RESOLVE_MAX];
	size_t count = look_up(world, self->host, self->port, addrs);
	mp_sim_note(world, "resolved", 0, self->host, strlen(self->host));
	mp_loop_resolved(&self->base, count > 0 ? 0 : MP_ERESOLVE, addrs, count);
	free_resolve(self);
}

struct mp_resolve *mp_sim_resolve(struct mp_loop *loop, const char *host, uint16_t port, int *err)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	struct sim_resolve *self = mp_calloc(1, sizeof(*self));
	char *copy = mp_strdup(host);
	if (self == NULL || copy == NULL || mp_sim_reserve(world, 1) != 0) {
		mp_free(self);
		mp_free(copy);
		*err = MP_ENOMEM;
		return NULL;
	}
	self->base.loop = loop;
	self->host = copy;
	self->port = port;
	mp_timer_init(&self->answer, loop, on_answer, self);
	struct mp_addr literal;
	bool is_literal = mp_addr_parse_ip(host, port, &literal) == 0;
	mp_sim_in(world, &self->answer, is_literal ? 0 : world->resolve_delay_ns);
	return &self->base;
}

void mp_sim_cancel(struct mp_resolve *resolve)
{
	free_resolve(MP_CONTAINER_OF(resolve, struct sim_resolve, base));
}

void mp_loop_sim_set_resolve_delay(struct mp_loop *loop, uint64_t delay_ns)
{
	mp_sim_of(loop)->resolve_delay_ns = delay_ns;
}

// ---- files ------------------------------------------------------------------------------------------------

static void on_settled(void *data)
{
	struct sim_watch *self = data;
	self->base.loop->ran = true;
	mp_sim_note(mp_sim_of(self->base.loop), "changed", 0, self->path, strlen(self->path));
	self->base.on_change(self->base.data);
}

struct mp_watch *mp_sim_watch(struct mp_loop *loop, const char *path, int *err)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	struct sim_watch *self = mp_calloc(1, sizeof(*self));
	char *copy = mp_strdup(path);
	if (self == NULL || copy == NULL || mp_sim_reserve(world, 1) != 0) {
		mp_free(self);
		mp_free(copy);
		*err = MP_ENOMEM;
		return NULL;
	}
	self->base.loop = loop;
	self->path = copy;
	mp_list_node_init(&self->node);
	mp_timer_init(&self->settle, loop, on_settled, self);
	mp_list_push_back(&world->watches, &self->node);
	return &self->base;
}

void mp_sim_unwatch(struct mp_watch *watch)
{
	struct sim_watch *self = MP_CONTAINER_OF(watch, struct sim_watch, base);
	struct mp_loop_sim *world = mp_sim_of(watch->loop);
	mp_sim_stop(world, &self->settle);
	mp_sim_unreserve(world, 1);
	mp_list_remove(&world->watches, &self->node);
	mp_free(self->path);
	mp_free(self);
}

void mp_loop_sim_touch(struct mp_loop *loop, const char *path)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	for (struct mp_list_node *node = mp_list_first(&world->watches); node != NULL;
	     node = mp_list_next(&world->watches, node)) {
		struct sim_watch *watch = MP_CONTAINER_OF(node, struct sim_watch, node);
		if (strcmp(watch->path, path) == 0 && !mp_timer_active(&watch->settle))
			mp_sim_in(world, &watch->settle, SETTLE_NS);
	}
}

void mp_sim_names_deinit(struct mp_loop_sim *world)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(&world->names)) != NULL)
		free_name(world, MP_CONTAINER_OF(node, struct sim_name, node));
}
