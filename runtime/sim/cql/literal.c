// SPDX-License-Identifier: Apache-2.0
// Scalar literals: numbers, times, addresses, blobs, durations.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/uuid.h"
#include "sim/cql/term.h"
#include "wire/value.h"

#define LITERAL_MAX 128 // longest number or time in text form; varints and decimals may be longer

static int copy_text(struct mp_str text, char out[LITERAL_MAX])
{
	if (text.len == 0 || text.len >= LITERAL_MAX)
		return MP_ETYPE;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return 0;
}

static int integer(struct mp_str text, int64_t low, int64_t high, int64_t *value)
{
	char copy[LITERAL_MAX], *end;
	if (copy_text(text, copy) < 0)
		return MP_ETYPE;
	errno = 0;
	*value = strtoll(copy, &end, 10);
	return *end != '\0' || errno != 0 || *value < low || *value > high ? MP_ETYPE : 0;
}

static int put_integer(struct mp_str text, unsigned bytes, struct mp_buf *out)
{
	int64_t value, high = bytes == 8 ? INT64_MAX : (INT64_C(1) << (bytes * 8 - 1)) - 1;
	if (integer(text, -high - 1, high, &value) < 0)
		return MP_ETYPE;
	for (unsigned i = bytes; i > 0; i--)
		mp_buf_u8(out, (uint8_t)((uint64_t)value >> ((i - 1) * 8)));
	return 0;
}

static int put_float(struct mp_str text, bool wide, struct mp_buf *out)
{
	char copy[LITERAL_MAX], *end;
	if (copy_text(text, copy) < 0)
		return MP_ETYPE;
	double value = strtod(copy, &end);
	if (*end != '\0')
		return MP_ETYPE;
	if (wide)
		mp_write_f64(out, value);
	else
		mp_write_f32(out, (float)value);
	return 0;
}

static int put_blob(struct mp_str text, struct mp_buf *out)
{
	if (text.len < 2 || text.len % 2 != 0)
		return MP_ETYPE;
	for (size_t i = 2; i < text.len; i += 2) {
		char pair[3] = {text.data[i], text.data[i + 1], '\0'};
		mp_buf_u8(out, (uint8_t)strtoul(pair, NULL, 16));
	}
	return 0;
}

static int put_uuid(struct mp_str text, bool time, struct mp_buf *out)
{
	struct mp_uuid uuid;
	if (mp_uuid_parse(text.data, text.len, &uuid) < 0 || (time && uuid.bytes[6] >> 4 != 1))
		return MP_ETYPE;
	mp_buf_bytes(out, uuid.bytes, sizeof(uuid.bytes));
	return 0;
}

static int put_inet(struct mp_str text, struct mp_buf *out)
{
	struct mp_addr addr;
	if (mp_addr_parse_ip_text(text.data, text.len, 0, &addr) < 0)
		return MP_ETYPE;
	mp_buf_bytes(out, addr.ip, addr.ip_len);
	return 0;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar.
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// "2024-02-29" at the front of `text`: the days, and how many characters; 0: no date.
static int date_at(const char *text, int64_t *days)
{
	int year, month, day, used = 0;
	if (sscanf(text, "%d-%2d-%2d%n", &year, &month, &day, &used) != 3 || month < 1 || month > 12 || day < 1 ||
	    day > 31 || year < -999999 || year > 999999)
		return 0;
	*days = days_of(year, month, day);
	return used;
}

// "12:34[:56[.789]]": nanoseconds of the day, and how many characters; 0: no time.
static int time_at(const char *text, int64_t *nanos)
{
	int hour, minute, second = 0, used = 0, more = 0;
	if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) != 2 || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59)
		return 0;
	if (sscanf(text + used, ":%2d%n", &second, &more) == 1)
		used += more;
	if (second < 0 || second > 59)
		return 0;
	int64_t fraction = 0;
	if (text[used] == '.') {
		int64_t unit = 100000000;
		for (used++; isdigit((unsigned char)text[used]); used++, unit /= 10)
			fraction += unit * (text[used] - '0');
	}
	*nanos = ((hour * INT64_C(60) + minute) * 60 + second) * 1000000000 + fraction;
	return used;
}

static int put_time(struct mp_str text, struct mp_buf *out)
{
	char copy[LITERAL_MAX];
	int64_t nanos;
	int used = copy_text(text, copy) < 0 ? 0 : time_at(copy, &nanos);
	if (used == 0 || copy[used] != '\0')
		return MP_ETYPE;
	mp_buf_i64(out, nanos);
	return 0;
}

static int put_date(struct mp_str text, struct mp_buf *out)
{
	char copy[LITERAL_MAX];
	int64_t days;
	int used = copy_text(text, copy) < 0 ? 0 : date_at(copy, &days);
	if (used == 0 || copy[used] != '\0')
		return MP_ETYPE;
	mp_buf_u32(out, (uint32_t)(days + (INT64_C(1) << 31)));
	return 0;
}

static int put_timestamp(struct mp_str text, struct mp_buf *out)
{
	char copy[LITERAL_MAX];
	int64_t days, nanos = 0;
	int used = copy_text(text, copy) < 0 ? 0 : date_at(copy, &days);
	if (used == 0)
		return MP_ETYPE;
	const char *at = copy + used;
	if (*at == ' ' || *at == 'T') {
		used = time_at(at + 1, &nanos);
		if (used == 0)
			return MP_ETYPE;
		at += 1 + used;
	}
	int64_t zone_minutes = 0;
	if (*at == 'Z' && at[1] == '\0') {
		at++;
	} else if (*at == '+' || *at == '-') {
		int hours, minutes = 0, taken = 0;
		int fields = sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &taken);
		if (fields != 2 && (sscanf(at + 1, "%2d%2d%n", &hours, &minutes, &taken) != 2))
			return MP_ETYPE;
		zone_minutes = (*at == '-' ? -1 : 1) * (hours * 60 + minutes);
		at += 1 + taken;
	}
	if (*at != '\0')
		return MP_ETYPE;
	mp_buf_i64(out, days * 86400000 + nanos / 1000000 - zone_minutes * 60000);
	return 0;
}

struct amount {
	int64_t months;
	int64_t days;
	int64_t nanos;
};

static int add_unit(struct amount *sum, int64_t count, const char *unit, size_t len)
{
	static const struct {
		const char *name;
		int64_t months, days, nanos;
	} units[] = {{"y", 12, 0, 0},
	             {"mo", 1, 0, 0},
	             {"w", 0, 7, 0},
	             {"d", 0, 1, 0},
	             {"h", 0, 0, 3600000000000},
	             {"m", 0, 0, 60000000000},
	             {"s", 0, 0, 1000000000},
	             {"ms", 0, 0, 1000000},
	             {"us", 0, 0, 1000},
	             {"ns", 0, 0, 1}};
	for (size_t i = 0; i < MP_ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) != len || strncasecmp(units[i].name, unit, len) != 0)
			continue;
		if (count > 1000000000 && units[i].nanos != 1 && units[i].nanos != 1000)
			return MP_ETYPE;
		sum->months += units[i].months * count;
		sum->days += units[i].days * count;
		sum->nanos += units[i].nanos * count;
		return sum->months > INT32_MAX || sum->days > INT32_MAX ? MP_ETYPE : 0;
	}
	return MP_ETYPE;
}

static int put_duration(struct mp_str text, struct mp_buf *out)
{
	char copy[LITERAL_MAX];
	struct amount sum = {0};
	if (copy_text(text, copy) < 0)
		return MP_ETYPE;
	bool negative = copy[0] == '-', iso = (copy[negative] | 0x20) == 'p', time = false;
	for (char *at = copy + negative + iso; *at != '\0';) {
		if (iso && (*at | 0x20) == 't') {
			time = true;
			at++;
			continue;
		}
		char *unit;
		int64_t count = strtoll(at, &unit, 10);
		size_t len = iso ? 1 : strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		bool month = iso && !time && (*unit | 0x20) == 'm';
		if (unit == at || count < 0 || len == 0 ||
		    add_unit(&sum, count, month ? "mo" : unit, month ? 2 : len) < 0)
			return MP_ETYPE;
		at = unit + len;
	}
	int sign = negative ? -1 : 1;
	mp_write_duration(out, (int32_t)(sign * sum.months), (int32_t)(sign * sum.days), sign * sum.nanos);
	return 0;
}

static int put_string(struct mp_str text, const struct mp_type *type, struct mp_buf *out)
{
	switch (type->id) {
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR: mp_buf_bytes(out, text.data, text.len); return 0;
	case MP_TYPE_INET: return put_inet(text, out);
	case MP_TYPE_DATE: return put_date(text, out);
	case MP_TYPE_TIME: return put_time(text, out);
	case MP_TYPE_TIMESTAMP: return put_timestamp(text, out);
	default: return MP_ETYPE;
	}
}

static int put_number(struct mp_str text, const struct mp_type *type, bool whole, struct mp_buf *out)
{
	switch (type->id) {
	case MP_TYPE_FLOAT: return put_float(text, false, out);
	case MP_TYPE_DOUBLE: return put_float(text, true, out);
	case MP_TYPE_DECIMAL: return mp_write_decimal_text(out, text);
	default: break;
	}
	if (!whole)
		return MP_ETYPE;
	switch (type->id) {
	case MP_TYPE_TINYINT: return put_integer(text, 1, out);
	case MP_TYPE_SMALLINT: return put_integer(text, 2, out);
	case MP_TYPE_INT: return put_integer(text, 4, out);
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return put_integer(text, 8, out);
	case MP_TYPE_VARINT: return mp_write_varint_text(out, text);
	case MP_TYPE_DATE: {
		int64_t days;
		if (integer(text, 0, UINT32_MAX, &days) < 0)
			return MP_ETYPE;
		mp_buf_u32(out, (uint32_t)days);
		return 0;
	}
	default: return MP_ETYPE;
	}
}

int mp_sim_literal(enum mp_sim_term_kind kind, struct mp_str text, const struct mp_type *type,
                   struct mp_buf *out)
{
	switch (kind) {
	case MP_SIM_TERM_INT: return put_number(text, type, true, out);
	case MP_SIM_TERM_FLOAT: return put_number(text, type, false, out);
	case MP_SIM_TERM_STRING: return put_string(text, type, out);
	case MP_SIM_TERM_BOOL:
		mp_buf_u8(out, mp_str_is_nocase(text, "true"));
		return type->id == MP_TYPE_BOOLEAN ? 0 : MP_ETYPE;
	case MP_SIM_TERM_UUID:
		return type->id == MP_TYPE_UUID || type->id == MP_TYPE_TIMEUUID
		           ? put_uuid(text, type->id == MP_TYPE_TIMEUUID, out)
		           : MP_ETYPE;
	case MP_SIM_TERM_BLOB: return type->id == MP_TYPE_BLOB ? put_blob(text, out) : MP_ETYPE;
	case MP_SIM_TERM_DURATION: return type->id == MP_TYPE_DURATION ? put_duration(text, out) : MP_ETYPE;
	default: return MP_ETYPE;
	}
}
