/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

#include "tests/estate/kql_functions.h"

#include <math.h>

/* The operands of a binary operator; false when either is null. */
static bool operands(
	struct kql_frame *f, const struct kql_expr *e, struct kql_value *a, struct kql_value *b)
{
	*a = kql_eval(f, e->args[0]);
	*b = kql_eval(f, e->args[1]);
	return !kql_is_null(*a) && !kql_is_null(*b);
}

/* Kusto's modulo is never negative. Null for a zero divisor. */
struct kql_value kql_modulo(int64_t number, int64_t divisor)
{
	uint64_t d = divisor < 0 ? 0 - (uint64_t)divisor : (uint64_t)divisor;
	uint64_t rest;

	if (d == 0)
		return kql_null();
	if (number >= 0)
		return kql_long((int64_t)((uint64_t)number % d));
	rest = (0 - (uint64_t)number) % d;
	return kql_long((int64_t)(rest == 0 ? 0 : d - rest));
}

static struct kql_value divide(int64_t a, int64_t b)
{
	if (b == 0)
		return kql_null();
	return kql_long(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
}

/* Longs wrap around. */
struct kql_value kql_eval_long_math(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a, b;

	if (!operands(f, e, &a, &b))
		return kql_null();
	if (e->op == KQL_OP_ADD)
		return kql_long((int64_t)((uint64_t)a.number + (uint64_t)b.number));
	if (e->op == KQL_OP_SUBTRACT)
		return kql_long((int64_t)((uint64_t)a.number - (uint64_t)b.number));
	if (e->op == KQL_OP_MULTIPLY)
		return kql_long((int64_t)((uint64_t)a.number * (uint64_t)b.number));
	return e->op == KQL_OP_DIVIDE ? divide(a.number, b.number) : kql_modulo(a.number, b.number);
}

static double real_of(struct kql_value v)
{
	return v.kind == KQL_IS_REAL ? v.real : (double)v.number;
}

bool kql_long_of_real(double real, int64_t *ret)
{
	if (!(real > -0x1p63 && real < 0x1p63))
		return false;
	*ret = (int64_t)real;
	return true;
}

/* fmod() that is never negative, without the mathematical library. */
static double real_modulo(double a, double b)
{
	double quotient = a / b, rest;
	int64_t whole;

	if (!kql_long_of_real(quotient, &whole))
		return NAN;
	rest = a - b * (double)whole;
	return rest < 0 ? rest + fabs(b) : rest;
}

struct kql_value kql_eval_real_math(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a, b;
	double x, y;

	if (!operands(f, e, &a, &b))
		return kql_null();
	x = real_of(a);
	y = real_of(b);
	if (e->op == KQL_OP_ADD)
		return kql_real(x + y);
	if (e->op == KQL_OP_SUBTRACT)
		return kql_real(x - y);
	if (e->op == KQL_OP_MULTIPLY)
		return kql_real(x * y);
	return kql_real(e->op == KQL_OP_DIVIDE ? x / y : real_modulo(x, y));
}

static struct kql_value timespan_of_real(double ticks)
{
	int64_t whole;

	return kql_long_of_real(ticks, &whole) ? kql_timespan(whole) : kql_null();
}

static struct kql_value divide_timespan(struct kql_value a, struct kql_value b)
{
	if (b.kind == KQL_IS_TIMESPAN)
		return kql_real((double)a.number / (double)b.number);
	return timespan_of_real((double)a.number / real_of(b));
}

static struct kql_value multiply_timespan(struct kql_value a, struct kql_value b)
{
	int64_t ticks;

	if (a.kind != KQL_IS_REAL && b.kind != KQL_IS_REAL)
		return __builtin_mul_overflow(a.number, b.number, &ticks) ? kql_null()
									  : kql_timespan(ticks);
	return timespan_of_real(real_of(a) * real_of(b));
}

/* Sums and differences; null when the result is beyond the range. */
static struct kql_value add_times(
	enum kql_type type, struct kql_value a, struct kql_value b, bool subtract)
{
	int64_t ticks;
	bool overflow = subtract ? __builtin_sub_overflow(a.number, b.number, &ticks)
				 : __builtin_add_overflow(a.number, b.number, &ticks);

	if (overflow || (type == KQL_DATETIME && ticks < 0))
		return kql_null();
	return type == KQL_DATETIME ? kql_datetime(ticks) : kql_timespan(ticks);
}

struct kql_value kql_eval_time_math(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a, b, rest;

	if (!operands(f, e, &a, &b))
		return kql_null();
	if (e->op == KQL_OP_MULTIPLY)
		return multiply_timespan(a, b);
	if (e->op == KQL_OP_DIVIDE)
		return divide_timespan(a, b);
	if (e->op != KQL_OP_MODULO)
		return add_times(e->type, a, b, e->op == KQL_OP_SUBTRACT);
	rest = kql_modulo(a.number, b.number);
	return kql_is_null(rest) ? rest : kql_timespan(rest.number);
}
