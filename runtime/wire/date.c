// SPDX-License-Identifier: Apache-2.0
// The proleptic Gregorian calendar.
#include "wire/date.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define EPOCH     (UINT32_C(1) << 31) // 1970-01-01
#define ERA_DAYS  146097              // 400 years
#define ERA_SHIFT 719468              // from 0000-03-01 to 1970-01-01

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

// Years are counted from March, so that the leap day is the last one.
void mp_date_format(uint32_t date, char text[MP_DATE_TEXT])
{
	int64_t days = (int64_t)date - EPOCH + ERA_SHIFT;
	int64_t era = floor_div(days, ERA_DAYS);
	int64_t day = days - era * ERA_DAYS;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	int64_t month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	month += month < 10 ? 3 : -9;
	year += era * 400 + (month <= 2 ? 1 : 0);
	snprintf(text, MP_DATE_TEXT, "%s%04d-%02d-%02d", year < 0 ? "-" : "", (int)(year < 0 ? -year : year),
	         (int)month, (int)day + 1);
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2 ? 1 : 0;
	int64_t era = floor_div(year, 400);
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * ERA_DAYS + day_of_era - ERA_SHIFT;
}

static bool digits(const char **pos, const char *end, int least, int most, int64_t *number)
{
	int count = 0;
	*number = 0;
	for (; *pos < end && **pos >= '0' && **pos <= '9' && count < most; (*pos)++, count++)
		*number = *number * 10 + (**pos - '0');
	return count >= least;
}

static bool dash(const char **pos, const char *end)
{
	if (*pos == end || **pos != '-')
		return false;
	(*pos)++;
	return true;
}

int mp_date_parse(const char *text, size_t len, uint32_t *date)
{
	const char *pos = text, *end = text + len;
	bool negative = dash(&pos, end);
	int64_t year, month, day;
	if (!digits(&pos, end, 4, 7, &year) || !dash(&pos, end) || !digits(&pos, end, 2, 2, &month) ||
	    !dash(&pos, end) || !digits(&pos, end, 2, 2, &day) || pos != end || month < 1 || month > 12 ||
	    day < 1)
		return MP_ETYPE;
	year = negative ? -year : year;
	int64_t days = days_of(year, month, day);
	int64_t next_month = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);
	if (days >= next_month || days < -(int64_t)EPOCH || days >= (int64_t)EPOCH)
		return MP_ETYPE;
	*date = (uint32_t)(days + (int64_t)EPOCH);
	return 0;
}
