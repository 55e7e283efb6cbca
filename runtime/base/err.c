// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

const char *mp_err_name(int err)
{
	switch (err) {
	case MP_OK: return "OK";
#define X(sym, value, name, text) \
	case sym: return name;
		MP_ERRORS(X)
#undef X
	default: return "UNKNOWN";
	}
}

const char *mp_err_text(int err)
{
	switch (err) {
	case MP_OK: return "no error";
#define X(sym, value, name, text) \
	case sym: return text;
		MP_ERRORS(X)
#undef X
	default: return "unknown error";
	}
}
