// SPDX-License-Identifier: Apache-2.0
// Values, options, parameters and what an answer tells, with every mistake.
#include "misuse.h"

#include <stdint.h>
#include <string.h>

// ---- on handles that are none -----------------------------------------------------------------------------

void option_calls(struct moonpool_request *bad, const char *why)
{
	IS(moonpool_request_set_host(bad, "127.0.0.1"), INVALID, why);
	IS(moonpool_request_set_routing_key(bad, "x", 1), INVALID, why);
	IS(moonpool_request_set_routing_parameters(bad, (const uint32_t[]){0}, 1), INVALID, why);
	IS(moonpool_request_set_tag(bad, "x"), INVALID, why);
	IS(moonpool_request_set_keyspace(bad, "x"), INVALID, why);
	IS(moonpool_request_add_payload(bad, "x", "y", 1), INVALID, why);
	IS(moonpool_request_set_trace(bad, true), INVALID, why);
	IS(moonpool_request_misfit(bad), INVALID, why);
	IS(moonpool_request_set_types(bad, "int"), INVALID, why);
}

void parameter_calls(struct moonpool_statement *bad, const char *why)
{
	char text[8];
	IS(moonpool_statement_set_defaults(bad, NULL), INVALID, why);
	IS(moonpool_statement_columns(bad), 0, why);
	NONE(moonpool_statement_column_name(bad, 0), INVALID, why);
	IS(moonpool_statement_column(bad, "id"), INVALID, why);
	IS(moonpool_statement_column_type(bad, 0), 0, why);
	IS(moonpool_statement_column_type_text(bad, 0, text, sizeof(text)), INVALID, why);
	NONE(moonpool_statement_parameter_name(bad, 0), INVALID, why);
	IS(moonpool_statement_parameter(bad, "id"), INVALID, why);
	IS(moonpool_statement_parameter_type(bad, 0), 0, why);
	IS(moonpool_statement_parameter_type_text(bad, 0, text, sizeof(text)), INVALID, why);
}

void told(const struct moonpool_result *bad, const char *why)
{
	uint8_t id[16] = {7};
	const char *text = "untouched";
	const void *bytes = NULL;
	size_t len = 9;
	IS(moonpool_result_column_type_text(bad, 0, (char *)id, sizeof(id)), INVALID, why);
	IS(moonpool_result_was_applied(bad), false, why);
	IS(moonpool_result_attempts(bad), 0, why);
	IS(moonpool_result_schema_agrees(bad), false, why);
	IS(moonpool_result_trace_id(bad, id), INVALID, why);
	IS(moonpool_result_warnings(bad), 0, why);
	IS(moonpool_result_warning(bad, 0, &text, &len), INVALID, why);
	IS(moonpool_result_payloads(bad), 0, why);
	IS(moonpool_result_payload(bad, 0, &text, &len, &bytes, &len), INVALID, why);
	check(__LINE__, "the places", id[0] == 7 && len == 9 && strcmp(text, "untouched") == 0, 1, NULL);
}

void told_of_key(const struct moonpool_result *result)
{
	uint8_t id[16];
	const void *bytes;
	const char *text;
	size_t len;
	IS(moonpool_result_trace_id(result, NULL), INVALID, "place");
	IS(moonpool_result_trace_id(result, id), MOONPOOL_NOT_FOUND, "not traced");
	IS(moonpool_result_warnings(result), 0, NULL);
	IS(moonpool_result_warning(result, 0, &text, &len), INVALID, "fewer warnings");
	IS(moonpool_result_warning(result, 0, NULL, &len), INVALID, "place");
	IS(moonpool_result_warning(result, 0, &text, NULL), INVALID, "place");
	IS(moonpool_result_payloads(result), 0, NULL);
	IS(moonpool_result_payload(result, 0, &text, &len, &bytes, &len), INVALID, "less entries");
	IS(moonpool_result_payload(result, 0, NULL, &len, &bytes, &len), INVALID, "place");
	IS(moonpool_result_was_applied(result), true, NULL);
}

// ---- on good ones -----------------------------------------------------------------------------------------

static void never_prepared(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	(void)got;
	never(data, NULL, error);
}

static void parameters(void)
{
	static char name[70000];
	char text[4] = "old";
	memset(name, 'k', sizeof(name) - 1);
	NONE(moonpool_statement_parameter_name(statement, 2), INVALID, "no such parameter");
	NONE(moonpool_statement_parameter_name(statement, UINT32_MAX), INVALID, "no such parameter");
	IS(moonpool_statement_parameter(statement, NULL), INVALID, "the name is NULL");
	IS(moonpool_statement_parameter(statement, "x"), MOONPOOL_NOT_FOUND, "no parameter of that name");
	IS(moonpool_statement_parameter_type(statement, 2), 0, "no such parameter");
	IS(moonpool_statement_parameter_type_text(statement, 2, text, 4), INVALID, "no such parameter");
	IS(moonpool_statement_parameter_type_text(statement, 0, NULL, 4), INVALID, "no place");
	IS(moonpool_statement_parameter_type_text(statement, 0, text, 0), INVALID, "no place");
	NONE(moonpool_statement_column_name(statement, 0), INVALID, "no such column");
	IS(moonpool_statement_column(statement, NULL), INVALID, "the name is NULL");
	IS(moonpool_statement_column(statement, "x"), MOONPOOL_NOT_FOUND, "no column of that name");
	IS(moonpool_statement_column_type(statement, 0), 0, "no such column");
	IS(moonpool_statement_column_type_text(statement, 0, text, 4), INVALID, "no such column");
	const char *cql = "SELECT key FROM system.local";
	IS(moonpool_prepare_in(session, NULL, cql, -1, never_prepared, NULL), INVALID, "name of a keyspace");
	IS(moonpool_prepare_in(session, "", cql, -1, never_prepared, NULL), INVALID, "name of a keyspace");
	IS(moonpool_prepare_in(session, name, cql, -1, never_prepared, NULL), INVALID, "name of a keyspace");
	IS(moonpool_prepare_in(session, "ks", NULL, -1, never_prepared, NULL), INVALID, "the text is NULL");
	IS(moonpool_prepare_in(session, "ks", cql, -1, NULL, NULL), INVALID, "the callback is NULL");
	REFUSED(moonpool_request_set_keyspace(request, "ks"), INVALID, "moonpool_prepare_in()");
	struct moonpool_request *plain = query(cql);
	IS(moonpool_request_set_keyspace(plain, NULL), INVALID, "name of a keyspace");
	IS(moonpool_request_set_keyspace(plain, name), INVALID, "name of a keyspace");
	IS(moonpool_execute(plain, never, NULL), INVALID, "was refused");
}

static void places(void)
{
	REFUSED(moonpool_request_set_host(request, NULL), INVALID, "the address is NULL");
	REFUSED(moonpool_request_set_host(request, ""), MOONPOOL_NOT_FOUND, "no such host");
	REFUSED(moonpool_request_set_host(request, "10.9.9.9"), MOONPOOL_NOT_FOUND, "no such host");
	REFUSED(moonpool_request_set_routing_key(request, NULL, 0), INVALID, "a byte or more");
	REFUSED(moonpool_request_set_routing_key(request, NULL, 4), INVALID, "a byte or more");
	REFUSED(moonpool_request_set_routing_key(request, "x", HUGE), INVALID, "2 GiB");
	static const uint32_t first[] = {0}, far[] = {UINT32_MAX};
	REFUSED(moonpool_request_set_routing_parameters(request, NULL, 1), INVALID, "a parameter or more");
	REFUSED(moonpool_request_set_routing_parameters(request, first, 0), INVALID, "a parameter or more");
	REFUSED(moonpool_request_set_routing_parameters(request, first, HUGE), INVALID, "a parameter or more");
	REFUSED(moonpool_request_set_routing_parameters(request, first, 1), INVALID, "has no value yet");
	REFUSED(moonpool_request_set_routing_parameters(request, far, 1), INVALID, "has no value yet");
	struct moonpool_request *batch = moonpool_batch_new(session, MOONPOOL_BATCH_LOGGED);
	IS(moonpool_request_set_routing_parameters(batch, first, 1), INVALID, "a batch has no parameters");
	IS(moonpool_request_free(batch), 0, NULL);
	REFUSED(moonpool_request_set_tag(request, NULL), INVALID, "the tag is NULL");
	struct moonpool_request *misfit = moonpool_request_new(statement);
	IS(moonpool_request_misfit(misfit), MOONPOOL_NOT_FOUND, "every value fits");
	IS(moonpool_bind_int32(misfit, 1), 0, NULL);
	IS(moonpool_bind_int32(misfit, 1), MOONPOOL_TYPE_MISMATCH, "parameter 2 (name, text)");
	IS(moonpool_request_misfit(misfit), 1, NULL);
	IS(moonpool_request_free(misfit), 0, NULL);
}

static void defaults(void)
{
	struct moonpool_request *model = moonpool_request_new(statement);
	IS(moonpool_bind_int32(model, 1), 0, NULL);
	IS(moonpool_statement_set_defaults(statement, model), INVALID, "has values");
	IS(moonpool_statement_set_defaults(statement, model), INVALID, "executed or freed already");
	model = moonpool_request_new(statement);
	IS(moonpool_request_set_timestamp(model, 1), 0, NULL);
	IS(moonpool_statement_set_defaults(statement, model), INVALID, "one request only");
	model = moonpool_request_new(statement);
	IS(moonpool_request_set_page_size(model, -1), INVALID, "rows");
	IS(moonpool_statement_set_defaults(statement, model), INVALID, "an option of the request was refused");
	model = moonpool_batch_new(session, MOONPOOL_BATCH_LOGGED);
	IS(moonpool_statement_set_defaults(statement, model), INVALID, "a batch");
	IS(moonpool_statement_set_defaults(statement, (void *)statement), INVALID, "of another kind");
	IS(moonpool_statement_set_defaults(statement, NULL), 0, NULL);
}

static void types(void)
{
	REFUSED(moonpool_request_set_types(request, NULL), INVALID, "the types are NULL");
	REFUSED(moonpool_request_set_types(request, "int"), INVALID, "only a query that is not prepared");
	struct moonpool_request *untyped = query("SELECT key FROM system.local WHERE key = ?");
	IS(moonpool_request_set_types(untyped, "int, nonsense"), INVALID, "CQL types with commas");
	IS(moonpool_execute(untyped, never, NULL), INVALID, "was refused");
	struct moonpool_request *typed = query("SELECT key FROM system.local WHERE key = ?");
	IS(moonpool_request_set_types(typed, "text, int"), 0, NULL);
	IS(moonpool_request_set_types(typed, "text, int"), INVALID, "once");
	IS(moonpool_bind_text(typed, "local", -1), 0, NULL);
	IS(moonpool_bind_text(typed, "local", -1), MOONPOOL_TYPE_MISMATCH, "parameter 2 (?, int)");
	IS(moonpool_request_misfit(typed), 1, NULL);
	IS(moonpool_bind_begin(typed), INVALID, "no more parameters");
	IS(moonpool_request_free(typed), 0, NULL);
}

void values(void)
{
	defaults();
	types();
	REFUSED(moonpool_bind_text(request, NULL, -1), INVALID, "the text is NULL");
	REFUSED(moonpool_bind_text(request, NULL, 5), INVALID, "the text is NULL");
	REFUSED(moonpool_bind_text(request, "x", -2), INVALID, "length");
	REFUSED(moonpool_bind_text(request, "x", PTRDIFF_MAX), INVALID, "2 GiB");
	REFUSED(moonpool_bind_bytes(request, NULL, 1), INVALID, "the bytes are NULL");
	REFUSED(moonpool_bind_bytes(request, "x", HUGE), INVALID, "2 GiB");
	REFUSED(moonpool_bind_uuid(request, NULL), INVALID, "the uuid is NULL");
	REFUSED(moonpool_bind_text(request, "x", 1), MOONPOOL_TYPE_MISMATCH, "parameter 1 (id, int)");
	REFUSED(moonpool_bind_int64(request, INT64_MAX), MOONPOOL_TYPE_MISMATCH, "parameter 1 (id, int)");
	REFUSED(moonpool_bind_double(request, 1.5), MOONPOOL_TYPE_MISMATCH, "parameter 1 (id, int)");
	REFUSED(moonpool_request_set_consistency(request, (enum moonpool_consistency)11), INVALID, "consistency");
	REFUSED(moonpool_request_set_consistency(request, (enum moonpool_consistency) - 1), INVALID,
	        "consistency");
	REFUSED(moonpool_request_set_consistency(request, (enum moonpool_consistency)65536), INVALID,
	        "consistency");
	REFUSED(moonpool_request_set_serial_consistency(request, MOONPOOL_ONE), INVALID, "MOONPOOL_SERIAL");
	REFUSED(moonpool_request_set_serial_consistency(request, (enum moonpool_consistency)99), INVALID,
	        "SERIAL");
	REFUSED(moonpool_request_set_page_size(request, -1), INVALID, "number of rows");
	REFUSED(moonpool_request_set_page_size(request, INT32_MIN), INVALID, "number of rows");
	REFUSED(moonpool_request_set_timestamp(request, INT64_MIN), INVALID, "no time");
	REFUSED(moonpool_request_set_profile(request, NULL), INVALID, "the name is NULL");
	struct moonpool_request *unknown = query("SELECT key FROM system.local");
	IS(moonpool_request_set_profile(unknown, "x"), MOONPOOL_NOT_FOUND, "no such profile");
	IS(moonpool_request_set_profile(unknown, ""), MOONPOOL_NOT_FOUND, "no such profile");
	IS(moonpool_request_free(unknown), 0, NULL);
	REFUSED(moonpool_request_set_paging_state(request, NULL, 3), INVALID, "the bytes are NULL");
	REFUSED(moonpool_request_set_paging_state(request, "x", HUGE), INVALID, "2 GiB");
	struct moonpool_request *twice = moonpool_request_new(statement);
	IS(moonpool_request_set_paging_state(twice, "x", 1), 0, NULL);
	IS(moonpool_request_set_paging_state(twice, "x", 1), INVALID, "already");
	IS(moonpool_request_free(twice), 0, NULL);
	IS(moonpool_request_free(twice), INVALID, "executed or freed already");
	struct moonpool_request *few = moonpool_request_new(statement);
	IS(moonpool_bind_int32(few, 1), 0, NULL);
	IS(moonpool_execute(few, never, NULL), INVALID, "not every parameter");
	struct moonpool_request *many = moonpool_request_new(statement);
	IS(moonpool_bind_int32(many, 1) + moonpool_bind_bytes(many, NULL, 0), 0, NULL);
	IS(moonpool_bind_null(many), INVALID, "no more parameters");
	IS(moonpool_execute(many, never, NULL), INVALID, "was refused");
	struct moonpool_request *none = query("SELECT key FROM system.local");
	IS(moonpool_request_set_types(none, ""), 0, NULL);
	IS(moonpool_bind_text(none, "x", -1), INVALID, "no more parameters");
	IS(moonpool_request_free(none), 0, NULL);
	parameters();
	places();
}
