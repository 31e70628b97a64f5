/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/config_file_fixture.h"

/* Page by page from the design, with the ids filled in. */
static const char design[] =
	"identity \"main\" {\n"
	"    cloud = public  tenant = \"11111111-1111-1111-1111-111111111111\"  client = "
	"\"22222222-2222-2222-2222-222222222222\"  method = client-certificate  certificate = "
	"\"/etc/mdcd/credentials/mdcd.pem\"\n"
	"}\n"
	"poll { subscriptions = 15m  machines = 5m  full-sweep = 6h }\n"
	"policy \"servers\" {\n"
	"    plan = P2\n"
	"    integration = on   unified-solution = on   linux = on   vulnerability-management = "
	"on\n"
	"    workspaces { from-machines = on  list = { } }\n"
	"    extension  { deploy = after-grace  grace = 3h  first-grace = 14h }\n"
	"    legacy     { replace = on  remove-agent = off }\n"
	"    connector  { plan = P2  mde = on  vulnerability-assessment = on }\n"
	"}\n"
	"scope \"production\" {\n"
	"    identity = \"main\"  management-groups = { \"mg-prod\" }  policy = \"servers\"  mode "
	"= "
	"enforce\n"
	"    exclude \"lab\"   { tags = { \"env=lab\" }  owner = \"…\"  ticket = \"…\"  until = "
	"2027-01-31  reason = \"…\" }\n"
	"    grant \"kiosks\"  { control = machine-plan  tags = { \"role=kiosk\" }  owner = \"…\"  "
	"ticket = \"…\"  until = 2027-01-31  reason = \"…\" }\n"
	"    ring \"pilot\"    { subscriptions = { \"33333333-3333-3333-3333-333333333333\" }  "
	"max-in-flight = 20  soak = 24h  halt-at = \"5%\" }\n"
	"    ring \"rest\"     { max-in-flight = 200  halt-at = \"2%\" }\n"
	"    window \"nights\" { days = { mon, tue, wed, thu }  from = 22:00  to = 05:00  timezone "
	"= \"Europe/Berlin\" }\n"
	"}\n";

static void the_example_of_the_design_is_read(void **state)
{
	(void)state;
	assert_reads(design,
		"1:identity<main>( 2:cloud=[public] "
		"2:tenant=[11111111-1111-1111-1111-111111111111] "
		"2:client=[22222222-2222-2222-2222-222222222222] 2:method=[client-certificate] "
		"2:certificate=[/etc/mdcd/credentials/mdcd.pem] ) "
		"4:poll( 4:subscriptions=[15m] 4:machines=[5m] 4:full-sweep=[6h] ) "
		"5:policy<servers>( 6:plan=[P2] 7:integration=[on] 7:unified-solution=[on] "
		"7:linux=[on] 7:vulnerability-management=[on] 8:workspaces( 8:from-machines=[on] "
		"8:list={} ) 9:extension( 9:deploy=[after-grace] 9:grace=[3h] "
		"9:first-grace=[14h] ) 10:legacy( 10:replace=[on] 10:remove-agent=[off] ) "
		"11:connector( 11:plan=[P2] 11:mde=[on] 11:vulnerability-assessment=[on] ) ) "
		"13:scope<production>( 14:identity=[main] 14:management-groups={[mg-prod]} "
		"14:policy=[servers] 14:mode=[enforce] 15:exclude<lab>( 15:tags={[env=lab]} "
		"15:owner=[…] 15:ticket=[…] 15:until=[2027-01-31] 15:reason=[…] ) "
		"16:grant<kiosks>( 16:control=[machine-plan] 16:tags={[role=kiosk]} 16:owner=[…] "
		"16:ticket=[…] 16:until=[2027-01-31] 16:reason=[…] ) "
		"17:ring<pilot>( 17:subscriptions={[33333333-3333-3333-3333-333333333333]} "
		"17:max-in-flight=[20] 17:soak=[24h] 17:halt-at=[5%] ) "
		"18:ring<rest>( 18:max-in-flight=[200] 18:halt-at=[2%] ) "
		"19:window<nights>( 19:days={[mon],[tue],[wed],[thu]} 19:from=[22:00] "
		"19:to=[05:00] 19:timezone=[Europe/Berlin] ) ) ");
}

static void what_the_design_promises_and_this_version_lacks_is_told(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	directory_init(&d);
	write_text(&d, "mdcd.conf", design);
	assert_int_equal(config_files_load(d.file, environment, &diags, &config), -EINVAL);
	assert_true(diags.errors > 0);
	for (size_t i = 0; i < diags.n; i++)
		assert_non_null(strstr(diags.v[i].text, "not supported by this version; "));
}

static void errors_of_syntax_and_of_values_are_told_together_in_order(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf",
		"log = jurnal\npoll {\n\tmachines = 5\n\tjitter = \n\tsweep = 1h\n}\n");
	write_text(&d, "conf.d/a.conf",
		"policy \"p\" {\n\tplan = P3\n\tintegration on\n\tlegacy { replace = maybe }\n}\n");
	assert_files_load(&d, -EINVAL,
		"@/mdcd.conf: warning: there is no scope, so nothing is watched; add a section "
		"scope \"NAME\" { … }\n"
		"@/mdcd.conf:1: error: log: \"jurnal\" is not known; write journal\n"
		"@/mdcd.conf:3: error: machines: \"5\" has no unit; write 5s, 5m, 5h or 5d\n"
		"@/mdcd.conf:4: error: jitter: there is no value after the =; write one\n"
		"@/mdcd.conf:5: error: there is no option \"sweep\" in poll; the options here are "
		"subscriptions, machines, full-sweep, inventory, operations, jitter\n"
		"@/conf.d/a.conf:2: error: plan: \"P3\" is not known; write unmanaged, P1 or P2\n"
		"@/conf.d/a.conf:3: error: integration: neither = nor { follows; write "
		"integration = …, or integration { … } for a section\n"
		"@/conf.d/a.conf:4: error: replace: \"maybe\" is neither on nor off; write on or "
		"off\n");
}

static void nothing_seems_to_be_missing_when_a_file_was_refused(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf", "scope \"s\" { identity = main policy = p }\n");
	write_bytes(&d, "conf.d/a.conf", "policy \"p\" { }\n\0", 16);
	assert_files_load(&d, -EINVAL,
		"@/conf.d/a.conf:2: error: a NUL byte stands here, so this is not a text file; "
		"write it anew\n");
}

static void a_configuration_in_several_files_is_loaded(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf",
		"poll { machines = 2s }\nidentity main {\n"
		"  tenant = 11111111-1111-1111-1111-111111111111\n"
		"  client = 22222222-2222-2222-2222-222222222222\n"
		"  method = client-secret secret-file = '/s'\n}\n");
	write_text(&d, "conf.d/policy.conf",
		"policy \"p\" { plan = ${PLAN} extension { deploy = after-grace grace = 0s } "
		"integration = on }\n");
	write_text(&d, "conf.d/scope.conf",
		"scope \"s\" { identity = main policy = p mode = enforce subscriptions = { \"*\" } "
		"}");
	assert_int_equal(config_files_load(d.file, environment, &diags, &config), 0);
	assert_int_equal(diags.n, 0);
	assert_int_equal(config->poll.machines.ms, 2000);
	assert_int_equal(config->scopes[0].policy->plan, PLAN_P2);
	assert_int_equal(config->scopes[0].policy->grace.ms, 0);
	assert_string_equal(config->scopes[0].identity->secret_file, "/s");
	config_free(config);
}

/* --- what is shipped; the tests run at the top of the tree --- */

static void read_shipped(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "r");
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_addc(ret, (char)c);
	fclose(f);
}

static struct config *load_text(const char *text, struct diags *diags)
{
	mdc_cleanup(directory_fini) struct directory d;
	struct config *config = NULL;

	directory_init(&d);
	write_text(&d, "mdcd.conf", text);
	assert_int_equal(config_files_load(d.file, environment, diags, &config), 0);
	return config;
}

static void the_example_file_sets_nothing(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	(void)state;
	read_shipped("conf/mdcd.conf", &text);
	assert_reads(buf_str(&text), "");
}

/* "#name" is an option, "# text" a comment. */
static void uncomment(const char *text, struct buf *ret)
{
	bool line_start = true;

	for (; *text != '\0'; text++) {
		if (!(line_start && *text == '#' && text[1] != ' '))
			buf_addc(ret, *text);
		line_start = *text == '\n';
	}
}

static void the_example_file_without_its_marks_is_valid_and_has_the_defaults(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf open = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config, *defaults;
	char *line, *rest;

	(void)state;
	read_shipped("conf/mdcd.conf", &text);
	uncomment(buf_str(&text), &open);
	config = load_text(buf_str(&open), &diags);
	defaults = load_text("policy \"servers\" { }", &diags);
	rest = defaults->canonical;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strstr(config->canonical, line) == NULL)
			fail_msg("%s", line);
	config_free(config);
	config_free(defaults);
}

static void the_example_of_the_manual_is_valid(void **state)
{
	mdc_cleanup(buf_fini) struct buf manual = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	const char *p, *end;

	(void)state;
	read_shipped("conf/mdcd.conf.5", &manual);
	p = strstr(buf_str(&manual), "\n.Bd -literal\n");
	assert_non_null(p);
	p = strchr(p + 1, '\n') + 1;
	end = strstr(p, "\n.Ed\n");
	assert_non_null(end);
	for (; p < end; p++)
		if (strncmp(p, "\\(dq", 4) == 0) {
			buf_addc(&text, '"');
			p += 3;
		} else
			buf_addc(&text, *p);
	config_free(load_text(buf_str(&text), &diags));
	assert_int_equal(diags.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_design_is_read),
		cmocka_unit_test(what_the_design_promises_and_this_version_lacks_is_told),
		cmocka_unit_test(errors_of_syntax_and_of_values_are_told_together_in_order),
		cmocka_unit_test(nothing_seems_to_be_missing_when_a_file_was_refused),
		cmocka_unit_test(a_configuration_in_several_files_is_loaded),
		cmocka_unit_test(the_example_file_sets_nothing),
		cmocka_unit_test(the_example_file_without_its_marks_is_valid_and_has_the_defaults),
		cmocka_unit_test(the_example_of_the_manual_is_valid),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
