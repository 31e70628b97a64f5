/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/config.h"
#include "lib/model/config_shape.h"

#define SWITCH_OFF .type = CONFIG_SWITCH, .standard = "off", .reloadable = true
#define DURATION(min, max, normal) \
	.type = CONFIG_DURATION, .minimum = (min), .maximum = (max), .standard = (normal), \
	.reloadable = true
#define REQUIRED .standard = "", .reloadable = true
#define OPTIONAL .standard = NULL, .reloadable = true
#define PRICE(max) .type = CONFIG_PRICE, .minimum = "0", .maximum = (max), OPTIONAL
#define NOT_YET .supported = ""
#define ONLY_OFF .supported = "off"

static const struct config_row rows[] = {
	{"", "state-directory", CONFIG_PATH, .standard = "/var/lib/mdcd",
		.help = "Where the daemon keeps its state: items, operations, history. One daemon "
			"per directory."},
	{"", "control-socket", CONFIG_PATH, .standard = "/run/mdcd/control.sock", .maximum = "107",
		.help = "The socket on which mdcctl speaks with the daemon."},
	{"", "log", CONFIG_CHOICE, .standard = "journal", .choices = "journal|stderr",
		.help = "Where the log goes. stderr is for running in the foreground."},
	{"", "max-in-flight", CONFIG_COUNT, .minimum = "1", .maximum = "10000", .standard = "50",
		.unit = "operations", .reloadable = true,
		.help = "How many operations may run at once in a scope that does not say it "
			"itself."},
	{"", "expiry-grace", DURATION("0s", "90d", "7d"),
		.help = "For how long an exclusion, a grant or an honoured exemption of Azure "
			"Policy that "
			"has ended still holds, with a "
			"warning each day. Then it counts as absent."},

	{"proxy", "url", CONFIG_PROXY, OPTIONAL, .example = "http://proxy.example.com:3128",
		.help = "The proxy through which Azure is reached; none for a direct way. Without "
			"it the environment decides: HTTPS_PROXY, then ALL_PROXY."},
	{"proxy", "credentials-file", CONFIG_PATH, OPTIONAL,
		.example = "/etc/mdcd/credentials/proxy",
		.help = "The file that holds USER:PASSWORD for the proxy, in one line."},
	{"proxy", "ca-file", CONFIG_PATH, OPTIONAL, .example = "/etc/mdcd/proxy-ca.pem",
		.help = "Certificates that are trusted for the certificate of an https proxy "
			"itself, besides the system's own, in PEM. The authority of a proxy that "
			"opens TLS belongs into ca-file of the cloud."},
	{"proxy", "no-proxy", CONFIG_LIST, OPTIONAL, .example = "10.0.0.0/8",
		.help = "What is reached without the proxy: names with all below them, addresses, "
			"networks. Without it the environment decides: NO_PROXY. This machine "
			"itself and the metadata services of Azure VMs and of the Arc agent are "
			"never asked through a proxy."},

	{"cloud", "login", CONFIG_URL, OPTIONAL, .example = "https://login.microsoftonline.com",
		.help = "Where tokens are issued. Where it is not written and the title is not "
			"that of a built-in cloud, the daemon asks the resource-manager and tells "
			"what to write: no secret is ever sent to a host that nobody wrote down."},
	{"cloud", "resource-manager", CONFIG_URL, OPTIONAL,
		.example = "https://management.azure.com",
		.help = "Azure Resource Manager. Required unless the title is that of a built-in "
			"cloud."},
	{"cloud", "defender", CONFIG_URL, OPTIONAL, .example = "https://api.security.microsoft.com",
		.help = "The API of Defender for Endpoint. Without it, or without the "
			"application permission Machine.Read.All, the inventory of Defender for "
			"Endpoint is not read, and what it would prove stays unproven. A built-in "
			"cloud has "
			"its own, unless its resource-manager is another one."},
	{"cloud", "audience", CONFIG_TEXT, OPTIONAL, .example = "https://management.azure.com",
		.help = "For whom tokens are asked, where it is not the same as resource-manager."},
	{"cloud", "ca-file", CONFIG_PATH, OPTIONAL, .example = "/etc/mdcd/ca.pem",
		.help = "Certificates that are trusted for this cloud besides the system's own, "
			"in PEM."},
	{"cloud", "quota-model", CONFIG_CHOICE, .standard = "buckets",
		.choices = "buckets|buckets-and-tenant|hourly", .reloadable = true,
		.help = "How Resource Manager counts calls: in buckets of subscriptions, in these "
			"and the tenant's, or by the hour, which is the default of china."},
	{"cloud/proxy", "url", CONFIG_PROXY, OPTIONAL, .example = "none",
		.help = "As in proxy at the top level, for this cloud alone."},
	{"cloud/proxy", "credentials-file", CONFIG_PATH, OPTIONAL,
		.example = "/etc/mdcd/credentials/proxy", .help = "As in proxy at the top level."},
	{"cloud/proxy", "ca-file", CONFIG_PATH, OPTIONAL, .example = "/etc/mdcd/proxy-ca.pem",
		.help = "As in proxy at the top level."},
	{"cloud/proxy", "no-proxy", CONFIG_LIST, OPTIONAL, .example = "10.0.0.0/8",
		.help = "As in proxy at the top level."},

	{"identity", "cloud", CONFIG_TEXT, .standard = "public", .reloadable = true,
		.help = "The cloud of this identity: public, us-government, china, or the title "
			"of a cloud section."},
	{"identity", "tenant", CONFIG_GUID, REQUIRED, .help = "The id of the Entra ID tenant."},
	{"identity", "client", CONFIG_GUID, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "The application (client) id of the service principal. For the methods "
			"managed-identity and arc-managed-identity that of a user-assigned "
			"identity; without it, the machine's own is used. Required for all other "
			"methods but azure-cli."},
	{"identity", "method", CONFIG_CHOICE, REQUIRED,
		.choices = "client-secret|client-certificate|workload-identity|managed-identity|"
			   "arc-managed-identity|azure-cli",
		.example = "client-certificate",
		.help = "How the identity proves itself: by a secret or a certificate of its "
			"application, by the token of another issuer that the application trusts, "
			"by the managed identity of the Azure VM or of the Arc machine on which "
			"the daemon runs, or by whoever is signed in with the Azure CLI (for "
			"scopes in the mode observe only)."},
	{"identity", "secret-file", CONFIG_PATH, OPTIONAL,
		.example = "/etc/mdcd/credentials/client-secret",
		.help = "The file that holds the client secret, for the method client-secret. The "
			"secret itself is never written in a configuration."},
	{"identity", "secret-expires", CONFIG_DATE, OPTIONAL, .example = "2027-01-31",
		.help = "The day on which the client secret ends, as the portal shows it: status "
			"and journal warn from 30 days before. The end of a certificate is known "
			"without it."},
	{"identity", "certificate", CONFIG_PATH, OPTIONAL,
		.example = "/etc/mdcd/credentials/mdcd.pem",
		.help = "The file that holds certificate and private key, for the method "
			"client-certificate: PEM, or PKCS#12 (.pfx)."},
	{"identity", "certificate-password-file", CONFIG_PATH, OPTIONAL,
		.example = "/etc/mdcd/credentials/mdcd.password",
		.help = "The file that holds the password of the private key, where it has one."},
	{"identity", "certificate-chain", SWITCH_OFF,
		.help = "Sends the certificate and its issuers along, for an application that "
			"trusts a subject name and an issuer in place of one certificate."},
	{"identity", "federated-token-file", CONFIG_PATH, OPTIONAL,
		.example = "/var/run/secrets/azure/tokens/azure-identity-token",
		.help = "The file that holds the token of another issuer, for the method "
			"workload-identity. It is read again for every sign-in."},

	{"poll", "subscriptions", DURATION("1s", "1d", "15m"),
		.help = "How often subscriptions, their plans and their settings are read."},
	{"poll", "machines", DURATION("1s", "1d", "5m"),
		.help = "How often changes of machines and extensions are looked for."},
	{"poll", "full-sweep", DURATION("1s", "7d", "6h"),
		.help = "How often all machines and extensions are read, changed or not. Without "
			"effect in this version, whose every look at machines reads them all."},
	{"poll", "inventory", DURATION("1s", "7d", "1h"),
		.help = "How often the inventory of Defender for Endpoint is read."},
	{"poll", "operations", DURATION("1s", "1h", "1m"),
		.help = "How often the operations that run are looked at, all at once."},
	{"poll", "jitter", CONFIG_PERCENT, .minimum = "0%", .maximum = "50%", .standard = "10%",
		.reloadable = true,
		.help = "By how much each of these times varies at random, so that daemons do not "
			"act in step."},

	{"impact", "machines", CONFIG_COUNT, .minimum = "0", .maximum = "1000000",
		.standard = "100", .unit = "machines", .reloadable = true,
		.help = "A configuration that newly reaches more machines than this waits for "
			"mdcctl confirm before anything is written."},
	{"impact", "subscriptions", CONFIG_COUNT, .minimum = "0", .maximum = "100000",
		.standard = "5", .unit = "subscriptions", .reloadable = true,
		.help = "The same for subscriptions."},

	{"prices", "currency", CONFIG_TEXT, OPTIONAL, .maximum = "8", .example = "EUR",
		.help = "The currency of the prices."},
	{"prices", "p1-per-hour", PRICE("1000"), .example = "0.01",
		.help = "What an hour of Defender for Servers P1 costs for one machine, with at "
			"most six decimals."},
	{"prices", "p2-per-hour", PRICE("1000"), .example = "0.03", .help = "The same for P2."},
	{"prices", "mde-per-month", PRICE("1000000"), .example = "4.00",
		.help = "What a licence of Defender for Endpoint for one server costs in a month, "
			"where no plan includes it."},

	{"policy", "plan", CONFIG_CHOICE, .standard = "unmanaged", .choices = "unmanaged|P1|P2",
		.reloadable = true,
		.help = "The Defender for Servers plan that subscriptions have. unmanaged leaves "
			"it as it is."},
	{"policy", "plan-extensions", CONFIG_CHOICES, OPTIONAL,
		.choices = "AgentlessVmScanning|MdeDesignatedSubscription|FileIntegrityMonitoring",
		.example = "AgentlessVmScanning",
		.help = "Extensions of the plan that are kept on. All others stay as they are; a "
			"plan that is switched on brings those that Azure has on by default. Only "
			"MdeDesignatedSubscription exists with P1. FileIntegrityMonitoring has to "
			"be switched on once in Defender for Cloud, which asks for its workspace "
			"and rules."},
	{"policy", "integration", SWITCH_OFF,
		.help = "Keeps the integration of Defender for Endpoint on. off leaves it as it "
			"is."},
	{"policy", "unified-solution", SWITCH_OFF,
		.help = "Keeps the unified solution for Windows Server 2012 R2 and 2016 on where "
			"such machines exist. off leaves it as it is."},
	{"policy", "linux", SWITCH_OFF,
		.help = "Keeps Linux machines in the integration of Defender for Endpoint, where "
			"such machines exist: Azure's own setting says that they are excluded, "
			"and is kept false. off leaves it as it is."},
	{"policy", "vulnerability-management", SWITCH_OFF,
		.help = "Keeps Microsoft Defender Vulnerability Management the provider that "
			"assesses the machines. off leaves it as it is."},
	{"policy", "register-providers", SWITCH_OFF,
		.help = "Registers the resource provider Microsoft.Security where it is not, and "
			"Microsoft.HybridCompute where Arc machines exist. off only reports that "
			"one is missing."},
	{"policy/workspaces", "from-machines", SWITCH_OFF,
		.help = "With plan = P2: keeps the plan on in the Log Analytics workspaces of the "
			"scope's subscriptions to which machines of subscriptions with P2 report, "
			"by the settings of the old agent or by a data collection rule that sends "
			"security events. Where machines of other subscriptions report as well, "
			"which may then be billed, it is only reported; list the workspace to "
			"decide for it."},
	{"policy/workspaces", "list", CONFIG_WORKSPACES, OPTIONAL,
		.example = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/"
			   "rg/providers/Microsoft.OperationalInsights/workspaces/ws",
		.help = "With plan = P2: workspaces of the scope's subscriptions, by resource id, "
			"in which the plan is kept on, whoever reports to them. It is never "
			"removed."},
	{"policy", "policy-grace", DURATION("0s", "30d", "26h"),
		.help = "The time that assigned policies of Azure which would make a correction "
			"themselves are given for it: they look once a day."},
	{"policy/extension", "deploy", CONFIG_CHOICE, .standard = "never",
		.choices = "never|after-grace", .reloadable = true,
		.help = "Whether the daemon deploys the Defender for Endpoint extension where "
			"Defender for Cloud has not done it within its grace."},
	{"policy/extension", "own-images", SWITCH_OFF,
		.help = "Deploys it to Azure VMs, too, that were made of an own generalized image: "
			"Defender for Cloud leaves these out. It deploys to all other Azure VMs by "
			"itself; there it is only reported when it has not."},
	{"policy/extension", "grace", DURATION("0s", "30d", "3h"),
		.help = "How long Defender for Cloud has for a machine."},
	{"policy/extension", "first-grace", DURATION("0s", "30d", "14h"),
		.help = "The same after the plan or the integration of a subscription was "
			"switched on."},
	{"policy/extension", "other-edr", CONFIG_TAGS, OPTIONAL, .example = "edr=falcon",
		.help = "Tags, each of which says that a machine is protected by another product: "
			"it is not given a second one. What is installed already stays. Defender "
			"for Cloud deploys regardless of tags; machine-plan off keeps it away."},
	{"policy/legacy", "replace", SWITCH_OFF,
		.help = "Replaces the sensor that is based on the Log Analytics agent by the "
			"unified solution, on Windows Server 2012 R2 and 2016."},
	{"policy/legacy", "remove-agent", SWITCH_OFF,
		.help = "Removes the extension of the Log Analytics agent once the new sensor is "
			"proven, on every machine whose agent reports to one of workspaces and on "
			"which no assigned policy installs it. An agent that comes back is not "
			"removed again."},
	{"policy/legacy", "workspaces", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "The Log Analytics workspaces, by workspace id, that nothing but the old "
			"sensor needs: only agents that report to one of them are removed. \"*\" "
			"stands for all workspaces. What else an agent does for a workspace, or "
			"for one that was added on the machine itself, Azure does not tell."},
	{"policy/legacy", "proof", CONFIG_CHOICE, .standard = "inventory",
		.choices = "inventory|extension", .reloadable = true,
		.help = "What proves that the new sensor is at work: that the inventory of "
			"Defender for Endpoint shows it active, or, where that cannot be read, "
			"that its extension has succeeded. The extension may succeed while the "
			"sensor does not report; without the agent the machine is then not "
			"protected."},
	{"policy/legacy", "remove-after", DURATION("0s", "90d", "26h"),
		.help = "How long the new sensor has been provisioned before the agent is "
			"removed."},
	{"policy/machine-plan", "plan", CONFIG_CHOICE, REQUIRED, .choices = "P1|off|inherit",
		.example = "P1",
		.help = "The plan of these machines: P1, none at all, or again that of their "
			"subscription. Less than the subscription has needs a grant for "
			"machine-plan."},
	{"policy/machine-plan", "subscriptions", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "Which machines: those of these subscriptions, \"*\" for all. Of several "
			"lists all must match; of several sections the first that matches "
			"decides."},
	{"policy/machine-plan", "resource-groups", CONFIG_LIST, OPTIONAL, .example = "rg-kiosks",
		.help = "Machines in these resource groups."},
	{"policy/machine-plan", "machines", CONFIG_LIST, OPTIONAL, .example = "kiosk-*",
		.help = "Machines of these names. * stands for any characters, ? for one."},
	{"policy/machine-plan", "tags", CONFIG_TAGS, OPTIONAL, .example = "role=kiosk",
		.help = "Machines that have all these tags."},
	{"policy/connector", "plan", CONFIG_CHOICE, .standard = "unmanaged",
		.choices = "unmanaged|P1|P2", .reloadable = true,
		.help = "The Defender for Servers plan that AWS and GCP connectors have. A higher "
			"one stays unless a grant for connector allows otherwise."},
	{"policy/connector", "arc", SWITCH_OFF,
		.help = "Keeps on that connectors install the Arc agent on the machines of their "
			"account or project. Off leaves it as it is, like the others."},
	{"policy/connector", "mde", SWITCH_OFF,
		.help = "Keeps the provisioning of Defender for Endpoint on in connectors. Their "
			"machines are then corrected like others where the connector did not do "
			"it within two of its scans."},
	{"policy/connector", "vulnerability-assessment", SWITCH_OFF,
		.help = "Keeps the vulnerability assessment on in connectors, with Defender "
			"Vulnerability Management."},
	{"policy/connector", "agentless", SWITCH_OFF,
		.help = "Keeps agentless scanning on in connectors. It needs P2."},

	{"scope", "identity", CONFIG_TEXT, REQUIRED, .example = "main",
		.help = "The title of the identity that acts in this scope."},
	{"scope", "subscriptions", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "Subscriptions of this scope, by id. \"*\" is every subscription that the "
			"identity sees and no other scope names; of several such scopes, each in "
			"a tenant of its own, one that is at home in that tenant, or else the one "
			"that it is delegated to. A scope in the mode observe that "
			"names neither subscriptions nor management groups has them all."},
	{"scope", "management-groups", CONFIG_LIST, OPTIONAL, .example = "mg-prod",
		.help = "Management groups, by id, whose subscriptions belong to this scope. The "
			"nearest one decides."},
	{"scope", "policy", CONFIG_TEXT, REQUIRED, .example = "servers",
		.help = "The title of the policy of this scope."},
	{"scope", "mode", CONFIG_CHOICE, .standard = "observe", .choices = "observe|enforce",
		.reloadable = true,
		.help = "observe writes nothing to Azure. enforce corrects, and needs "
			"subscriptions or management groups that are written down."},
	{"scope", "max-in-flight", CONFIG_COUNT, .minimum = "1", .maximum = "10000", OPTIONAL,
		.unit = "operations", .example = "50",
		.help = "How many operations may run at once in this scope, where it is not the "
			"max-in-flight of the top level."},

	{"scope", "honour-exemptions", SWITCH_OFF,
		.help = "Exemptions of Azure Policy from assignments that install the sensor "
			"exclude machines from mde-extension, legacy-replaced and "
			"subscription-move while they last, and for expiry-grace after."},
	{"scope", "exemptions-of", CONFIG_LIST, OPTIONAL, .example = "deploy-mde",
		.help = "Assignments or definitions of one's own, by name or id, whose exemptions "
			"count as well."},

	{"scope/exclude", "subscriptions", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "What is excluded: these subscriptions, \"*\" for all. Of several lists "
			"all must match."},
	{"scope/exclude", "management-groups", CONFIG_LIST, OPTIONAL, .example = "mg-lab",
		.help = "Subscriptions below these management groups, at any depth."},
	{"scope/exclude", "resource-groups", CONFIG_LIST, OPTIONAL, .example = "rg-lab",
		.help = "Machines in these resource groups."},
	{"scope/exclude", "machines", CONFIG_LIST, OPTIONAL, .example = "lab-*",
		.help = "Machines of these names. * stands for any characters, ? for one."},
	{"scope/exclude", "tags", CONFIG_TAGS, OPTIONAL, .example = "env=lab",
		.help = "Machines that have all these tags."},
	{"scope/exclude", "owner", CONFIG_TEXT, REQUIRED, .example = "lab team",
		.help = "Who answers for it."},
	{"scope/exclude", "ticket", CONFIG_TEXT, OPTIONAL, .example = "CHG-1234",
		.help = "Where it was decided."},
	{"scope/exclude", "until", CONFIG_DATE, OPTIONAL, .example = "2027-01-31",
		.help = "The last day, in UTC, on which it holds; expiry-grace comes after. "
			"Without it, it does not end."},
	{"scope/exclude", "reason", CONFIG_TEXT, REQUIRED, .example = "rebuilt every night",
		.help = "Why."},

	{"scope/grant", "control", CONFIG_CHOICE, REQUIRED,
		.choices = "servers-plan|connector|machine-plan", .example = "machine-plan",
		.help = "What may be lowered: with servers-plan the plan of subscriptions, from "
			"P2 to P1; with connector that of the connectors in them; with "
			"machine-plan that of single machines."},
	{"scope/grant", "subscriptions", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "Where it may be: in these subscriptions, \"*\" for all of the scope. Of "
			"several lists all must match."},
	{"scope/grant", "resource-groups", CONFIG_LIST, OPTIONAL, .example = "rg-kiosks",
		.help = "On machines in these resource groups."},
	{"scope/grant", "machines", CONFIG_LIST, OPTIONAL, .example = "kiosk-*",
		.help = "On machines of these names. * stands for any characters, ? for one."},
	{"scope/grant", "tags", CONFIG_TAGS, OPTIONAL, .example = "role=kiosk",
		.help = "On machines that have all these tags."},
	{"scope/grant", "owner", CONFIG_TEXT, REQUIRED, .example = "cost control",
		.help = "Who answers for it."},
	{"scope/grant", "ticket", CONFIG_TEXT, OPTIONAL, .example = "CHG-1235",
		.help = "Where it was decided."},
	{"scope/grant", "until", CONFIG_DATE, REQUIRED, .example = "2027-01-31",
		.help = "The last day, in UTC, on which it holds; expiry-grace comes after."},
	{"scope/grant", "reason", CONFIG_TEXT, REQUIRED, .example = "P1 is enough here",
		.help = "Why."},

	{"scope/aws-connector", "subscription", CONFIG_GUID, REQUIRED,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "The subscription of this scope in which it is made."},
	{"scope/aws-connector", "resource-group", CONFIG_TEXT, REQUIRED,
		.shape = &config_shape_group, .example = "rg-connectors",
		.help = "The resource group in which it is made. It has to be there."},
	{"scope/aws-connector", "location", CONFIG_TEXT, REQUIRED, .shape = &config_shape_location,
		.example = "westeurope",
		.help = "The Azure region that keeps the connector's data."},
	{"scope/aws-connector", "account", CONFIG_TEXT, REQUIRED, .shape = &config_shape_account,
		.example = "123456789012", .help = "The id of the AWS account, in 12 digits."},
	{"scope/aws-connector", "servers-role", CONFIG_TEXT, REQUIRED, .shape = &config_shape_role,
		.example = "arn:aws:iam::123456789012:role/DefenderForCloud-DefenderForServers",
		.help = "The ARN of the role by which Defender for Servers acts."},
	{"scope/aws-connector", "arc-role", CONFIG_TEXT, OPTIONAL, .shape = &config_shape_role,
		.example = "arn:aws:iam::123456789012:role/DefenderForCloud-ArcAutoProvisioning",
		.help = "The ARN of the role that installs the Arc agent. Required where the "
			"policy has arc = on."},
	{"scope/aws-connector", "agentless-role", CONFIG_TEXT, OPTIONAL,
		.shape = &config_shape_role,
		.example = "arn:aws:iam::123456789012:role/DefenderForCloud-AgentlessScanner",
		.help = "The ARN of the role that scans disks. Required where the policy has "
			"agentless = on."},
	{"scope/aws-connector", "stackset", CONFIG_TEXT, OPTIONAL, .shape = &config_shape_stackset,
		.example = "defender-for-cloud",
		.help = "Where the account is the management account of an organization: the "
			"name of the StackSet that makes the roles in its accounts."},
	{"scope/aws-connector", "excluded-accounts", CONFIG_LIST, OPTIONAL,
		.shape = &config_shape_account, .example = "210987654321",
		.help = "Accounts of the organization that are left out."},
	{"scope/aws-connector", "scan-hours", CONFIG_COUNT, .minimum = "1", .maximum = "24",
		.standard = "12", .unit = "hours", .reloadable = true,
		.help = "How often Defender for Cloud looks at the other cloud."},

	{"scope/gcp-connector", "subscription", CONFIG_GUID, REQUIRED,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "The subscription of this scope in which it is made."},
	{"scope/gcp-connector", "resource-group", CONFIG_TEXT, REQUIRED,
		.shape = &config_shape_group, .example = "rg-connectors",
		.help = "The resource group in which it is made. It has to be there."},
	{"scope/gcp-connector", "location", CONFIG_TEXT, REQUIRED, .shape = &config_shape_location,
		.example = "westeurope",
		.help = "The Azure region that keeps the connector's data."},
	{"scope/gcp-connector", "project-number", CONFIG_TEXT, REQUIRED,
		.shape = &config_shape_project_number, .example = "123456789012",
		.help = "The number of the GCP project."},
	{"scope/gcp-connector", "project-id", CONFIG_TEXT, REQUIRED, .shape = &config_shape_project,
		.example = "servers-prod", .help = "The id of the GCP project."},
	{"scope/gcp-connector", "workload-identity-provider", CONFIG_TEXT, REQUIRED,
		.shape = &config_shape_provider, .example = "defender-for-servers",
		.help = "The id of the workload identity provider for Defender for Servers."},
	{"scope/gcp-connector", "service-account", CONFIG_TEXT, REQUIRED,
		.shape = &config_shape_service_account,
		.example = "microsoft-defender-for-servers@servers-prod.iam.gserviceaccount.com",
		.help = "The email address of the service account as which Defender for Servers "
			"acts."},
	{"scope/gcp-connector", "organization-provider", CONFIG_TEXT, OPTIONAL,
		.shape = &config_shape_provider, .example = "auto-provisioner",
		.help = "Where the project manages an organization: the id of the workload "
			"identity provider that finds the organization's projects."},
	{"scope/gcp-connector", "organization-account", CONFIG_TEXT, OPTIONAL,
		.shape = &config_shape_service_account,
		.example = "mdc-onboarding-sa@servers-prod.iam.gserviceaccount.com",
		.help = "The email address of the service account for that."},
	{"scope/gcp-connector", "excluded-projects", CONFIG_LIST, OPTIONAL,
		.shape = &config_shape_project_number, .example = "210987654321",
		.help = "Projects of the organization that are left out, by number."},
	{"scope/gcp-connector", "scan-hours", CONFIG_COUNT, .minimum = "1", .maximum = "24",
		.standard = "12", .unit = "hours", .reloadable = true,
		.help = "How often Defender for Cloud looks at the other cloud."},

	{"scope/ring", "subscriptions", CONFIG_GUIDS, OPTIONAL,
		.example = "00000000-0000-0000-0000-000000000000",
		.help = "Subscriptions of this ring. A ring without them takes all the others."},
	{"scope/ring", "max-in-flight", CONFIG_COUNT, .minimum = "1", .maximum = "10000", OPTIONAL,
		.unit = "operations", .example = "20",
		.help = "How many operations may run at once in this ring."},
	{"scope/ring", "soak", DURATION("0s", "90d", "0s"),
		.help = "How long the ring must have been healthy after its last operation before "
			"the next one opens."},
	{"scope/ring", "halt-at", CONFIG_HALT, OPTIONAL, .example = "5%",
		.help = "How many failures halt the ring: a part of what has finished, or a "
			"number of machines."},

	{"scope/window", "days", CONFIG_CHOICES, OPTIONAL, .choices = "mon|tue|wed|thu|fri|sat|sun",
		.example = "mon",
		.help = "The days on which the window opens. Without them, every day."},
	{"scope/window", "from", CONFIG_TIME, REQUIRED, .example = "22:00",
		.help = "When it opens."},
	{"scope/window", "to", CONFIG_TIME, REQUIRED, .example = "05:00",
		.help = "When it closes, on the next day where that is earlier than from."},
	{"scope/window", "timezone", CONFIG_TEXT, .standard = "UTC", .reloadable = true,
		.help = "The time zone of both times."},
};

static const struct config_section_row section_rows[] = {
	{"", .help = "Options outside all sections."},
	{"proxy",
		.help = "The way out of this network, for all clouds that do not have a section "
			"proxy of their own."},
	{"cloud", .titled = true, .repeats = true, .example = "public",
		.help = "Where an Azure cloud is. public, us-government and china are built in; a "
			"section with such a title changes parts of it."},
	{"cloud/proxy",
		.help = "The way to this cloud. Nothing of the section proxy at the top level "
			"applies to it then."},
	{"identity", .titled = true, .repeats = true, .example = "main",
		.help = "Who the daemon is to Azure."},
	{"poll", .help = "How often it looks."},
	{"impact",
		.help = "How far a new configuration may reach without being confirmed. The "
			"first enforce of a scope is always confirmed."},
	{"prices",
		.help = "What mdcctl cost calculates with; no price is known without being "
			"written. All are optional: without a price there are counts, and no "
			"amounts."},
	{"policy", .titled = true, .repeats = true, .example = "servers",
		.help = "How subscriptions and machines should be."},
	{"policy/workspaces", .help = "Log Analytics workspaces."},
	{"policy/extension", .help = "The extension that brings Defender for Endpoint."},
	{"policy/legacy", .help = "The sensor of before the unified solution."},
	{"policy/machine-plan", .titled = true, .repeats = true, .example = "kiosks",
		.help = "Machines whose plan is not that of their subscription."},
	{"policy/connector", .help = "Connectors of AWS and GCP."},
	{"scope", .titled = true, .repeats = true, .example = "production",
		.help = "A part of the estate, with its policy and its mode. A subscription "
			"belongs to one scope: by id over the nearest management group over "
			"\"*\"."},
	{"scope/exclude", .titled = true, .repeats = true, .example = "lab",
		.help = "What is left alone in the scope."},
	{"scope/grant", .titled = true, .repeats = true, .example = "cheaper",
		.help = "A permission to lower protection. Without one no plan is ever lowered."},
	{"scope/aws-connector", .titled = true, .repeats = true, .example = "aws-prod",
		.help = "A connector of an AWS account, by its name in Azure, that is made where "
			"it is not there, with the plan and the switches that the policy gives "
			"to connectors. One that is there is never made anew: what is different "
			"on it is told. The roles in AWS are made by people; `mdcctl explain "
			"NAME` tells which."},
	{"scope/gcp-connector", .titled = true, .repeats = true, .example = "gcp-prod",
		.help = "The same for a GCP project, whose identities are made by people."},
	{"scope/ring", .titled = true, .repeats = true, .unsupported = true, .example = "pilot",
		.help = "A stage of a rollout, in the order in which they are written."},
	{"scope/window", .titled = true, .repeats = true, .unsupported = true, .example = "nights",
		.help = "When the scope may be written to."},
};

static const struct config_environment_row environment_rows[] = {
	{"workload-identity", "tenant", "AZURE_TENANT_ID"},
	{"workload-identity", "client", "AZURE_CLIENT_ID"},
	{"workload-identity", "federated-token-file", "AZURE_FEDERATED_TOKEN_FILE"},
};

const struct config_environment_row *config_environment_rows(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(environment_rows);
	return environment_rows;
}

const struct config_row *config_rows(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(rows);
	return rows;
}

const struct config_section_row *config_section_rows(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(section_rows);
	return section_rows;
}
