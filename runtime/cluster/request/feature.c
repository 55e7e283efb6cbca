// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/feature.h"

#include <stdio.h>

#include "cluster/request/batch.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define LENGTH_UNSET (-2)

// Before v4 every negative length is null: an unset value would delete what is stored.
bool mp_values_have_unset(struct mp_str values, uint32_t count, bool named)
{
	struct mp_cursor cur = mp_cursor_on(values.data, values.len);
	for (uint32_t i = 0; i < count && !cur.failed; i++) {
		if (named)
			(void)mp_cursor_string(&cur);
		int32_t len = mp_cursor_i32(&cur);
		if (len == LENGTH_UNSET)
			return true;
		if (len > 0)
			(void)mp_cursor_take(&cur, (size_t)len);
	}
	return false;
}

static bool has_unset(const struct mp_request *request)
{
	if (request->batch != NULL)
		return mp_batch_has_unset(request);
	return mp_values_have_unset((struct mp_str){(const char *)request->values.data, request->values.len},
	                            request->value_count, request->named_values);
}

static bool names_keyspace(const struct mp_request *request)
{
	if (request->prepared != NULL)
		return request->prepared->sent_keyspace.len > 0;
	const char *own = request->session->config.keyspace;
	return request->keyspace.len > 0 && !(own != NULL && mp_str_is(request->keyspace, own));
}

extern inline enum mp_feature mp_feature_lacking(const struct mp_request *request, uint8_t version);

enum mp_feature mp_feature_find_lacking(const struct mp_request *request, uint8_t version)
{
	if (names_keyspace(request))
		return MP_FEATURE_KEYSPACE;
	if (version < 4 && request->payload.len > 0)
		return MP_FEATURE_PAYLOAD;
	return version < 4 && has_unset(request) ? MP_FEATURE_UNSET : MP_FEATURE_NONE;
}

const char *mp_feature_say(enum mp_feature feature, uint8_t version, char text[MP_FEATURE_TEXT])
{
	static const struct {
		unsigned since;
		const char *what, *cure;
	} features[] = {[MP_FEATURE_NONE] = {0, "this", "ask for something else"},
#define X(name, since, what, cure) [MP_FEATURE_##name] = {since, what, cure},
	                MP_FEATURES(X)
#undef X
	};
	snprintf(text, MP_FEATURE_TEXT, "%s needs protocol v%u, and this connection speaks v%u: %s",
	         features[feature].what, features[feature].since, version, features[feature].cure);
	return text;
}
