// SPDX-License-Identifier: Apache-2.0
// Random calls that fill a request, or cancel it.
#include <moonpool.h>

#include "random_arguments.h"

void random_request_call(void)
{
	struct moonpool_request *request = pick(REQUESTS).at;
	static const uint8_t uuid[16] = {1, 2, 3};
	const char *text = below(4) == 0 ? odd_text() : "text";
	const char *some = below(8) == 0 ? NULL : "bytes";
	static const char *const types[] = {"int", "text, int", "list<int>, map<text, tuple<int, text>>", "int>"};
	const uint32_t which[] = {below(3), below(3)};
	switch (below(34)) {
	case 28: got("profile", moonpool_request_set_profile(request, text)); break;
	case 29:
		got("payload",
		    moonpool_request_add_payload(request, text, some, below(8) == 0 ? SIZE_MAX : below(3)));
		break;
	case 31: got("types", moonpool_request_set_types(request, below(4) == 0 ? text : types[below(4)])); break;
	case 32:
		got("routing_parameters", moonpool_request_set_routing_parameters(request, which, below(3)));
		break;
	case 30: got("misfit", moonpool_request_misfit(request)); break;
	case 16: got("bind_begin", moonpool_bind_begin(request)); break;
	case 17: got("bind_end", moonpool_bind_end(request)); break;
	case 18: got("bind_field", moonpool_bind_field(request, text)); break;
	case 19:
		got("bind_duration", moonpool_bind_duration(request, 1, below(2) == 0 ? 2 : INT32_MIN, 3));
		break;
	case 0: got("bind_int32", moonpool_bind_int32(request, (int32_t)below(50))); break;
	case 1: got("bind_int64", moonpool_bind_int64(request, below(2) == 0 ? 1 : INT64_MIN)); break;
	case 2: got("bind_double", moonpool_bind_double(request, 1e300)); break;
	case 3: got("bind_bool", moonpool_bind_bool(request, true)); break;
	case 4: got("bind_text", moonpool_bind_text(request, text, length_of(text))); break;
	case 5: got("bind_bytes", moonpool_bind_bytes(request, some, below(4) == 0 ? SIZE_MAX : below(5))); break;
	case 6: got("bind_uuid", moonpool_bind_uuid(request, below(4) == 0 ? NULL : uuid)); break;
	case 7: got("bind_null", moonpool_bind_null(request)); break;
	case 8: got("bind_unset", moonpool_bind_unset(request)); break;
	case 9:
		got("consistency", moonpool_request_set_consistency(request, (enum moonpool_consistency)below(14)));
		break;
	case 10:
		got("serial", moonpool_request_set_serial_consistency(request, (enum moonpool_consistency)below(14)));
		break;
	case 11:
		got("timeout", moonpool_request_set_timeout(request, below(3) == 0 ? UINT32_MAX : below(3000)));
		break;
	case 12: got("idempotent", moonpool_request_set_idempotent(request, below(2) == 0)); break;
	case 13: got("page_size", moonpool_request_set_page_size(request, (int32_t)below(50) - 5)); break;
	case 20: got("set_host", moonpool_request_set_host(request, below(2) == 0 ? text : "127.0.0.1")); break;
	case 21: got("routing_key", moonpool_request_set_routing_key(request, some, below(5))); break;
	case 22: got("set_tag", moonpool_request_set_tag(request, text)); break;
	case 23: got("set_keyspace", moonpool_request_set_keyspace(request, below(2) == 0 ? text : "app")); break;
	case 24: got("set_trace", moonpool_request_set_trace(request, below(2) == 0)); break;
	case 14: got("paging_state", moonpool_request_set_paging_state(request, some, below(5))); break;
	case 25:
	case 26:
	case 27: got("cancel", moonpool_request_cancel(request)); break;
	default: got("timestamp", moonpool_request_set_timestamp(request, INT64_MAX)); break;
	}
}
