// SPDX-License-Identifier: Apache-2.0
#include "cluster/profile.h"

#include "base/mem.h"
#include "cluster/session_internal.h"

const struct mp_profile *mp_profile_find(const struct mp_session *session, struct mp_str name)
{
	for (size_t i = 0; i < session->config.profile_count; i++)
		if (mp_str_is(name, session->config.profiles[i].name))
			return &session->config.profiles[i];
	return NULL;
}

const struct mp_profile *mp_session_defaults(const struct mp_session *session)
{
	return session->defaults;
}

const char *mp_profile_name(const struct mp_session *session, size_t i)
{
	return i < session->config.profile_count ? session->config.profiles[i].name : NULL;
}

void mp_profile_apply(const struct mp_profile *profile, struct mp_session *session, uint32_t except,
                      struct mp_request_options *options)
{
	uint32_t given = profile->given & ~except;
	if (given & MP_PROFILE_CONSISTENCY)
		options->consistency = profile->consistency;
	if (given & MP_PROFILE_SERIAL)
		options->serial_consistency = profile->serial_consistency;
	if (given & MP_PROFILE_TIMEOUT)
		options->timeout_ms = profile->timeout_ms;
	if (given & MP_PROFILE_IDEMPOTENT)
		options->idempotent = profile->idempotent;
	if (given & MP_PROFILE_PAGE_SIZE)
		options->page_size = profile->page_size;
	if (given & MP_PROFILE_TRACE)
		options->trace = profile->trace;
	if (given & MP_PROFILE_TAG)
		options->tag = mp_session_tag_id(session, mp_str_of(profile->tag));
}

struct mp_profile mp_profile_of(const struct mp_session *session, const struct mp_request_options *options)
{
	const struct mp_request_options *taken = &session->taken;
	struct mp_profile profile = {
		.name = "",
		.idempotent = options->idempotent,
		.trace = options->trace,
		.consistency = options->consistency,
		.serial_consistency = options->serial_consistency,
		.timeout_ms = options->timeout_ms,
		.page_size = options->page_size,
	};
	unsigned given = (options->consistency != taken->consistency ? MP_PROFILE_CONSISTENCY : 0) |
	                 (options->serial_consistency != taken->serial_consistency ? MP_PROFILE_SERIAL : 0) |
	                 (options->timeout_ms != taken->timeout_ms ? MP_PROFILE_TIMEOUT : 0) |
	                 (options->idempotent != taken->idempotent ? MP_PROFILE_IDEMPOTENT : 0) |
	                 (options->page_size != taken->page_size ? MP_PROFILE_PAGE_SIZE : 0) |
	                 (options->trace != taken->trace ? MP_PROFILE_TRACE : 0);
	profile.given = (uint8_t)given;
	return profile;
}

void mp_profiles_reconfigure(struct mp_session *session)
{
	session->taken = (struct mp_request_options){.consistency = MP_CL_LOCAL_ONE, .pinned_host = MP_NO_HOST};
	session->defaults = mp_profile_find(session, (struct mp_str){"", 0});
	if (session->defaults != NULL)
		mp_profile_apply(session->defaults, session, 0, &session->taken);
}

// ---- copies -----------------------------------------------------------------------------------------------

int mp_profiles_copy(struct mp_session_config *to, const struct mp_session_config *from)
{
	to->profile_count = 0;
	to->profiles = NULL;
	struct mp_profile *profiles = mp_calloc(from->profile_count + 1, sizeof(*profiles));
	if (profiles == NULL)
		return MP_ENOMEM;
	to->profiles = profiles;
	for (size_t i = 0; i < from->profile_count; i++) {
		profiles[i] = from->profiles[i];
		profiles[i].name = mp_strdup(from->profiles[i].name);
		profiles[i].tag = from->profiles[i].tag != NULL ? mp_strdup(from->profiles[i].tag) : NULL;
		to->profile_count = i + 1;
		if (profiles[i].name == NULL || (profiles[i].tag == NULL) != (from->profiles[i].tag == NULL))
			return MP_ENOMEM;
	}
	return 0;
}

void mp_profiles_free(struct mp_session_config *config)
{
	for (size_t i = 0; i < config->profile_count; i++) {
		mp_free((void *)(uintptr_t)config->profiles[i].name);
		mp_free((void *)(uintptr_t)config->profiles[i].tag);
	}
	mp_free((void *)(uintptr_t)config->profiles);
}
