/* SPDX-License-Identifier: Apache-2.0 */
/*
 * money: amounts in millionths of a currency's unit, exact: what is written with up to six decimals
 * is what is calculated with, and nothing is ever rounded but for showing.
 */
#ifndef MDC_MONEY_H
#define MDC_MONEY_H

#include "lib/base/base.h"

#define MONEY_UNIT INT64_C(1000000)
/* Of a price: so that no sum over any estate can overflow. */
#define MONEY_PER_HOUR_MAX (1000 * MONEY_UNIT)
#define MONEY_PER_MONTH_MAX (1000000 * MONEY_UNIT)

/* "0.0205". -EINVAL, -ERANGE above a million units. */
int money_parse(const char *text, int64_t *ret) MDC_MUST_CHECK;

#define MONEY_TEXT_SIZE 32
/* Exact, with at least two decimals: "14.965", "-3.00". */
void money_format(int64_t amount, char ret[static MONEY_TEXT_SIZE]);

#endif
