// SPDX-License-Identifier: Apache-2.0
// What later versions of the protocol brought and a request may use. It is judged when it is encoded, by the version of
// the connection in hand: nodes of one cluster may speak different ones, and a request may move between them. A host
// that lacks what the request needs is passed over; when no other is left, the error says what is missing.
//
// Of the rest of v4 and v5, now_in_seconds is never sent; segments, the id of a result's metadata
// and STARTUP's THROW_ON_OVERLOAD follow the version by themselves; the indexes of the partition key, warnings and the
// details of errors are read where they come. Types that came later are CUSTOM ones before (wire/type.c), with the same
// bytes. Named values and a timestamp are as old as v3.
#pragma once

#include "cluster/session.h"

// X(symbol, since, "what", "what to do instead")
// clang-format off
#define MP_FEATURES(X)                                                                                \
	X(UNSET, 4, "an unset value", "bind a value or null, or leave the column out of the statement")   \
	X(PAYLOAD, 4, "a custom payload", "leave it out")                                                 \
	X(KEYSPACE, 5, "a keyspace of the request's own", "name the keyspace in front of the table")
// clang-format on
enum mp_feature {
	MP_FEATURE_NONE,
#define X(name, since, what, cure) MP_FEATURE_##name,
	MP_FEATURES(X)
#undef X
};

// The first one that the request uses and this version has not. Most use none, which is seen without looking closer.
enum mp_feature mp_feature_find_lacking(const struct mp_request *request, uint8_t version);
inline enum mp_feature mp_feature_lacking(const struct mp_request *request, uint8_t version)
{
	const struct mp_prepared *prepared = request->prepared;
	bool names_none = (prepared != NULL ? prepared->sent_keyspace : request->keyspace).len == 0;
	bool has_all = version >= 5 || (version == 4 && names_none);
	return MP_LIKELY(has_all) ? MP_FEATURE_NONE : mp_feature_find_lacking(request, version);
}
bool mp_values_have_unset(struct mp_str values, uint32_t count, bool named);
// "an unset value needs protocol v4, and this connection speaks v3: bind ..."
#define MP_FEATURE_TEXT 192
const char *mp_feature_say(enum mp_feature feature, uint8_t version, char text[MP_FEATURE_TEXT]);
