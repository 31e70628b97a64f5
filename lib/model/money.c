/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/money.h"

#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

#define DECIMALS 6
#define DIGITS "0123456789"

int money_parse(const char *text, int64_t *ret)
{
	size_t whole = strspn(text, DIGITS), decimals = 0;
	int64_t amount = 0;

	if (text[whole] == '.')
		decimals = strspn(text + whole + 1, DIGITS);
	if (whole == 0 || (text[whole] == '.' && decimals == 0) || decimals > DECIMALS ||
		text[whole + (decimals > 0) + decimals] != '\0')
		return -EINVAL;
	for (size_t i = 0; i < whole; i++) {
		amount = amount * 10 + (text[i] - '0');
		if (amount > MONEY_PER_MONTH_MAX / MONEY_UNIT)
			return -ERANGE;
	}
	for (size_t i = 0; i < DECIMALS; i++)
		amount = amount * 10 + (i < decimals ? text[whole + 1 + i] - '0' : 0);
	if (amount > MONEY_PER_MONTH_MAX)
		return -ERANGE;
	*ret = amount;
	return 0;
}

void money_format(int64_t amount, char ret[static MONEY_TEXT_SIZE])
{
	uint64_t size = amount < 0 ? UINT64_C(0) - (uint64_t)amount : (uint64_t)amount;
	size_t len;

	snprintf(ret, MONEY_TEXT_SIZE, "%s%llu.%06llu", amount < 0 ? "-" : "",
		(unsigned long long)(size / (uint64_t)MONEY_UNIT),
		(unsigned long long)(size % (uint64_t)MONEY_UNIT));
	len = strlen(ret);
	for (size_t i = 0; i < DECIMALS - 2 && ret[len - 1] == '0'; i++)
		ret[--len] = '\0';
}
