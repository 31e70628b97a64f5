/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/config_shape.h"

#include "lib/base/base.h"
#include "lib/base/str.h"

#include <string.h>

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_made_of(const char *text, const char *allowed, size_t least, size_t most)
{
	size_t len = strspn(text, allowed);

	return text[len] == '\0' && len >= least && len <= most;
}

/* --- Azure --- */

static bool is_group(const char *text)
{
	return is_made_of(text, LETTERS DIGITS "-_.()", 1, 90) && !str_ends_nocase(text, ".");
}

/* "westeurope", and "West Europe" as the portal shows it. */
static bool is_location(const char *text)
{
	return *text != ' ' && is_made_of(text, LETTERS DIGITS " ", 1, 64);
}

const struct config_shape config_shape_group = {
	is_group, "the name of a resource group", "letters, digits and - _ . ( )"};
const struct config_shape config_shape_location = {
	is_location, "a region of Azure", "one such as westeurope"};

/* --- AWS --- */

static bool is_account(const char *text)
{
	return is_made_of(text, DIGITS, AWS_ACCOUNT_LENGTH, AWS_ACCOUNT_LENGTH);
}

/* "arn:PARTITION:iam::ACCOUNT:role/PATH/NAME" */
const char *aws_role_account(const char *arn)
{
	static const char *const partitions[] = {
		"arn:aws:iam::", "arn:aws-us-gov:iam::", "arn:aws-cn:iam::"};
	static const char role[] = ":role/";

	for (size_t i = 0; i < ARRAY_LEN(partitions); i++) {
		size_t len = strlen(partitions[i]);
		const char *account = arn + len,
			   *name = account + AWS_ACCOUNT_LENGTH + strlen(role);

		if (strncmp(arn, partitions[i], len) == 0)
			return strspn(account, DIGITS) == AWS_ACCOUNT_LENGTH &&
					strncmp(account + AWS_ACCOUNT_LENGTH, role, strlen(role)) ==
						0 &&
					is_made_of(name, LETTERS DIGITS "+=,.@_/-", 1, 576) &&
					!str_ends_nocase(name, "/")
				? account
				: NULL;
	}
	return NULL;
}

static bool is_role(const char *text)
{
	return aws_role_account(text) != NULL;
}

static bool is_stackset(const char *text)
{
	return strspn(text, LETTERS) > 0 && is_made_of(text, LETTERS DIGITS "-", 1, 128);
}

const struct config_shape config_shape_account = {
	is_account, "the id of an AWS account", "its 12 digits"};
const struct config_shape config_shape_role = {
	is_role, "the ARN of a role", "arn:aws:iam::ACCOUNT:role/NAME"};
const struct config_shape config_shape_stackset = {
	is_stackset, "the name of a StackSet", "letters, digits and hyphens"};

/* --- GCP --- */

static bool is_project_number(const char *text)
{
	return *text != '0' && is_made_of(text, DIGITS, 1, 19);
}

/* Letters, digits and hyphens, as in the name of a host. */
static bool is_label(const char *text, size_t least, size_t most)
{
	return is_made_of(text, LOWER DIGITS "-", least, most) && *text != '-' &&
		!str_ends_nocase(text, "-");
}

static bool is_project(const char *text)
{
	return strspn(text, LOWER) > 0 && is_label(text, 6, 30);
}

static bool is_provider(const char *text)
{
	return is_label(text, 4, 32);
}

static bool is_service_account(const char *text)
{
	size_t name = strspn(text, LOWER DIGITS "-");

	return name > 0 && text[name] == '@' &&
		is_made_of(text + name + 1, LOWER DIGITS ".-", 1, 253) &&
		str_ends_nocase(text, ".gserviceaccount.com");
}

const struct config_shape config_shape_project_number = {is_project_number,
	"the number of a GCP project", "its digits; its name belongs into project-id"};
const struct config_shape config_shape_project = {
	is_project, "the id of a GCP project", "6 to 30 lower-case letters, digits and hyphens"};
const struct config_shape config_shape_provider = {is_provider,
	"the id of a workload identity provider",
	"the last part of its name alone, such as defender-for-servers"};
const struct config_shape config_shape_service_account = {is_service_account,
	"the email address of a service account", "NAME@PROJECT.iam.gserviceaccount.com"};
