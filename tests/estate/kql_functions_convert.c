/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_functions.h"

#include "tests/estate/kql_text.h"

#include <stdlib.h>

/* --- to text --- */

struct kql_value kql_tostring(struct kql_run *run, struct kql_value v)
{
	struct kql_out out = {.arena = &run->scratch, .max = KQL_STRING_MAX};

	if (v.kind == KQL_IS_STRING)
		return v;
	kql_out_value(&out, v);
	if (out.full)
		kql_run_exhausted(run);
	return out.full || out.len == 0 ? KQL_EMPTY_TEXT : kql_scratch_text(out.data, out.len);
}

KQL_FUNCTION(tostring)
{
	(void)run;
	(void)count;
	return args[0];
}

/* --- to numbers --- */

/* Numbers in text may have blanks around them, and nothing else. */
#define NUMBER_TEXT_MAX 64
static bool number_text(struct kql_value text, char ret[static NUMBER_TEXT_MAX])
{
	while (text.len > 0 && text.text[text.len - 1] == ' ')
		text.len--;
	while (text.len > 0 && *text.text == ' ') {
		text.text++;
		text.len--;
	}
	if (text.len == 0 || text.len >= NUMBER_TEXT_MAX ||
		memchr(text.text, '\0', text.len) != NULL)
		return false;
	memcpy(ret, text.text, text.len);
	ret[text.len] = '\0';
	return true;
}

static struct kql_value long_of_text(struct kql_value text)
{
	char digits[NUMBER_TEXT_MAX];
	const char *start;
	char *end;
	long long number;
	bool hexadecimal;

	if (!number_text(text, digits))
		return kql_null();
	start = digits + (*digits == '-' || *digits == '+');
	hexadecimal = start[0] == '0' && (start[1] | 0x20) == 'x';
	if (start[strspn(start, hexadecimal ? "0123456789abcdefABCDEFxX" : "0123456789")] != '\0')
		return kql_null();
	errno = 0;
	number = strtoll(digits, &end, hexadecimal ? 16 : 10);
	return errno == 0 && *end == '\0' && end > start ? kql_long(number) : kql_null();
}

static struct kql_value real_of_text(struct kql_value text)
{
	char digits[NUMBER_TEXT_MAX];
	char *end;
	double real;

	/* Not what strtod() takes besides: hexadecimal, "inf", "nan". */
	if (!number_text(text, digits) || digits[strspn(digits, "0123456789+-.eE")] != '\0')
		return kql_null();
	real = strtod(digits, &end);
	return *end == '\0' ? kql_real(real) : kql_null();
}

static struct kql_value to_long(struct kql_value v)
{
	int64_t whole;

	switch (v.kind) {
	case KQL_IS_LONG: return v;
	case KQL_IS_BOOL: return kql_long(v.truth);
	case KQL_IS_REAL: return kql_long_of_real(v.real, &whole) ? kql_long(whole) : kql_null();
	case KQL_IS_STRING: return long_of_text(v);
	case KQL_IS_DATETIME:
	case KQL_IS_TIMESPAN: return kql_long(v.number);
	case KQL_IS_NULL:
	case KQL_IS_ARRAY:
	case KQL_IS_BAG:
	case KQL_IS_JSON: break;
	}
	return kql_null();
}

static struct kql_value to_real(struct kql_value v)
{
	if (v.kind == KQL_IS_REAL)
		return v;
	if (v.kind == KQL_IS_STRING)
		return real_of_text(v);
	v = to_long(v);
	return kql_is_null(v) ? v : kql_real((double)v.number);
}

KQL_FUNCTION(tolong)
{
	(void)run;
	(void)count;
	return to_long(args[0]);
}

KQL_FUNCTION(toint)
{
	struct kql_value v = to_long(args[0]);

	(void)run;
	(void)count;
	if (kql_is_null(v) || v.number < INT32_MIN || v.number > INT32_MAX)
		return kql_null();
	return v;
}

KQL_FUNCTION(todouble)
{
	(void)run;
	(void)count;
	return to_real(args[0]);
}

/* --- to bool and times --- */

static struct kql_value to_bool(struct kql_value v)
{
	if (v.kind == KQL_IS_BOOL)
		return v;
	if (v.kind == KQL_IS_REAL)
		return kql_bool(v.real != 0);
	if (v.kind == KQL_IS_STRING && kql_same_nocase(v, kql_text("true", 4)))
		return kql_bool(true);
	if (v.kind == KQL_IS_STRING && kql_same_nocase(v, kql_text("false", 5)))
		return kql_bool(false);
	v = to_long(v);
	return kql_is_null(v) ? v : kql_bool(v.number != 0);
}

static struct kql_value to_datetime(struct kql_value v)
{
	int64_t ticks;

	if (v.kind == KQL_IS_DATETIME)
		return v;
	if (v.kind == KQL_IS_STRING && kql_parse_datetime(v.text, v.len, &ticks))
		return kql_datetime(ticks);
	return kql_null();
}

static struct kql_value to_timespan(struct kql_value v)
{
	int64_t ticks;

	if (v.kind == KQL_IS_TIMESPAN)
		return v;
	if (v.kind == KQL_IS_STRING && kql_parse_timespan(v.text, v.len, &ticks))
		return kql_timespan(ticks);
	return kql_null();
}

KQL_FUNCTION(tobool)
{
	(void)run;
	(void)count;
	return to_bool(args[0]);
}

KQL_FUNCTION(todatetime)
{
	(void)run;
	(void)count;
	return to_datetime(args[0]);
}

KQL_FUNCTION(now)
{
	int64_t ticks = run->now;

	if (count > 0 && kql_is_null(args[0]))
		return kql_null();
	if (count > 0 && __builtin_add_overflow(ticks, args[0].number, &ticks))
		return kql_null();
	return ticks >= 0 ? kql_datetime(ticks) : kql_null();
}

KQL_FUNCTION(ago)
{
	int64_t ticks;

	(void)count;
	if (kql_is_null(args[0]) || __builtin_sub_overflow(run->now, args[0].number, &ticks) ||
		ticks < 0)
		return kql_null();
	return kql_datetime(ticks);
}

struct kql_value kql_convert(struct kql_run *run, struct kql_value v, enum kql_type type)
{
	switch (type) {
	case KQL_BOOL: return to_bool(v);
	case KQL_LONG: return to_long(v);
	case KQL_REAL: return to_real(v);
	case KQL_STRING: return kql_tostring(run, v);
	case KQL_DATETIME: return to_datetime(v);
	case KQL_TIMESPAN: return to_timespan(v);
	case KQL_DYNAMIC: return kql_apply_parse_json(run, &v, 1);
	case KQL_TYPE_N_: break;
	}
	return kql_null();
}

/* --- is it there --- */

static bool is_empty(struct kql_value v)
{
	return kql_is_null(v) || (v.kind == KQL_IS_STRING && v.len == 0);
}

KQL_FUNCTION(isempty)
{
	(void)run;
	(void)count;
	return kql_bool(is_empty(args[0]));
}

KQL_FUNCTION(isnotempty)
{
	(void)run;
	(void)count;
	return kql_bool(!is_empty(args[0]));
}

KQL_FUNCTION(isnull)
{
	(void)run;
	(void)count;
	return kql_bool(kql_is_null(args[0]));
}

KQL_FUNCTION(isnotnull)
{
	(void)run;
	(void)count;
	return kql_bool(!kql_is_null(args[0]));
}

KQL_FUNCTION(not )
{
	(void)run;
	(void)count;
	return kql_is_null(args[0]) ? args[0] : kql_bool(!args[0].truth);
}
