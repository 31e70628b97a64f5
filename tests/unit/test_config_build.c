/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config_cases.h"

/* --- what is wrong with names --- */

static void unknown_options_are_told_with_what_was_meant(void **state)
{
	static const struct trouble cases[] = {
		{"poll {\n	machine = 5m\n}\n" BASE,
			"t.conf:2: error: there is no option \"machine\" in poll; write "
			"machines\n"},
		{"pool = 5m\n" BASE,
			"t.conf:1: error: there is no option \"pool\" at the top level; the "
			"options here are state-directory, control-socket, log, max-in-flight, "
			"expiry-grace\n"},
		{"poll = 5m\n" BASE,
			"t.conf:1: error: there is no option \"poll\" at the top level; it is a "
			"section; write poll { … }\n"},
		{"scope = x\n" BASE,
			"t.conf:1: error: there is no option \"scope\" at the top level; it is a "
			"section; write scope \"production\" { … }\n"},
		{"policy \"p\" {\n	grace = 3h\n}\n" BASE,
			"t.conf:2: error: there is no option \"grace\" in policy \"p\"; it "
			"belongs into extension; write extension { grace = … }\n"},
		{"poll {\n	mode = enforce\n}\n" BASE,
			"t.conf:2: error: there is no option \"mode\" in poll; it belongs into "
			"scope\n"},
		{"poll {\n	max-in-flight = 3\n}\n" BASE,
			"t.conf:2: error: there is no option \"max-in-flight\" in poll; it "
			"belongs into the top level, scope or ring\n"},
		{"poll {\n	\x1b[31m = 3\n}\n" BASE,
			"t.conf:2: error: there is no option \"\\x1b[31m\" in poll; the options "
			"here are subscriptions, machines, full-sweep, inventory, operations, "
			"jitter\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void unknown_sections_are_told_with_what_was_meant(void **state)
{
	static const struct trouble cases[] = {
		{"polcy \"x\" {\n	plan = P3\n}\n" BASE,
			"t.conf:1: error: there is no section \"polcy\" at the top level; write "
			"policy\n"},
		{"widget {\n}\n" BASE,
			"t.conf:1: error: there is no section \"widget\" at the top level; the "
			"sections here are proxy, cloud, identity, poll, impact, prices, policy, "
			"scope\n"},
		{"log {\n}\n" BASE,
			"t.conf:1: error: there is no section \"log\" at the top "
			"level; it is an option; write log = …\n"},
		{"exclude \"x\" {\n}\n" BASE,
			"t.conf:1: error: there is no section \"exclude\" at the top level; it "
			"belongs into a section scope\n"},
		{"poll {\n	scope \"x\" {\n	}\n}\n" BASE,
			"t.conf:2: error: there is no section \"scope\" in poll; it belongs to "
			"the top level: close poll with } before it\n"},
		{"poll {\n	widget {\n	}\n}\n" BASE,
			"t.conf:2: error: there is no section \"widget\" in poll; there are none; "
			"remove it\n"},
		{"policy/legacy {\n}\n" BASE,
			"t.conf:1: error: there is no section \"policy/legacy\" at the top level; "
			"the sections here are proxy, cloud, identity, poll, impact, prices, "
			"policy, scope\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void titles_are_told_where_they_are_missing_or_cannot_be(void **state)
{
	static const struct trouble cases[] = {
		{"policy {\n}\n" BASE,
			"t.conf:1: error: the section policy needs a title; write "
			"policy \"servers\" { … }\n"},
		{"poll \"fast\" {\n}\n" BASE,
			"t.conf:1: error: the section poll takes no title; write poll { … }\n"},
		{"policy \"a/b\" {\n}\n" BASE,
			"t.conf:1: error: \"a/b\" cannot be a title; write 1 to 64 bytes of plain "
			"text without \", \\, /, $ and =\n"},
		{"policy \"\" {\n}\n" BASE,
			"t.conf:1: error: \"\" cannot be a title; write 1 to 64 bytes of plain "
			"text without \", \\, /, $ and =\n"},
		{"policy \"\x07\" {\n}\n" BASE,
			"t.conf:1: error: \"\\x07\" cannot be a title; write 1 to 64 bytes of "
			"plain text without \", \\, /, $ and =\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

/* --- what is wrong with values --- */

static void values_are_told_with_what_to_write(void **state)
{
	static const struct trouble cases[] = {
		{"log = syslog\n" BASE,
			"t.conf:1: error: log: \"syslog\" is not known; write journal or "
			"stderr\n"},
		{"log = jurnal\n" BASE,
			"t.conf:1: error: log: \"jurnal\" is not known; write journal\n"},
		{"max-in-flight = 0\n" BASE,
			"t.conf:1: error: max-in-flight: \"0\" is too small; write 1 to 10000 "
			"operations\n"},
		{"max-in-flight = many\n" BASE,
			"t.conf:1: error: max-in-flight: \"many\" is not a number; write 1 to "
			"10000 operations\n"},
		{"max-in-flight = [1, 2]\n" BASE,
			"t.conf:1: error: max-in-flight: a list stands where one value belongs; "
			"write it without braces\n"},
		{"poll {\n	machines = 5\n}\n" BASE,
			"t.conf:2: error: machines: \"5\" has no unit; write 5s, 5m, 5h or 5d\n"},
		{"poll {\n	machines = fast\n}\n" BASE,
			"t.conf:2: error: machines: \"fast\" is not a duration; write a number "
			"with its unit, such as 30s, 5m, 3h or 2d\n"},
		{"poll {\n	machines = 0s\n}\n" BASE,
			"t.conf:2: error: machines: \"0s\" is too small; write 1s to 1d\n"},
		{"poll {\n	machines = 99999999999999999999s\n}\n" BASE,
			"t.conf:2: error: machines: \"99999999999999999999s\" is too large; write "
			"1s to 1d\n"},
		{"poll {\n	jitter = 10\n}\n" BASE,
			"t.conf:2: error: jitter: \"10\" has no percent sign; write 10%\n"},
		{"poll {\n	jitter = some\n}\n" BASE,
			"t.conf:2: error: jitter: \"some\" is not a percentage; write one such as "
			"10%\n"},
		{"policy \"p\" {\n	integration = maybe\n}\n" BASE,
			"t.conf:2: error: integration: \"maybe\" is neither on nor off; write on "
			"or off\n"},
		{"policy \"p\" {\n	plan = p2\n}\n" BASE,
			"t.conf:2: error: plan: \"p2\" is not known; write P2\n"},
		{"state-directory = state\n" BASE,
			"t.conf:1: error: state-directory: \"state\" is not an absolute path; "
			"write it from the root, as in \"/etc/mdcd\"\n"},
		{"cloud \"public\" {\n	login = http://a.example\n}\n" BASE,
			"t.conf:2: error: login: \"http://a.example\" is not an https URL; write "
			"\"https://HOST\" or \"https://HOST:PORT\"\n"},
		{"cloud \"public\" {\n	login = https://a.example/\n}\n" BASE,
			"t.conf:2: error: login: \"https://a.example/\" ends with a slash; write "
			"\"https://a.example\"\n"},
		{"log = \"\"\n" BASE,
			"t.conf:1: error: log: the text is empty; write one, or "
			"leave the option out\n"},
		{"log = a\x1b[2Jb\n" BASE,
			"t.conf:1: error: log: \"a\\x1b[2Jb\" has control characters or is not "
			"UTF-8; write plain text\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void values_in_scopes_are_told_with_what_to_write(void **state)
{
#define IN_SCOPE(line) IDENTITY POLICY "scope \"s\" {\n" REFERENCES "	" line "\n}\n"
	static const struct trouble cases[] = {
		{IN_SCOPE("subscriptions = [" ID1 ", x]"),
			"t.conf:12: error: subscriptions: \"x\" is not a GUID; write one such as "
			"\"01234567-89ab-cdef-0123-456789abcdef\", or \"*\" for all\n"},
		{IN_SCOPE("subscriptions = /subscriptions/" ID1),
			"t.conf:12: error: subscriptions: \"/subscriptions/" ID1
			"\" is not a GUID; write \"" ID1 "\"\n"},
		{IN_SCOPE("subscriptions = []"),
			"t.conf:12: error: subscriptions: the list is empty; write ids, or \"*\" "
			"for all that the identity sees\n"},
		{IN_SCOPE("management-groups = []"),
			"t.conf:12: error: management-groups: the list is empty; write ids, or "
			"subscriptions = { \"*\" } for all that the identity sees\n"},
		{IN_SCOPE("management-groups = [a b]"),
			"t.conf:12: error: management-groups: \"a b\" is not the id of a "
			"management group; write letters, digits and - _ . ( ) only\n"},
		{IN_SCOPE("management-groups = "
			  "/providers/Microsoft.Management/managementGroups/mg"),
			"t.conf:12: error: management-groups: "
			"\"/providers/Microsoft.Management/managementGroups/mg\" is not the id of "
			"a management group; write \"mg\"\n"},
		{IN_SCOPE("max-in-flight = 20000"),
			"t.conf:12: error: max-in-flight: \"20000\" is too large; write 1 to "
			"10000 operations\n"},
		{IN_SCOPE("mode = enforced"),
			"t.conf:12: error: mode: \"enforced\" is not known; write enforce\n"},
	};
#undef IN_SCOPE

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void what_this_version_cannot_do_is_refused(void **state)
{
	static const struct trouble cases[] = {
		{"policy \"p\" {\n	plan = P1\n	plan-extensions = "
		 "[MdeDesignatedSubscription, AgentlessVmScanning]\n}\n" BASE,
			"t.conf:3: error: plan-extensions: AgentlessVmScanning does not exist with "
			"plan = P1; write plan = P2, or take it out\n"},
		{IDENTITY POLICY
			"scope \"s\" {\n" REFERENCES "	ring \"r\" {\n		halt-at = 7\n	}\n"
			"	window \"w\" {\n		from = 22:00\n		to = "
			"5:00\n	}\n}\n",
			"t.conf:12: error: ring \"r\" is not supported by this version; remove "
			"the section\n"
			"t.conf:13: error: halt-at: \"7\" does not say of what; write \"7%\" for "
			"a part, or \"7 machines\" for a number\n"
			"t.conf:15: error: window \"w\" is not supported by this version; remove "
			"the section\n"
			"t.conf:17: error: to: \"5:00\" is not a time of day; write HH:MM, from "
			"00:00 to 23:59\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void connectors_have_what_the_policy_names(void **state)
{
	static const struct trouble cases[] = {
		{"policy \"p\" {\n	connector {\n		plan = P1\n		agentless "
		 "= on\n"
		 "	}\n}\n" BASE,
			"t.conf:4: error: agentless: it does not exist with plan = P1; write plan "
			"= "
			"P2, or take it out\n"},
	};
	struct config *c = build_well(
		"policy \"p\" {\n	connector {\n		plan = P2\n"
		"		mde = on\n		agentless = on\n	}\n}\n" BASE);
	const struct policy_config *p = &c->policies[0];

	(void)state;
	assert_int_equal(p->connector.plan, PLAN_P2);
	assert_true(p->connector.parts[CONNECTOR_MDE]);
	assert_true(p->connector.parts[CONNECTOR_AGENTLESS]);
	assert_false(p->connector.parts[CONNECTOR_ARC]);
	assert_false(p->connector.parts[CONNECTOR_VULNERABILITY]);
	config_free(c);
	assert_said(cases, ARRAY_LEN(cases));
}

#define WORKSPACE \
	"/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/" \
	"Microsoft.OperationalInsights/workspaces/w"

static void workspaces_get_the_plan_with_p2_only(void **state)
{
	static const struct trouble cases[] = {
		{"policy \"p\" {\n	plan = P1\n	workspaces {\n		list = "
		 "[\"" WORKSPACE "\"]\n		from-machines = on\n	}\n}\n" BASE,
			"t.conf:4: warning: list: it has no effect without plan = P2; write that, "
			"or take it out\n"
			"t.conf:5: warning: from-machines: it has no effect without plan = P2; "
			"write that, or take it out\n"},
	};
	struct config *c = build_well("policy \"p\" {\n	plan = P2\n	workspaces {\n"
				      "		list = [\"" WORKSPACE "\"]\n"
				      "		from-machines = on\n	}\n}\n" BASE);
	const struct policy_config *p = &c->policies[0];

	(void)state;
	assert_true(p->workspaces.from_machines);
	assert_int_equal(p->workspaces.list_count, 1);
	assert_string_equal(p->workspaces.list[0], WORKSPACE);
	config_free(c);
	assert_said(cases, ARRAY_LEN(cases));
}

static void what_does_nothing_is_accepted_where_it_is_not_supported(void **state)
{
	struct config *c = build_well("policy \"p\" {\n"
				      "	workspaces {\n		from-machines = false\n"
				      "		list = []\n	}\n"
				      "	legacy {\n		remove-agent = off\n	}\n"
				      "	connector {\n		plan = unmanaged\n"
				      "		mde = off\n	}\n}\n" BASE);

	(void)state;
	assert_false(c->policies[0].legacy_remove_agent);
	config_free(c);
}

/* --- secrets --- */

static void a_secret_is_refused_and_never_repeated(void **state)
{
	static const struct trouble cases[] = {
		{"identity \"x\" {\n" CREDENTIALS "	secret = hunter2\n}\n" BASE,
			"t.conf:6: error: secret: a secret is never written in a configuration; "
			"put it into a file of its own and write secret-file = "
			"\"/etc/mdcd/credentials/client-secret\"\n"},
		{"identity \"x\" {\n" CREDENTIALS "	certificate-password = hunter2\n}\n" BASE,
			"t.conf:6: error: certificate-password: a secret is never written in a "
			"configuration; put it into a file of its own and write "
			"certificate-password-file = \"/etc/mdcd/credentials/password\"\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

/* --- what is missing, and what does not go together --- */

static void required_options_are_told_with_an_example(void **state)
{
	static const struct trouble cases[] = {
		{"identity \"x\" {\n}\n" BASE,
			"t.conf:1: error: identity \"x\" has no tenant; write tenant = "
			"\"01234567-89ab-cdef-0123-456789abcdef\"\n"
			"t.conf:1: error: identity \"x\" has no method; write method = "
			"client-secret, client-certificate, workload-identity, managed-identity, "
			"arc-managed-identity or azure-cli\n"},
		{"identity \"x\" {\n	tenant = " ID1
		 "\n	method = workload-identity\n}\n" BASE,
			"t.conf:1: error: identity \"x\" has no client, which the method "
			"workload-identity needs; write client = "
			"\"00000000-0000-0000-0000-000000000000\", or set AZURE_CLIENT_ID\n"
			"t.conf:1: error: identity \"x\" has no federated-token-file, which the "
			"method workload-identity needs; write federated-token-file = "
			"\"/var/run/secrets/azure/tokens/azure-identity-token\", or set "
			"AZURE_FEDERATED_TOKEN_FILE\n"},
		{"identity \"x\" {\n	tenant = " ID1 "\n	method = client-secret\n}\n" BASE,
			"t.conf:1: error: identity \"x\" has no client, which the method "
			"client-secret needs; write client = "
			"\"00000000-0000-0000-0000-000000000000\"\n"
			"t.conf:1: error: identity \"x\" has no secret-file, which the method "
			"client-secret needs; write secret-file = "
			"\"/etc/mdcd/credentials/client-secret\"\n"},
		{"identity \"x\" {\n	tenant = " ID1 "\n	client = " ID2
		 "\n	method = client-certificate\n	secret-file = /x\n}\n" BASE,
			"t.conf:1: error: identity \"x\" has no certificate, which the method "
			"client-certificate needs; write certificate = "
			"\"/etc/mdcd/credentials/mdcd.pem\"\n"
			"t.conf:5: warning: secret-file: the method client-certificate does not "
			"use it; remove it\n"},
		{"cloud \"lab\" {\n	defender = https://d.example\n}\n" BASE,
			"t.conf:1: error: cloud \"lab\" has no resource-manager and is not a "
			"built-in cloud; write resource-manager = \"https://HOST\"\n"},
		{IDENTITY POLICY "scope \"s\" {\n}\n",
			"t.conf:9: error: scope \"s\" has no identity; write identity = "
			"\"main\"\n"
			"t.conf:9: error: scope \"s\" has no policy; write policy = "
			"\"servers\"\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void a_misspelt_option_is_not_missing_as_well(void **state)
{
	static const struct trouble cases[] = {
		{"identity \"x\" {\n	tennant = " ID1 "\n	cleint = " ID2
		 "\n	method = client-secret\n	secret-flie = /x\n}\n" BASE,
			"t.conf:2: error: there is no option \"tennant\" in identity \"x\"; write "
			"tenant\n"
			"t.conf:3: error: there is no option \"cleint\" in identity \"x\"; write "
			"client\n"
			"t.conf:5: error: there is no option \"secret-flie\" in identity \"x\"; "
			"write secret-file\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void an_option_that_could_not_be_read_fails_and_is_not_told_again(void **state)
{
	mdc_cleanup(config_section_fini) struct config_section root =
		records_of(IDENTITY POLICY "scope \"s\" {\n	identity =\n	policy =\n}\n");
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_build(&root, &diags, &config), -EINVAL);
	assert_null(config);
	assert_int_equal(diags.n, 0);
}

static void references_are_resolved_or_told(void **state)
{
#define WITH(identity, policy) \
	"scope \"s\" {\n	identity = " identity "\n	policy = " policy "\n}\n"
	static const struct trouble cases[] = {
		{WITH("mian", "servers") IDENTITY POLICY,
			"t.conf:2: error: identity: there is no identity \"mian\"; write "
			"\"main\"\n"},
		{WITH("Main", "servers") IDENTITY POLICY,
			"t.conf:2: error: identity: there is no identity \"Main\"; write "
			"\"main\"\n"},
		{WITH("main", "x") IDENTITY POLICY "policy \"web\" {\n}\n",
			"t.conf:3: error: policy: there is no policy \"x\"; there are "
			"\"servers\", \"web\"\n"},
		{WITH("main", "x") IDENTITY,
			"t.conf:3: error: policy: there is no policy \"x\"; add a section policy "
			"\"x\" { … }\n"},
		{"identity \"x\" {\n	cloud = germany\n" CREDENTIALS "}\n" BASE,
			"t.conf:2: error: cloud: there is no cloud \"germany\"; there are "
			"\"public\", \"us-government\", \"china\"\n"},
		{"cloud \"lab\" {\n	login = https://l.example\n	resource-manager = "
		 "https://r.example\n}\nidentity \"x\" {\n	cloud = lap\n" CREDENTIALS
		 "}\n" BASE,
			"t.conf:6: error: cloud: there is no cloud \"lap\"; write \"lab\"\n"},
	};
#undef WITH

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void enforce_needs_a_selector_that_was_written_down(void **state)
{
#define ENFORCE(line) IDENTITY POLICY "scope \"s\" {\n" REFERENCES "	mode = enforce\n" line "}\n"
	static const struct trouble cases[] = {
		{ENFORCE(""),
			"t.conf:12: error: mode: enforce has to be told where; write "
			"subscriptions = { … } or management-groups = { … } into scope \"s\" "
			"(subscriptions = { \"*\" } is all that the identity sees)\n"},
		{ENFORCE("subscriptions = []\n"),
			"t.conf:13: error: subscriptions: the list is empty; write ids, or \"*\" "
			"for all that the identity sees\n"},
		{ENFORCE("subscriptions = *\n"), ""},
		{ENFORCE("subscriptions = [" ID1 "]\n"), ""},
		{ENFORCE("subscriptions = []\nmanagement-groups = [mg]\n"), ""},
		{ENFORCE("management-groups = mg\n"), ""},
	};
#undef ENFORCE

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void what_two_scopes_claim_is_told_with_both_lines(void **state)
{
#define TWO(first, second) \
	"scope \"a\" {\n" REFERENCES "	" first "\n}\nscope \"b\" {\n" REFERENCES "	" second \
	"\n}\n" IDENTITY POLICY
	static const struct trouble cases[] = {
		{TWO("subscriptions = [" ID1 ", " ID2 "]", "subscriptions = [" ID3 ", " ID2 "]"),
			"t.conf:9: error: subscriptions: \"" ID2
			"\" belongs to scope \"a\" already (t.conf:4), and to one scope only; "
			"remove one\n"},
		{TWO("management-groups = MG", "management-groups = mg"),
			"t.conf:9: error: management-groups: \"mg\" belongs to scope \"a\" "
			"already (t.conf:4), and to one scope only; remove one\n"},
		{TWO("subscriptions = [*]", "subscriptions = [" ID1 ", *]"),
			"t.conf:9: error: scope \"b\" is over all that the identity sees, and so "
			"is scope \"a\" (t.conf:4); write subscriptions or management-groups in "
			"one of them, or the tenants of both identities where they are different "
			"ones\n"},
		{TWO("mode = observe", "subscriptions = [*]"),
			"t.conf:9: error: scope \"b\" is over all that the identity sees, and so "
			"is scope \"a\" (t.conf:1); write subscriptions or management-groups in "
			"one of them, or the tenants of both identities where they are different "
			"ones\n"},
		{TWO("subscriptions = [" ID1 ", " ID1 "]", "subscriptions = [*]"),
			"t.conf:4: error: subscriptions: \"" ID1
			"\" is in this list already (t.conf:4); remove one\n"},
		{TWO("subscriptions = [" ID1 "]", "subscriptions = [*]"), ""},
		{TWO("management-groups = [" ID1 "]", "subscriptions = [" ID1 "]"), ""},
	};
#undef TWO

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

/* "*" is what an identity sees, and a management group has its name within its tenant. */
static void each_tenant_has_names_of_its_own(void **state)
{
#define TWO(first, second, what) \
	POLICY "identity \"one\" {\n" first "}\nidentity \"two\" {\n" second \
	       "}\nscope \"a\" {\n	identity = one\n	policy = servers\n	" what \
	       "\n}\nscope \"b\" {\n	identity = two\n	policy = servers\n	" what \
	       "\n}\n"
#define AT(tenant) \
	"	tenant = " tenant "\n	client = " ID1 \
	"\n	method = client-secret\n	secret-file = /etc/mdcd/secret\n"
#define HOST "	method = managed-identity\n"
#define ALL "subscriptions = [*]"
#define GROUP "management-groups = [mg]"
#define TOLD_ALL \
	": error: scope \"b\" is over all that the identity sees, and so is scope \"a\" (t.conf:"
#define TOLD_GROUP ": error: management-groups: \"mg\" belongs to scope \"a\" already (t.conf:"
	static const struct {
		const char *text, *told; /* NULL: nothing */
	} cases[] = {
		{TWO(AT(ID2), AT(ID3), ALL), NULL},
		{TWO(AT(ID2), AT(ID3), GROUP), NULL},
		{TWO(AT(ID2), AT(ID2), ALL), TOLD_ALL},
		{TWO(AT(ID2), AT(ID2), GROUP), TOLD_GROUP},
		/* The host's identity may be of the same tenant. */
		{TWO(AT(ID2), HOST, ALL), TOLD_ALL},
		{TWO(HOST, AT(ID2), ALL), TOLD_ALL},
		{TWO(HOST, AT(ID2), GROUP), TOLD_GROUP},
		{TWO(HOST, HOST, GROUP), TOLD_GROUP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		mdc_cleanup(buf_fini) struct buf said = BUF_INIT(1 << 20);
		struct config *c = build(cases[i].text, &said);

		if (cases[i].told == NULL)
			assert_string_equal(buf_str(&said), "");
		else
			assert_non_null(strstr(buf_str(&said), cases[i].told));
		assert_true((c != NULL) == (cases[i].told == NULL));
		config_free(c);
	}
#undef TWO
#undef AT
}

static void exclusions_and_grants_are_complete(void **state)
{
#define IN_SCOPE(lines) \
	"scope \"s\" {\n" REFERENCES "	subscriptions = [" ID1 "]\n" lines "}\n" IDENTITY POLICY
#define WHO "		owner = me\n		reason = so\n"
	static const struct trouble cases[] = {
		{IN_SCOPE("	exclude \"x\" {\n	}\n"),
			"t.conf:5: error: exclude \"x\" has no owner; write owner = \"lab team\"\n"
			"t.conf:5: error: exclude \"x\" has no reason; write reason = \"rebuilt "
			"every night\"\n"
			"t.conf:5: error: exclude \"x\" does not say what it is about; write "
			"subscriptions, management-groups, resource-groups, machines or tags, or "
			"subscriptions = { "
			"\"*\" } for the whole scope\n"},
		{IN_SCOPE("	grant \"x\" {\n	}\n"),
			"t.conf:5: error: grant \"x\" has no control; write control = "
			"servers-plan, connector or machine-plan\n"
			"t.conf:5: error: grant \"x\" has no owner; write owner = \"cost "
			"control\"\n"
			"t.conf:5: error: grant \"x\" has no until; write until = 2027-01-31\n"
			"t.conf:5: error: grant \"x\" has no reason; write reason = \"P1 is "
			"enough here\"\n"
			"t.conf:5: error: grant \"x\" does not say what it is about; write "
			"subscriptions, resource-groups, machines or tags, or subscriptions = { "
			"\"*\" } for the whole scope\n"},
		{IN_SCOPE("	grant \"x\" {\n		control = machine-plan\n"
			  "		tags = role=kiosk\n		until = 2027-01-31\n" WHO
			  "	}\n"),
			""},
		{IN_SCOPE("	grant \"x\" {\n		control = servers-plan\n"
			  "		tags = role=kiosk\n		until = 2027-01-31\n" WHO
			  "	}\n"),
			"t.conf:7: error: tags: a grant for servers-plan is about subscriptions; "
			"remove it, or write control = machine-plan\n"},
		{IN_SCOPE("	grant \"x\" {\n		control = connector\n"
			  "		machines = a\n		until = 2027-01-31\n" WHO
			  "	}\n"),
			"t.conf:7: error: machines: a grant for connector is about subscriptions; "
			"remove it, or write control = machine-plan\n"},
		{"policy \"p\" {\n	machine-plan \"k\" {\n	}\n"
		 "	machine-plan \"l\" {\n		plan = P2\n		machines = a\n	}\n"
		 "}\n" BASE,
			"t.conf:2: error: machine-plan \"k\" has no plan; write plan = P1, off or "
			"inherit\n"
			"t.conf:5: error: plan: \"P2\" is not known; write P1, off or "
			"inherit\n"
			"t.conf:2: error: machine-plan \"k\" does not say what it is about; write "
			"subscriptions, resource-groups, machines or tags, or subscriptions = { "
			"\"*\" } for the whole scope\n"},
		{IN_SCOPE("	exclude \"x\" {\n		tags = []\n" WHO "	}\n"),
			"t.conf:6: error: tags: the list is empty; write what exclude \"x\" is "
			"about, or remove it\n"},
		{IN_SCOPE("	exclude \"x\" {\n		subscriptions = [" ID1 ", " ID2
			  "]\n" WHO "	}\n"),
			"t.conf:6: warning: subscriptions: " ID2
			" is not in scope \"s\", so exclude \"x\" has no effect on it\n"},
		{IN_SCOPE("	exclude \"x\" {\n		subscriptions = *\n" WHO
			  "	}\n"),
			""},
		{IN_SCOPE("	exclude \"x\" {\n		tags = env\n" WHO "	}\n"),
			"t.conf:6: error: tags: \"env\" is not a tag with its value; write "
			"\"NAME=VALUE\"\n"},
		{IN_SCOPE("	exclude \"x\" {\n		machines = a\n"
			  "		until = 2027-02-30\n" WHO "	}\n"),
			"t.conf:7: error: until: \"2027-02-30\" is not a date; write YYYY-MM-DD, "
			"such as 2027-01-31\n"},
	};
#undef WHO
#undef IN_SCOPE

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void options_without_effect_are_warned_of(void **state)
{
	static const struct trouble cases[] = {
		{"policy \"p\" {\n	unified-solution = on\n	extension {\n"
		 "		deploy = after-grace\n	}\n}\n" BASE,
			"t.conf:2: warning: unified-solution: it has no effect where the "
			"integration is off; write integration = on to keep that on\n"
			"t.conf:4: warning: deploy: it has no effect where the integration is "
			"off; write integration = on to keep that on\n"},
		{"policy \"p\" {\n	integration = on\n	legacy {\n		replace = "
		 "on\n"
		 "	}\n}\n" BASE,
			"t.conf:4: warning: replace: only Defender for Cloud replaces while the "
			"extension is never deployed; write extension { deploy = after-grace } to "
			"help it\n"},
		{"policy \"p\" {\n	legacy {\n		remove-agent = on\n	"
		 "}\n}\n" BASE,
			"t.conf:3: warning: remove-agent: it has no effect without workspaces; "
			"write workspaces = { \"ID\" } with those that only the old sensor "
			"needed, or { \"*\" } for all\n"},
		{"policy \"p\" {\n	extension {\n		grace = 3h\n"
		 "		first-grace = 1h\n	}\n}\n" BASE,
			"t.conf:4: warning: first-grace: it is shorter than grace, and the first "
			"deployment takes longer than the later ones; write a longer time\n"},
		{IDENTITY POLICY,
			"t.conf: warning: there is no scope, so nothing is watched; add "
			"a section scope \"NAME\" { … }\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void a_full_sweep_is_not_shorter_than_a_pass(void **state)
{
	static const struct trouble cases[] = {
		{"poll {\n	machines = 5m\n	full-sweep = 1m\n}\n" BASE,
			"t.conf:3: error: full-sweep: it is shorter than machines (line 2); write "
			"a longer time, or a shorter one for machines\n"},
		{"poll {\n	machines = 5m\n	full-sweep = 5m\n}\n" BASE, ""},
		{"poll {\n	machines = 12h\n}\n" BASE, ""},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void all_errors_are_told_at_once(void **state)
{
	static const struct trouble cases[] = {
		{"log = jurnal\npol {\n}\npoll {\n	machines = 5\n	jitter = 10\n}\n"
		 "identity \"main\" {\n	tenant = x\n	method = client-secret\n}\n"
		 "scope \"s\" {\n	identity = mian\n	mode = enforce\n}\n",
			"t.conf:1: error: log: \"jurnal\" is not known; write journal\n"
			"t.conf:2: error: there is no section \"pol\" at the top level; write "
			"poll\n"
			"t.conf:5: error: machines: \"5\" has no unit; write 5s, 5m, 5h or 5d\n"
			"t.conf:6: error: jitter: \"10\" has no percent sign; write 10%\n"
			"t.conf:9: error: tenant: \"x\" is not a GUID; write one such as "
			"\"01234567-89ab-cdef-0123-456789abcdef\"\n"
			"t.conf:12: error: scope \"s\" has no policy; write policy = \"servers\"\n"
			"t.conf:8: error: identity \"main\" has no client, which the method "
			"client-secret needs; write client = "
			"\"00000000-0000-0000-0000-000000000000\"\n"
			"t.conf:8: error: identity \"main\" has no secret-file, which the method "
			"client-secret needs; write secret-file = "
			"\"/etc/mdcd/credentials/client-secret\"\n"
			"t.conf:13: error: identity: there is no identity \"mian\"; write "
			"\"main\"\n"
			"t.conf:14: error: mode: enforce has to be told where; write "
			"subscriptions = { … } or management-groups = { … } into scope \"s\" "
			"(subscriptions = { \"*\" } is all that the identity sees)\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_options_are_told_with_what_was_meant),
		cmocka_unit_test(unknown_sections_are_told_with_what_was_meant),
		cmocka_unit_test(titles_are_told_where_they_are_missing_or_cannot_be),
		cmocka_unit_test(values_are_told_with_what_to_write),
		cmocka_unit_test(values_in_scopes_are_told_with_what_to_write),
		cmocka_unit_test(what_this_version_cannot_do_is_refused),
		cmocka_unit_test(connectors_have_what_the_policy_names),
		cmocka_unit_test(workspaces_get_the_plan_with_p2_only),
		cmocka_unit_test(what_does_nothing_is_accepted_where_it_is_not_supported),
		cmocka_unit_test(a_secret_is_refused_and_never_repeated),
		cmocka_unit_test(required_options_are_told_with_an_example),
		cmocka_unit_test(a_misspelt_option_is_not_missing_as_well),
		cmocka_unit_test(an_option_that_could_not_be_read_fails_and_is_not_told_again),
		cmocka_unit_test(references_are_resolved_or_told),
		cmocka_unit_test(enforce_needs_a_selector_that_was_written_down),
		cmocka_unit_test(what_two_scopes_claim_is_told_with_both_lines),
		cmocka_unit_test(each_tenant_has_names_of_its_own),
		cmocka_unit_test(exclusions_and_grants_are_complete),
		cmocka_unit_test(options_without_effect_are_warned_of),
		cmocka_unit_test(a_full_sweep_is_not_shorter_than_a_pass),
		cmocka_unit_test(all_errors_are_told_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
