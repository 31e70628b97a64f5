/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/tick.h"

#include <stdio.h>
#include <string.h>

static int64_t saturating_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static int64_t saturating_subtract(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return b < 0 ? INT64_MAX : INT64_MIN;
	return difference;
}

struct wall wall_add(struct wall t, struct dur d)
{
	return t.ms == INT64_MAX ? t : (struct wall){saturating_add(t.ms, d.ms)};
}

struct mono mono_add(struct mono t, struct dur d)
{
	return t.ms == INT64_MAX ? t : (struct mono){saturating_add(t.ms, d.ms)};
}

struct dur wall_since(struct wall later, struct wall earlier)
{
	return DUR_MS(saturating_subtract(later.ms, earlier.ms));
}

struct dur mono_since(struct mono later, struct mono earlier)
{
	return DUR_MS(saturating_subtract(later.ms, earlier.ms));
}

struct civil {
	int64_t year;
	unsigned month, day;
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years from March. */
static int64_t days_of_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of_days(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t mp = (5 * day_of_year + 2) / 153;
	unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);

	return (struct civil){
		.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
		.month = month,
		.day = (unsigned)(day_of_year - (153 * mp + 2) / 5 + 1),
	};
}

struct clock_parts {
	struct civil date;
	int64_t days;
	unsigned hour, minute, second, ms;
};

/* RFC 3339 and RFC 9110 have years of four digits: 0000-01-01 to 9999-12-31. */
#define FIRST_MS INT64_C(-62167219200000)
#define LAST_MS INT64_C(253402300799999)

static struct clock_parts parts_of(struct wall t)
{
	int64_t ms = t.ms < FIRST_MS ? FIRST_MS : t.ms > LAST_MS ? LAST_MS : t.ms;
	int64_t days = ms / 86400000 - (ms % 86400000 < 0 ? 1 : 0);
	unsigned rest = (unsigned)(ms - days * 86400000);

	return (struct clock_parts){
		.date = civil_of_days(days),
		.days = days,
		.hour = rest / 3600000,
		.minute = rest / 60000 % 60,
		.second = rest / 1000 % 60,
		.ms = rest % 1000,
	};
}

void wall_format(struct wall t, char ret[static WALL_TEXT_SIZE])
{
	struct clock_parts p = parts_of(t);
	int len = snprintf(ret, WALL_TEXT_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u",
		(int)(p.date.year % 10000), p.date.month, p.date.day, p.hour, p.minute, p.second);

	if (p.ms > 0)
		snprintf(ret + len, WALL_TEXT_SIZE - (size_t)len, ".%03uZ", p.ms);
	else
		snprintf(ret + len, WALL_TEXT_SIZE - (size_t)len, "Z");
}

/* Exactly `digits` digits; advances. False if they are not there or above `max`. */
static bool take_number(const char **p, unsigned digits, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < digits; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (unsigned)(**p - '0');
	}
	*ret = value;
	return value <= max;
}

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool take_date(const char **p, int64_t *ret_days)
{
	unsigned year, month, day;

	if (!take_number(p, 4, 9999, &year) || !take(p, '-') || !take_number(p, 2, 12, &month) ||
		!take(p, '-') || !take_number(p, 2, 31, &day))
		return false;
	if (month == 0 || day == 0 || day > days_in_month(year, month))
		return false;
	*ret_days = days_of_civil(year, month, day);
	return true;
}

/* A leap second counts as the last one before it. */
static bool take_time(const char **p, int64_t *ret_ms)
{
	unsigned hour, minute, second;

	if (!take_number(p, 2, 23, &hour) || !take(p, ':') || !take_number(p, 2, 59, &minute) ||
		!take(p, ':') || !take_number(p, 2, 60, &second))
		return false;
	if (second == 60)
		second = 59;
	*ret_ms = INT64_C(1000) * (hour * 3600 + minute * 60 + second);
	return true;
}

static bool take_fraction(const char **p, int64_t *ret_ms)
{
	int64_t scale = 100;
	const char *start;

	*ret_ms = 0;
	if (!take(p, '.'))
		return true;
	for (start = *p; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		*ret_ms += scale * (**p - '0');
	return *p != start;
}

static bool take_offset(const char **p, int64_t *ret_ms)
{
	unsigned hour, minute;
	bool negative;

	*ret_ms = 0;
	if (take(p, 'Z') || take(p, 'z'))
		return true;
	negative = **p == '-';
	if (!take(p, '+') && !take(p, '-'))
		return false;
	if (!take_number(p, 2, 23, &hour) || !take(p, ':') || !take_number(p, 2, 59, &minute))
		return false;
	*ret_ms = (negative ? -1 : 1) * INT64_C(60000) * (hour * 60 + minute);
	return true;
}

int wall_parse(const char *text, struct wall *ret)
{
	const char *p = text;
	int64_t days, time, fraction, offset;

	if (text == NULL || !take_date(&p, &days) ||
		(!take(&p, 'T') && !take(&p, 't') && !take(&p, ' ')) || !take_time(&p, &time) ||
		!take_fraction(&p, &fraction) || !take_offset(&p, &offset) || *p != '\0')
		return -EINVAL;
	ret->ms = days * 86400000 + time + fraction - offset;
	return 0;
}

int wall_parse_date_end(const char *text, struct wall *ret)
{
	const char *p = text;
	int64_t days;

	if (text == NULL || !take_date(&p, &days) || *p != '\0')
		return -EINVAL;
	ret->ms = (days + 1) * 86400000 - 1;
	return 0;
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool take_name(const char **p, const char *names, unsigned *ret)
{
	for (unsigned i = 0; names[3 * i] != '\0'; i++)
		if (strncmp(*p, names + 3 * i, 3) == 0) {
			*p += 3;
			*ret = i;
			return true;
		}
	return false;
}

int wall_parse_http(const char *text, struct wall *ret)
{
	const char *p = text;
	unsigned weekday, day, month, year;
	int64_t time;

	if (text == NULL || !take_name(&p, day_names, &weekday) || !take(&p, ',') ||
		!take(&p, ' ') || !take_number(&p, 2, 31, &day) || !take(&p, ' ') ||
		!take_name(&p, month_names, &month) || !take(&p, ' ') ||
		!take_number(&p, 4, 9999, &year) || !take(&p, ' ') || !take_time(&p, &time) ||
		strcmp(p, " GMT") != 0)
		return -EINVAL;
	if (day == 0 || day > days_in_month(year, month + 1))
		return -EINVAL;
	ret->ms = days_of_civil(year, month + 1, day) * 86400000 + time;
	return 0;
}

void wall_format_http(struct wall t, char ret[static WALL_TEXT_SIZE])
{
	struct clock_parts p = parts_of(t);
	int64_t weekday = ((p.days + 4) % 7 + 7) % 7;

	snprintf(ret, WALL_TEXT_SIZE, "%.3s, %02u %.3s %04d %02u:%02u:%02u GMT",
		day_names + 3 * weekday, p.date.day, month_names + 3 * (p.date.month - 1),
		(int)(p.date.year % 10000), p.hour, p.minute, p.second);
}

void dur_format(struct dur d, char ret[static DUR_TEXT_SIZE])
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
	int64_t left = d.ms < 0 ? 0 : d.ms;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = left / units[i].ms;
		int64_t next = i + 1 < ARRAY_LEN(units) ? left % units[i].ms / units[i + 1].ms : 0;

		if (n == 0)
			continue;
		if (next > 0 && i < 2)
			snprintf(ret, DUR_TEXT_SIZE, "%lld %s %lld %s", (long long)n, units[i].unit,
				(long long)next, units[i + 1].unit);
		else
			snprintf(ret, DUR_TEXT_SIZE, "%lld %s", (long long)n, units[i].unit);
		return;
	}
	snprintf(ret, DUR_TEXT_SIZE, "%lld ms", (long long)left);
}
