// SPDX-License-Identifier: Apache-2.0
// Profiles: options that requests have unless they say otherwise, by a name of the configuration. The one without a
// name is every request's (the key `defaults`); what a named one gives goes before it.
#pragma once

#include "base/cursor.h"
#include "base/defs.h"

struct mp_request_options;
struct mp_session;
struct mp_session_config;

enum {
	MP_PROFILE_CONSISTENCY = 1,
	MP_PROFILE_SERIAL = 2,
	MP_PROFILE_TIMEOUT = 4,
	MP_PROFILE_IDEMPOTENT = 8,
	MP_PROFILE_PAGE_SIZE = 16,
	MP_PROFILE_TRACE = 32,
	MP_PROFILE_TAG = 64,
};

struct mp_profile {
	const char *name; // "": the defaults
	const char *tag;  // NULL: none
	uint8_t given;    // bits of what it says
	bool idempotent, trace;
	uint16_t consistency, serial_consistency;
	uint32_t timeout_ms;
	int32_t page_size;
};

// Of a session's configuration; NULL: there is none of that name.
const struct mp_profile *mp_profile_find(const struct mp_session *session, struct mp_str name);
const struct mp_profile *mp_session_defaults(const struct mp_session *session); // NULL: none
const char *mp_profile_name(const struct mp_session *session, size_t i);        // NULL: no more
// What it gives, but for the bits `except`.
void mp_profile_apply(const struct mp_profile *profile, struct mp_session *session, uint32_t except,
                      struct mp_request_options *options);
// A profile without a name that gives what these options say otherwise than each request does; but for a tag, which is
// a number here.
struct mp_profile mp_profile_of(const struct mp_session *session, const struct mp_request_options *options);
// The configuration was taken over: what a request has when it is taken.
void mp_profiles_reconfigure(struct mp_session *session);

// Copies with strings of their own, for config.c.
int mp_profiles_copy(struct mp_session_config *to, const struct mp_session_config *from) MP_MUST_CHECK;
void mp_profiles_free(struct mp_session_config *config);
