// SPDX-License-Identifier: Apache-2.0
#include "nginx/bell.h"

#include <dlfcn.h>
#include <limits.h>

#include <ngx_config.h>
#include <ngx_core.h>

static struct {
	int (*make)(struct mp_bell **bell, int n, char **why);
	int (*post)(struct mp_bell *bell, int n);
	int (*wait)(void *r, struct mp_bell *bell, int wait_ms, u_char *why, size_t *why_len);
	int (*count)(struct mp_bell *bell);
	void (*gc)(struct mp_bell *bell);
} lua;

static bool find(const char *name, void *to)
{
	void *found = dlsym(RTLD_DEFAULT, name);
	*(void **)to = found;
	return found != NULL;
}

const char *mp_bell_find(void)
{
#define FIND(name, field)                \
	if (!find(name, (void *)&lua.field)) \
		return name;
	FIND("ngx_http_lua_ffi_sema_new", make)
	FIND("ngx_http_lua_ffi_sema_post", post)
	FIND("ngx_http_lua_ffi_sema_wait", wait)
	FIND("ngx_http_lua_ffi_sema_count", count)
	FIND("ngx_http_lua_ffi_sema_gc", gc)
#undef FIND
	return NULL;
}

struct mp_bell *mp_bell_new(void)
{
	struct mp_bell *bell = NULL;
	char *why = NULL;
	return lua.make(&bell, 0, &why) == NGX_OK ? bell : NULL;
}

void mp_bell_free(struct mp_bell *bell)
{
	lua.gc(bell);
}

void mp_bell_wait(struct mp_bell *bell, void *r)
{
	u_char why[256];
	int rc;
	do { // rings that nobody came for
		size_t why_len = sizeof(why);
		rc = lua.wait(r, bell, INT_MAX, why, &why_len);
	} while (rc == NGX_OK);
	mp_assert(rc == NGX_AGAIN);
}

bool mp_bell_is_waited_at(struct mp_bell *bell)
{
	return lua.count(bell) < 0;
}

bool mp_bell_ring(struct mp_bell *bell)
{
	if (!mp_bell_is_waited_at(bell))
		return false;
	(void)lua.post(bell, 1);
	return true;
}
