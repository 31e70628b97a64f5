/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason: why an item is where it is. Every state but `compliant` has one; each row says it in a
 * word for programs, a sentence for people, and the one thing that would unblock it.
 */
#ifndef MDC_REASON_H
#define MDC_REASON_H

#include "lib/base/base.h"

/*
 * REASON(name, "word", "sentence", "what to do, or empty where nothing is needed or can be done").
 * The sentence goes on with ": " and the item's detail.
 */
#define REASONS(REASON) \
	REASON(NONE, "none", "", "") \
	REASON(NOT_OBSERVED, "not-observed", "not observed yet", "") \
	REASON(PARTIAL, "partial-observation", "the last observation was incomplete", \
		"nothing, if the next pass is complete; else `mdcctl status` says what cannot be " \
		"read") \
	REASON(FACT_UNKNOWN, "fact-unknown", "Azure did not report a field that decides", \
		"nothing, if Azure reports it later; else look at the resource in Azure") \
	REASON(VANISHED, "vanished", "not found any more; not yet certain that it is gone", \
		"check that the identity can still read the subscription") \
	REASON(GONE, "gone", "no longer there; what was remembered of it is dropped", "") \
	REASON(NOT_WANTED, "not-wanted", \
		"neither the configuration nor the resource asks for it any more", "") \
	REASON(IN_SYNC, "in-sync", "as configured", "") \
	REASON(NOT_OFFERED, "not-offered", "Azure does not offer this setting here", "") \
	REASON(REGISTRATION_PENDING, "registration-pending", \
		"Azure is still changing the registration of a resource provider", "") \
	REASON(REGISTRATION_OVERDUE, "registration-overdue", \
		"the registration of a resource provider does not come to its end", \
		"az provider show --namespace with the provider named in the message; then a " \
		"support request") \
	REASON(VULNERABILITY_PROVIDER, "vulnerability-provider", \
		"Defender Vulnerability Management is not the chosen provider", "") \
	REASON(PLAN_OFF, "plan-off", "Defender for Servers is not enabled", "") \
	REASON(PLAN_DIFFERS, "plan-differs", "another Defender for Servers plan is set", "") \
	REASON(PLAN_HIGHER, "plan-higher", "a higher plan than configured is set", \
		"grant it with a `grant` section for servers-plan, or configure the higher plan") \
	REASON(PLAN_ENFORCED, "plan-enforced", \
		"the subscription's plan is enforced on all of its machines", \
		"set `enforce` of the subscription's plan to False in Azure, or remove the " \
		"machine-plan section") \
	REASON(MACHINE_PLAN_DIFFERS, "machine-plan-differs", \
		"the machine has another Defender for Servers plan than the policy says", "") \
	REASON(MACHINE_PLAN_OFF, "machine-plan-off", \
		"the machine has no Defender for Servers plan", "") \
	REASON(PLAN_EXTENSION_FAILED, "plan-extension-failed", \
		"Defender for Cloud could not switch on an extension of the plan", \
		"give the principal the right to assign roles (Owner); it is tried again by " \
		"itself") \
	REASON(PLAN_EXTENSION_OFF, "plan-extension-off", \
		"an extension of the plan that the policy lists is off", "") \
	REASON(PLAN_EXTENSION_UNREADY, "plan-extension-unready", \
		"an extension of the plan cannot be switched on without settings of its own", \
		"switch it on once in Defender for Cloud, which asks for its settings; they are " \
		"kept from then on") \
	REASON(PLAN_DEPRECATED, "plan-deprecated", "Azure has replaced the plan", \
		"see what replaces it; then `plan = unmanaged` in the policy") \
	REASON(SETTING_OFF, "setting-off", "the setting is off", "") \
	REASON(SETTING_EXCLUDES, "setting-excludes", "the setting excludes Linux machines", "") \
	REASON(SETTING_ABSENT, "setting-absent", "the setting was never set", "") \
	REASON(EXTENSION_ABSENT, "extension-absent", "the MDE extension is not installed", "") \
	REASON(EXTENSION_NOT_UNIFIED, "extension-not-unified", \
		"the MDE extension was deployed without the unified solution", "") \
	REASON(EXTENSION_FAILED, "extension-failed", "the MDE extension failed", "") \
	REASON(EXTENSION_MISNAMED, "extension-misnamed", \
		"the MDE extension is installed under another name than its type", \
		"delete it in Azure; it is deployed again under the right name") \
	REASON(NAME_TAKEN, "name-taken", \
		"another product's extension has the name of the MDE extension", \
		"delete or rename that extension in Azure") \
	REASON(MOVED, "moved", \
		"the machine was moved, and its MDE extension still names it as it was", "") \
	REASON(MOVED_FROM_TENANT, "moved-from-tenant", \
		"the MDE extension names a machine in a subscription of another tenant", \
		"offboard the sensor with that tenant's package, then delete the MDE extension") \
	REASON(MOVED_FROM_UNKNOWN, "moved-from-unknown", \
		"the MDE extension names a machine in a subscription that cannot be seen", \
		"if the machine was moved from there within the tenant: `mdcctl reconcile` " \
		"deletes " \
		"the extension, which is then deployed again") \
	REASON(FOREIGN_OWNER, "foreign-owner", \
		"the MDE extension names another machine as its owner", \
		"see subscription-move on this machine") \
	REASON(LEGACY_AGENT, "legacy-agent", \
		"the Log Analytics based sensor has not been replaced", \
		"see what holds mde-extension on this machine") \
	REASON(LEGACY_SENSOR, "legacy-sensor", \
		"the unified solution is provisioned, yet Defender for Endpoint still sees the " \
		"sensor of before", \
		"look at the services Sense and HealthService on the machine, then `mdcctl " \
		"reconcile`") \
	REASON(LEGACY_MUTE, "legacy-mute", \
		"urgent: the old sensor does not report any more and is not replaced yet", \
		"see what holds mde-extension on this machine") \
	REASON(LEGACY_REMAINS, "legacy-remains", \
		"replaced; the Log Analytics agent is still installed", "") \
	REASON(SENSOR_AWAITED, "sensor-awaited", \
		"the new sensor is provisioned and has not reported yet", "") \
	REASON(SENSOR_ABSENT, "sensor-absent", \
		"the extension succeeded, and Defender for Endpoint has no onboarded device for " \
		"the machine", \
		"look at the sensor on the machine (its service Sense, or `mdatp health`) and at " \
		"`mdcctl gaps`; where its organisation is another one (`mdatp health --field " \
		"org_id`, or OrgID below HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat " \
		"Protection\\Status) than `mdcctl explain` shows, offboard it first: nobody " \
		"reassigns it") \
	REASON(SENSOR_SILENT, "sensor-silent", \
		"Defender for Endpoint knows the device and does not hear from its sensor", \
		"look at the sensor on the machine and at its way to Defender for Endpoint") \
	REASON(SENSOR_OUTDATED, "sensor-outdated", \
		"the sensor is too old for Defender for Cloud to recognise its machine", \
		"update it: KB5005292 on Windows Server 2012 R2 and 2016, else with the system") \
	REASON(INSTALLED_UNCONFIRMED, "installed-unconfirmed", \
		"the unified solution is provisioned; that its sensor reports is not confirmed", \
		"") \
	REASON(AGENT_UNPROVEN, "agent-unproven", \
		"the Log Analytics agent stays: that the new sensor reports is not proven", \
		"let the inventory of Defender for Endpoint be read; or accept the extension's " \
		"success with `legacy { proof = extension }`") \
	REASON(AGENT_WORKSPACE, "agent-workspace", \
		"the Log Analytics agent stays: it reports to a workspace that is not listed", \
		"if nothing else needs it there, add the workspace to `legacy { workspaces }`") \
	REASON(AGENT_POLICY, "agent-policy", \
		"the Log Analytics agent stays: an assigned policy installs it", \
		"remove or exempt the assignment that is named") \
	REASON(AGENT_POLICY_UNKNOWN, "agent-policy-unknown", \
		"the Log Analytics agent stays: whether a policy installs it is not known", \
		"give the identity Microsoft.Authorization/policyAssignments/read and " \
		"policySetDefinitions/read") \
	REASON(AGENT_KEPT, "agent-kept", \
		"the Log Analytics agent is kept for a while beside the new sensor", "") \
	REASON(AGENT_IDLE, "agent-idle", "nothing needs the Log Analytics agent any more", "") \
	REASON(GRACE, "grace", "Defender for Cloud is given its time to deploy", "") \
	REASON(POLICY_AT_WORK, "policy-at-work", \
		"an assigned policy would do the same, and is given its time", \
		"nothing; it is done here when `policy-grace` of the policy is over. A " \
		"remediation " \
		"task of the assignment that is named does it sooner") \
	REASON(OTHER_DEPLOYER, "other-deployer", "another deployer is at work on the extension", \
		"") \
	REASON(PREREQUISITE, "prerequisite", "another control has to be in sync first", "") \
	REASON(OBSERVE_ONLY, "observe-only", "the scope is in observe mode", \
		"set `mode = enforce` on the scope") \
	REASON(NO_SELECTOR, "no-selector", \
		"the scope names no subscriptions, so nothing is written in it", \
		"name `subscriptions` or `management-groups` in the scope") \
	REASON(FOREIGN_TENANT, "foreign-tenant", \
		"the subscription belongs to another tenant than the identity", \
		"if that is meant, list the subscription by id in the scope") \
	REASON(LOWERS, "lowers", "it would lower protection", \
		"if that is meant, add a `grant` section to the scope") \
	REASON(HALTED, "halted", "all writes are halted", "mdcctl unhalt") \
	REASON(PAUSED, "paused", "paused by an operator", "mdcctl resume") \
	REASON(UNCONFIRMED, "unconfirmed", "waits for confirmation of what would be written", \
		"mdcctl confirm") \
	REASON(IN_FLIGHT_LIMIT, "in-flight-limit", "enough operations are running", \
		"nothing; or raise `max-in-flight` of the scope") \
	REASON(TARGET_BUSY, "target-busy", "another operation runs on the same target", \
		"nothing; it goes on when that has ended") \
	REASON(PLAN_TURN, "plan-turn", \
		"another plan in the subscription is being written, one after the other", \
		"nothing; it goes on when that has ended") \
	REASON(READ_TOO_OLD, "read-too-old", "what was read right before the write has grown old", \
		"nothing; it is read again") \
	REASON(NOT_STORED, "not-stored", "the daemon cannot store its state", \
		"`mdcctl status` says why; make room for or mend the state directory") \
	REASON(QUEUED, "queued", "a correction is queued", "") \
	REASON(SENT, "sent", "a correction was sent", "") \
	REASON(RUNNING, "running", "the operation is running in Azure", "") \
	REASON(OUTCOME_UNKNOWN, "outcome-unknown", \
		"a correction was sent and its outcome is not known yet", \
		"nothing; ARM and the activity log are asked") \
	REASON(ACCEPTED, "accepted", "accepted by Azure, not yet seen in effect", "") \
	REASON(THROTTLED, "throttled", "Azure asked to wait", "") \
	REASON(TRANSIENT, "transient", "Azure or the network failed; it will be tried again", "") \
	REASON(BUSY, "busy", "Azure reports another operation in progress", "") \
	REASON(OPERATION_FAILED, "operation-failed", "the operation failed in Azure", \
		"see the message; it is tried again") \
	REASON(IDENTITY, "identity", "no valid token can be had for the identity", \
		"check the identity's credential, tenant and client; `mdcctl status` says more") \
	REASON(NO_PACKAGE, "no-package", "Azure gives no onboarding package for this system", \
		"check in Defender for Cloud that the integration with Defender for Endpoint is " \
		"on and licensed") \
	REASON(DENIED, "denied", "the identity lacks a permission", \
		"assign the role that holds the action named in the message; it is tried again " \
		"by itself, or at once with `mdcctl reconcile`") \
	REASON(POLICY_DENIES, "policy-denies", "an Azure Policy denies the write", \
		"exempt the resource or change the policy assignment, then `mdcctl reconcile`") \
	REASON(LOCKED, "locked", "a resource lock forbids the write", \
		"remove the lock, then `mdcctl reconcile`") \
	REASON(SUBSCRIPTION_DISABLED, "subscription-disabled", \
		"the subscription is disabled or read-only", "re-enable the subscription") \
	REASON(SUBSCRIPTION_GONE, "subscription-gone", \
		"the subscription is not visible to the identity", \
		"check the role assignments of the identity on the subscription") \
	REASON(UNREGISTERED, "unregistered", "a resource provider is not registered", \
		"az provider register --namespace with the provider named in the message, or " \
		"`register-providers = on` in the policy") \
	REASON(REFUSED, "refused", "Azure refused the request", \
		"see the message; then `mdcctl reconcile`") \
	REASON(RULE, "rule", "a rule of writing forbids it", \
		"this is a defect of mdcd: report it with the message") \
	REASON(EXCLUDED, "excluded", "excluded by configuration", "") \
	REASON(EXEMPT, "exempt", "an exemption of Azure Policy says not here, and is honoured", \
		"if that is not meant, remove the exemption in Azure, or write " \
		"`honour-exemptions = off` in the scope") \
	REASON(UNSUPPORTED_OS, "unsupported-os", \
		"the operating system is not supported by Defender for Endpoint", "") \
	REASON(UNCERTAIN_OS, "uncertain-os", \
		"Microsoft's support matrix does not name this operating system", "") \
	REASON(DISCONNECTED, "disconnected", "the Arc agent is disconnected", \
		"start the machine, or check its way to Azure") \
	REASON(NEVER_CONNECTED, "never-connected", "the Arc agent has never connected", \
		"finish the Arc onboarding on the machine") \
	REASON(EXPIRED, "expired", "the Arc agent's identity has expired", \
		"run azcmagent disconnect and azcmagent connect on the machine") \
	REASON(AGENT_ERROR, "agent-error", "the Arc agent reports an error", \
		"run azcmagent show on the machine") \
	REASON(EXTENSIONS_DISABLED, "extensions-disabled", \
		"the Arc agent has its extensions switched off", \
		"run azcmagent config set extensions.enabled true on the machine") \
	REASON(EXTENSION_NOT_ALLOWED, "extension-not-allowed", \
		"the Arc agent's allow or block list refuses the MDE extension", \
		"change extensions.allowlist or extensions.blocklist with azcmagent config on " \
		"the " \
		"machine") \
	REASON(VM_STOPPED, "vm-stopped", "the VM is not running", "start the VM") \
	REASON(VM_AGENT_NOT_READY, "vm-agent-not-ready", "the VM agent does not report as ready", \
		"mend or install the VM agent inside of the VM") \
	REASON(VM_EXTENSIONS_OFF, "vm-extensions-off", \
		"the VM was made with its extensions switched off " \
		"(osProfile.allowExtensionOperations)", \
		"set allowExtensionOperations to true with az vm update") \
	REASON(VM_OWN_IMAGE, "vm-own-image", \
		"the VM was made of an own generalized image, to which Defender for Cloud does " \
		"not deploy", \
		"write `extension { own-images = on }` in the policy, or assign Azure Policy's " \
		"definition that deploys it") \
	REASON(DEPLOYER_OVERDUE, "deployer-overdue", \
		"Defender for Cloud should have deployed it by now, and has not", \
		"look at the VM's page in Defender for Cloud and its activity log: a policy or " \
		"lock may refuse it, the VM may be left out by tag or have no way to Azure") \
	REASON(DEPLOYER_FAILED, "deployer-failed", \
		"the deployment by Defender for Cloud has failed", \
		"mend what the message names and delete the extension in Azure: Defender for " \
		"Cloud deploys it again") \
	REASON(CONNECTOR_NOT_OFFERED, "connector-not-offered", \
		"Defender for Servers was never set up on the connector", \
		"set it up once in Defender for Cloud (Environment settings): it makes the roles " \
		"in AWS by CloudFormation, or the workload identity in GCP by its script") \
	REASON(CONNECTOR_ROLE, "connector-role", \
		"the connector lacks the role or identity in the other cloud that it needs", \
		"switch it on once in Defender for Cloud and run its CloudFormation template or " \
		"script again, which makes the role") \
	REASON(CONNECTOR_ABSENT, "connector-absent", \
		"the connector that the configuration describes is not there", \
		"first make in the other cloud what `mdcctl explain` lists as work by hand") \
	REASON(CONNECTOR_TAKEN, "connector-taken", \
		"the account or project has another connector already", \
		"remove the description, or delete the other connector if nobody wants it") \
	REASON(CONNECTOR_PLANLESS, "connector-planless", \
		"the policy does not say with which plan the connector is made", \
		"configure `connector { plan = P1 }` or P2 in the policy") \
	REASON(CONNECTORS_UNREAD, "connectors-unread", \
		"whether a subscription has a connector of that account or project is not known", \
		"let the identity read there (Security Reader), or leave it out of all scopes") \
	REASON(CONNECTOR_OTHER, "connector-other", \
		"the connector of that name is of another account or project", \
		"describe it by another name, or correct the account or project") \
	REASON(CONNECTOR_IDENTITY, "connector-identity", \
		"the connector acts by another role or identity than the configuration describes", \
		"correct the description, or change it in Defender for Cloud: it is not " \
		"rewritten") \
	REASON(CONNECTOR_REFUSED, "connector-refused", \
		"Azure refuses to make the connector as it is described", \
		"compare account or project, identities and location with what is there, then " \
		"`mdcctl retry`") \
	REASON(GROUP_MISSING, "group-missing", "the resource group is not there", \
		"make it (`az group create`), then `mdcctl retry`") \
	REASON(CONNECTOR_PLAN, "connector-plan", \
		"the connector has another Defender for Servers plan than the policy says", "") \
	REASON(CONNECTOR_PART_OFF, "connector-part-off", \
		"what the policy lists is off on the connector", "") \
	REASON(CONNECTOR_NEEDS_P2, "connector-needs-p2", "the connector's plan does not have it", \
		"configure `connector { plan = P2 }` in the policy, or leave it out") \
	REASON(WORKSPACE_PLAN, "workspace-plan", \
		"the workspace lacks the Defender plan that its machines' subscription has", "") \
	REASON(WORKSPACE_SHARED, "workspace-shared", \
		"machines of subscriptions without P2 report to the workspace, and its plan may " \
		"be " \
		"billed for them", \
		"decide: list the workspace in `workspaces { list }` of the policy, give those " \
		"subscriptions P2, or let their machines report elsewhere") \
	REASON(WORKSPACE_PLAN_FAILED, "workspace-plan-failed", \
		"the plan's solution stands on the workspace, but was not provisioned", \
		"look at the solution in Azure; it is not written over") \
	REASON(CONNECTOR_OWNED, "connector-owned", \
		"made by a multicloud connector, which deploys the extension itself", "") \
	REASON(DEPLOY_NEVER, "deploy-never", "the policy leaves the extension to others", "") \
	REASON(REPLACE_OFF, "replace-off", "the policy does not replace the legacy sensor", "") \
	REASON(REBOOT_PENDING, "reboot-pending", "the machine has to restart first", \
		"restart the machine, then `mdcctl reconcile`") \
	REASON(HANDLER_BLOCKED, "handler-blocked", "the installer needs a person", \
		"mend on the machine what the message names, then `mdcctl reconcile`") \
	REASON(NOT_OFFBOARDED, "not-offboarded", \
		"the machine has an onboarded sensor already, perhaps of another tenant", \
		"offboard it with the offboarding package of the tenant that it reports to, then " \
		"`mdcctl reconcile`") \
	REASON(OTHER_EDR, "other-edr", "another product protects this machine", \
		"remove the other product, or exclude the machine by a tag in `extension { " \
		"other-edr }`; only `machine-plan { plan = off }` under a grant keeps Defender " \
		"for Cloud from it as well") \
	REASON(AGENT_TOO_OLD, "agent-too-old", \
		"the Arc agent is too old to install the extension", \
		"update the Arc agent on the machine to a release of the last twelve months") \
	REASON(HANDLER_UNSUPPORTED, "handler-unsupported", \
		"the installer does not support this machine", "") \
	REASON(HANDLER_NETWORK, "handler-network", "the machine does not reach the service", \
		"open the machine's way to the Defender for Endpoint URLs; a proxy that asks for " \
		"a " \
		"password or opens TLS is not supported") \
	REASON(HANDLER_RETRY, "handler-retry", "the installer failed; it will be tried again", "") \
	REASON(GIVEN_UP, "given-up", "tried often enough without success", \
		"look at the last message and `mdcctl history`, then `mdcctl reconcile`") \
	REASON(NOT_SEEN_IN_EFFECT, "not-seen-in-effect", \
		"accepted by Azure, but the change never showed", \
		"nothing; it is tried again. `mdcctl history` shows how often it was") \
	REASON(OPERATION_OVERDUE, "operation-overdue", "the operation runs longer than it should", \
		"update the Arc agent; if it still hangs, delete the extension in Azure") \
	REASON(CONFLICT, "conflict", "another writer undoes it; it is not corrected again", \
		"agree with the writer that is named who decides: stop it there, or take it out " \
		"of " \
		"this policy or scope (`exclude`); then `mdcctl reconcile`") \
	REASON(TENANT_CHANGED, "tenant-changed", \
		"the subscription has moved to another tenant than it was first seen in", \
		"its sensors still belong to the old tenant: note the ids of the subscription, " \
		"of " \
		"both tenants and of the devices; uninstall the MDE extensions and offboard the " \
		"sensors with the old tenant's package; let Microsoft support release that " \
		"tenant; make sure that identity and policy of the scope are meant for it in the " \
		"new one; then `mdcctl reconcile` on the subscription") \
	REASON(SCOPE_CONFLICT, "scope-conflict", "two scopes claim the subscription equally", \
		"name the subscription by id in one of the scopes") \
	REASON(RELOADED, "reloaded", "the configuration changed", "") \
	REASON(STOPPING, "stopping", "the daemon is stopping", "")

enum reason {
#define REASON_ENUM(name, word, sentence, remedy) REASON_##name,
	REASONS(REASON_ENUM)
#undef REASON_ENUM
		REASON_N_
};

const char *reason_word(enum reason r);
const char *reason_sentence(enum reason r);
const char *reason_remedy(enum reason r);
/* Told whenever it comes up, and loudly, although the state stays the same. */
bool reason_is_urgent(enum reason r);
/* REASON_N_ for a word that is not known. */
enum reason reason_from_word(const char *word);

#endif
