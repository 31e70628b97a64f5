/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_text.h"

#include <stdio.h>

#define TICKS_MAX INT64_C(3155378975999999999)

/* Days since 0001-01-01 of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 306;
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t month_length(int64_t year, int64_t month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && is_leap(year));
}

static void date_of(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day)
{
	int64_t year = days / 366 + 1;

	while (days_of(year + 1, 1, 1) <= days)
		year++;
	days -= days_of(year, 1, 1);
	*ret_year = year;
	for (*ret_month = 1; days >= month_length(year, *ret_month); ++*ret_month)
		days -= month_length(year, *ret_month);
	*ret_day = days + 1;
}

static size_t put_fraction(char *to, int64_t ticks, bool brief)
{
	size_t len = (size_t)sprintf(to, ".%07d", (int)(ticks % KQL_TICKS_PER_S));

	while (brief && to[len - 1] == '0')
		len--;
	return len == 1 ? 0 : len;
}

size_t kql_format_datetime(int64_t ticks, bool brief, char ret[static KQL_TIME_SIZE])
{
	int64_t year, month, day;
	int64_t seconds;
	size_t len;

	if (ticks < 0)
		ticks = 0;
	if (ticks > TICKS_MAX)
		ticks = TICKS_MAX;
	date_of(ticks / KQL_TICKS_PER_DAY, &year, &month, &day);
	seconds = ticks % KQL_TICKS_PER_DAY / KQL_TICKS_PER_S;
	len = (size_t)sprintf(ret, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month, (int)day,
		(int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
	len += put_fraction(ret + len, ticks, brief);
	ret[len++] = 'Z';
	return len;
}

size_t kql_format_timespan(int64_t ticks, char ret[static KQL_TIME_SIZE])
{
	uint64_t left = ticks < 0 ? 0 - (uint64_t)ticks : (uint64_t)ticks;
	uint64_t days = left / KQL_TICKS_PER_DAY;
	int seconds = (int)(left % KQL_TICKS_PER_DAY / KQL_TICKS_PER_S);
	size_t len = 0;

	if (ticks < 0)
		ret[len++] = '-';
	if (days > 0)
		len += (size_t)sprintf(ret + len, "%llu.", (unsigned long long)days);
	len += (size_t)sprintf(
		ret + len, "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (left % KQL_TICKS_PER_S != 0)
		len += put_fraction(ret + len, (int64_t)(left % KQL_TICKS_PER_S), false);
	return len;
}

struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *c, const char *set)
{
	if (c->at == c->end || *c->at == '\0' || strchr(set, *c->at) == NULL)
		return false;
	c->at++;
	return true;
}

/* Between `least` and `most` digits. */
static bool take_number(struct cursor *c, int least, int most, int64_t *ret)
{
	int64_t number = 0;
	int digits = 0;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && digits < most; digits++)
		number = number * 10 + (*c->at++ - '0');
	if (digits < least)
		return false;
	*ret = number;
	return true;
}

/* Digits after a point, in ticks; those beyond the seventh are dropped. */
static bool take_fraction(struct cursor *c, int64_t *ret)
{
	int64_t scale = KQL_TICKS_PER_S / 10;
	const char *start = c->at;

	for (*ret = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, scale /= 10)
		*ret += (*c->at - '0') * scale;
	return c->at > start;
}

/* hh:mm[:ss[.fffffff]] */
static bool take_clock(struct cursor *c, int64_t *ret)
{
	int64_t hour, minute, second = 0, fraction = 0;

	if (!take_number(c, 1, 2, &hour) || !take_char(c, ":") || !take_number(c, 2, 2, &minute) ||
		hour > 23 || minute > 59)
		return false;
	if (take_char(c, ":")) {
		if (!take_number(c, 2, 2, &second) || second > 59)
			return false;
		if (take_char(c, ".") && !take_fraction(c, &fraction))
			return false;
	}
	*ret = ((hour * 60 + minute) * 60 + second) * KQL_TICKS_PER_S + fraction;
	return true;
}

static bool take_zone(struct cursor *c, int64_t *ret)
{
	int64_t hours, minutes;
	bool west;

	*ret = 0;
	while (take_char(c, " "))
		;
	if (c->at == c->end || take_char(c, "Zz"))
		return true;
	if (c->end - c->at == 3 && memcmp(c->at, "GMT", 3) == 0) {
		c->at = c->end;
		return true;
	}
	west = *c->at == '-';
	if (!take_char(c, "+-") || !take_number(c, 2, 2, &hours) || (take_char(c, ":"), false) ||
		!take_number(c, 2, 2, &minutes) || hours > 14 || minutes > 59)
		return false;
	*ret = (hours * 60 + minutes) * 60 * KQL_TICKS_PER_S * (west ? -1 : 1);
	return true;
}

bool kql_parse_datetime(const char *text, size_t len, int64_t *ret)
{
	struct cursor c = {.at = text, .end = text + len};
	int64_t year, month, day, clock = 0, zone = 0, ticks;

	if (!take_number(&c, 4, 4, &year) || !take_char(&c, "-./") ||
		!take_number(&c, 1, 2, &month) || !take_char(&c, "-./") ||
		!take_number(&c, 1, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_length(year, month))
		return false;
	if (c.at < c.end &&
		(!take_char(&c, "Tt ") || !take_clock(&c, &clock) || !take_zone(&c, &zone)))
		return false;
	ticks = days_of(year, month, day) * KQL_TICKS_PER_DAY + clock - zone;
	if (c.at != c.end || ticks < 0 || ticks > TICKS_MAX)
		return false;
	*ret = ticks;
	return true;
}

int64_t kql_time_unit(const char *unit, size_t len)
{
	static const struct {
		const char *name;
		int64_t ticks;
	} units[] = {
		{"d", KQL_TICKS_PER_DAY},
		{"day", KQL_TICKS_PER_DAY},
		{"days", KQL_TICKS_PER_DAY},
		{"h", 3600 * KQL_TICKS_PER_S},
		{"hour", 3600 * KQL_TICKS_PER_S},
		{"hours", 3600 * KQL_TICKS_PER_S},
		{"m", 60 * KQL_TICKS_PER_S},
		{"min", 60 * KQL_TICKS_PER_S},
		{"minute", 60 * KQL_TICKS_PER_S},
		{"minutes", 60 * KQL_TICKS_PER_S},
		{"s", KQL_TICKS_PER_S},
		{"sec", KQL_TICKS_PER_S},
		{"second", KQL_TICKS_PER_S},
		{"seconds", KQL_TICKS_PER_S},
		{"ms", KQL_TICKS_PER_MS},
		{"milliseconds", KQL_TICKS_PER_MS},
		{"microsecond", 10},
		{"microseconds", 10},
		{"tick", 1},
		{"ticks", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, unit, len) == 0)
			return units[i].ticks;
	return 0;
}

/* "90m", "1.5h", "15 seconds"; a bare number counts days. */
static bool parse_amount(struct cursor c, int64_t *ret)
{
	int64_t whole, fraction = 0, unit;

	if (!take_number(&c, 1, 9, &whole) || (take_char(&c, ".") && !take_fraction(&c, &fraction)))
		return false;
	while (take_char(&c, " "))
		;
	unit = c.at == c.end ? KQL_TICKS_PER_DAY : kql_time_unit(c.at, (size_t)(c.end - c.at));
	if (unit == 0 || __builtin_mul_overflow(whole, unit, ret))
		return false;
	*ret += (int64_t)((double)fraction / (double)KQL_TICKS_PER_S * (double)unit);
	return true;
}

static bool parse_clock(struct cursor c, int64_t *ret)
{
	struct cursor dot = c;
	int64_t days = 0, clock;

	/* "12.03:04" has days before the point, "03:04" none. */
	if (take_number(&dot, 1, 8, &days) && take_char(&dot, "."))
		c = dot;
	else
		days = 0;
	if (!take_clock(&c, &clock) || c.at != c.end)
		return false;
	*ret = days * KQL_TICKS_PER_DAY + clock;
	return true;
}

bool kql_parse_timespan(const char *text, size_t len, int64_t *ret)
{
	struct cursor c = {.at = text, .end = text + len};
	bool negative = take_char(&c, "-");
	int64_t ticks;

	if (!parse_amount(c, &ticks) && !parse_clock(c, &ticks))
		return false;
	*ret = negative ? -ticks : ticks;
	return true;
}
