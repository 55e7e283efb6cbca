// SPDX-License-Identifier: Apache-2.0
// The C API: what a statement says of its parameters and columns, as the server told it last.
#include "api/internal.h"
#include "wire/message.h"

// NULL: it has none, or why there is no statement was noted.
static const struct mp_metadata *params_of(const struct moonpool_statement *handle, const char *function)
{
	const struct mp_api_statement *statement = mp_api_statement_of(handle, function);
	return statement != NULL ? statement->prepared->params : NULL;
}

static const struct mp_metadata *columns_of(const struct moonpool_statement *handle, const char *function)
{
	const struct mp_api_statement *statement = mp_api_statement_of(handle, function);
	return statement != NULL ? statement->prepared->result : NULL;
}

static const struct mp_column *parameter_of(const struct moonpool_statement *handle, uint32_t parameter,
                                            const char *function)
{
	const struct mp_metadata *params = params_of(handle, function);
	if (params != NULL && parameter < params->column_count)
		return &params->columns[parameter];
	if (mp_api_statement_of(handle, function) != NULL)
		mp_api_refuse(function, MOONPOOL_INVALID_ARGUMENT, "the statement has no such parameter");
	return NULL;
}

static const struct mp_column *column_of(const struct moonpool_statement *handle, uint32_t column,
                                         const char *function)
{
	const struct mp_metadata *columns = columns_of(handle, function);
	if (columns != NULL && column < columns->column_count)
		return &columns->columns[column];
	if (mp_api_statement_of(handle, function) != NULL)
		mp_api_refuse(function, MOONPOOL_INVALID_ARGUMENT, "the statement has no such column");
	return NULL;
}

static int find(const struct moonpool_statement *handle, const struct mp_metadata *in, const char *name,
                const char *function, const char *missing)
{
	if (mp_api_statement_of(handle, function) == NULL)
		return moonpool_last_code();
	if (name == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the name is NULL");
	int index = in != NULL ? mp_metadata_find(in, mp_str_of(name)) : MP_ENOTFOUND;
	return index >= 0 ? index : mp_api_refuse(function, index, missing);
}

// ---- parameters -------------------------------------------------------------------------------------------

uint32_t moonpool_statement_parameters(const struct moonpool_statement *statement)
{
	const struct mp_metadata *params = params_of(statement, __func__);
	return params != NULL ? params->column_count : 0;
}

const char *moonpool_statement_parameter_name(const struct moonpool_statement *statement, uint32_t parameter)
{
	const struct mp_column *found = parameter_of(statement, parameter, __func__);
	return found != NULL ? found->name.data : NULL; // in an arena, NUL-terminated
}

int moonpool_statement_parameter(const struct moonpool_statement *statement, const char *name)
{
	return find(statement, params_of(statement, __func__), name, __func__,
	            "the statement has no parameter of that name");
}

uint16_t moonpool_statement_parameter_type(const struct moonpool_statement *statement, uint32_t parameter)
{
	const struct mp_column *found = parameter_of(statement, parameter, __func__);
	return found != NULL ? found->type->id : 0;
}

int moonpool_statement_parameter_type_text(const struct moonpool_statement *statement, uint32_t parameter,
                                           char *text, size_t size)
{
	const struct mp_column *found = parameter_of(statement, parameter, __func__);
	return found != NULL ? mp_api_type_text(found->type, text, size, __func__) : moonpool_last_code();
}

// ---- columns ----------------------------------------------------------------------------------------------

uint32_t moonpool_statement_columns(const struct moonpool_statement *statement)
{
	const struct mp_metadata *columns = columns_of(statement, __func__);
	return columns != NULL ? columns->column_count : 0;
}

const char *moonpool_statement_column_name(const struct moonpool_statement *statement, uint32_t column)
{
	const struct mp_column *found = column_of(statement, column, __func__);
	return found != NULL ? found->name.data : NULL;
}

int moonpool_statement_column(const struct moonpool_statement *statement, const char *name)
{
	return find(statement, columns_of(statement, __func__), name, __func__,
	            "the statement has no column of that name");
}

uint16_t moonpool_statement_column_type(const struct moonpool_statement *statement, uint32_t column)
{
	const struct mp_column *found = column_of(statement, column, __func__);
	return found != NULL ? found->type->id : 0;
}

int moonpool_statement_column_type_text(const struct moonpool_statement *statement, uint32_t column,
                                        char *text, size_t size)
{
	const struct mp_column *found = column_of(statement, column, __func__);
	return found != NULL ? mp_api_type_text(found->type, text, size, __func__) : moonpool_last_code();
}
