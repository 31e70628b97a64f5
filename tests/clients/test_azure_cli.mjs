#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Debian's azure-cli against the simulated Azure, which it knows as a custom cloud, beside a daemon
// that observes. The authority ends in "/adfs": for any other path the CLI asks the public cloud
// whether it may trust it. What its commands lack goes through `az rest`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testAnswers } from './contract.mjs';
import { end, needed, tell, test } from './tap.mjs';
import * as world from './world.mjs';

const { subscription, other, tenant, client, reader, secret } = world;

const estate = await world.startEstate('azure_cli', world.document({
	behaviour: { paging: { machines: 3, emptyEvery: 2, others: 50, extensions: 1 } },
}));
const daemon = await world.startDaemon(estate, 'observe.conf');
const outside = await world.closeOutside(estate);

let commands = 0;

function run(args) {
	const env = {
		...process.env, ...outside.env,
		AZURE_CONFIG_DIR: join(estate.dir, 'azure'), REQUESTS_CA_BUNDLE: estate.ca,
		AZURE_CORE_COLLECT_TELEMETRY: 'no', AZURE_CORE_NO_COLOR: 'yes',
		AZURE_CORE_SURVEY_MESSAGE: 'no', AZURE_EXTENSION_USE_DYNAMIC_INSTALL: 'no',
	};
	commands++;
	return spawnSync('az', [...args, '--only-show-errors', '--output', 'json'],
		{ env, encoding: 'utf8', maxBuffer: 64 << 20 });
}

/** What the command prints, or undefined. */
function az(...args) {
	const r = run(args);
	if (r.status !== 0)
		throw new Error(`az ${args.join(' ')}: ${r.stderr || r.stdout}`);
	return r.stdout.trim() === '' ? undefined : JSON.parse(r.stdout);
}

/** Its complaint. */
function refused(...args) {
	const r = run(args);
	assert.notEqual(r.status, 0, `az ${args.join(' ')} was not refused`);
	return r.stderr;
}

const rest = (method, path, body) => az('rest', '--method', method, '--url', path,
	...(body === undefined ? [] : ['--body', JSON.stringify(body)]));

/** All pages of a list, by nextLink. */
function restAll(path) {
	const all = [];
	let pages = 0;
	for (let url = path; url; pages++) {
		const page = rest('get', url);
		all.push(...page.value);
		url = page.nextLink;
	}
	return { all, pages };
}

const scope = `/subscriptions/${subscription}`;
const security = `${scope}/providers/Microsoft.Security`;
const machine = (name, group = 'servers') =>
	`${scope}/resourceGroups/${group}/providers/Microsoft.HybridCompute/machines/${name}`;
const arc = 'api-version=2025-01-13';
const byName = (list) => Object.fromEntries(list.map((x) => [x.name, x]));

// --- the cloud and who we are ---

// With its first command a new CLI asks whether there is a newer one; the proxy refuses.
let version, askedOfItself;
await needed('the CLI runs', () => {
	version = az('version')['azure-cli'];
	askedOfItself = outside.asked().length;
	assert.ok(askedOfItself <= 1);
});

// Without it every further command would turn to the public cloud.
await needed('the custom cloud is learned from its endpoint', () => {
	az('cloud', 'register', '--name', 'simulated', '--endpoint-resource-manager', estate.arm);
	az('cloud', 'update', '--name', 'simulated',
		'--endpoint-active-directory', `${estate.login}/adfs`,
		'--endpoint-active-directory-resource-id', 'https://management.azure.com');
	az('cloud', 'set', '--name', 'simulated');
	const { endpoints } = az('cloud', 'show', '--name', 'simulated');
	assert.equal(new URL(endpoints.resourceManager).host, new URL(estate.arm).host);
	assert.equal(endpoints.activeDirectory, `${estate.login}/adfs`);
});
await test('a wrong secret is refused', () => {
	const said = refused('login', '--service-principal', '--username', client, '--password', 'wrong', '--tenant', tenant);
	assert.match(said, /MSIS9622/);
});
await test('a service principal logs in and finds the subscriptions', () => {
	const found = az('login', '--service-principal', '--username', client, '--password', secret, '--tenant', tenant);
	assert.deepEqual(found.map((s) => s.id).sort(), [subscription, other]);
});
await test('accounts are those that the daemon sees', () => {
	const accounts = az('account', 'list', '--refresh');
	for (const account of accounts) {
		const explained = daemon.ctl('explain', account.id);
		assert.equal(explained.subscription_name, account.name);
		assert.equal(daemon.facts(account.id).state, account.state.toLowerCase());
	}
	az('account', 'set', '--subscription', subscription);
	assert.equal(az('account', 'show').id, subscription);
});

// --- plans ---

await test('plans are listed as the daemon sees them', () => {
	const plans = byName(az('security', 'pricing', 'list').value);
	assert.equal(plans.VirtualMachines.pricingTier, 'Free');
	assert.equal(daemon.facts(subscription).plan, 'Free');
	const there = az('security', 'pricing', 'show', '--name', 'VirtualMachines', '--subscription', other);
	assert.deepEqual([there.pricingTier, there.subPlan], ['Standard', 'P1']);
	const seen = daemon.facts(other);
	assert.deepEqual([seen.plan, seen['sub-plan']], ['Standard', 'P1']);
});
await test('the daemon finds drift where the plan is off', () => {
	const [item] = daemon.items('--control', 'servers-plan', '--subscription', subscription);
	assert.deepEqual([item.state, item.reason], ['drifted', 'plan-off']);
});
await test('a plan that the CLI turns on is P2, and in sync for the daemon', async () => {
	const plan = az('security', 'pricing', 'create', '--name', 'VirtualMachines', '--tier', 'standard');
	assert.deepEqual([plan.pricingTier, plan.subPlan], ['Standard', 'P2']);
	await daemon.sees(subscription, 'plan', 'Standard');
	assert.equal(daemon.facts(subscription)['sub-plan'], 'P2');
	const [item] = daemon.items('--control', 'servers-plan', '--subscription', subscription);
	assert.equal(item.state, 'compliant');
});
await test("a machine's own plan comes and goes", () => {
	const url = `${machine('win-new')}/providers/Microsoft.Security/pricings`;
	const version_ = 'api-version=2024-01-01';
	const p1 = { properties: { pricingTier: 'Standard', subPlan: 'P1' } };
	assert.equal(rest('put', `${url}/VirtualMachines?${version_}`, p1).properties.inherited, 'False');
	const [listed] = rest('get', `${url}?${version_}`).value;
	assert.equal(listed.properties.subPlan, 'P1');
	rest('delete', `${url}/VirtualMachines?${version_}`);
	const inherited = rest('get', `${url}/VirtualMachines?${version_}`).properties;
	assert.deepEqual([inherited.inherited, inherited.subPlan], ['True', 'P2']);
});

// --- settings ---

await test('settings are listed as the daemon sees them', () => {
	const settings = byName(az('security', 'setting', 'list'));
	assert.deepEqual(Object.keys(settings).sort(), ['MCAS', 'WDATP']);
	assert.equal(settings.WDATP.enabled, false);
	assert.equal(daemon.facts(subscription).WDATP, 'no');
});
await test('a setting that was never set is not found', () => {
	assert.match(refused('security', 'setting', 'show', '--name', 'SENTINEL'), /ResourceNotFound/);
});
await test('the integration that the CLI turns on is seen', async () => {
	const setting = az('security', 'setting', 'update', '--name', 'WDATP', '--enabled', 'true');
	assert.deepEqual([setting.kind, setting.enabled], ['DataExportSettings', true]);
	assert.equal(az('security', 'setting', 'show', '--name', 'WDATP').enabled, true);
	await daemon.sees(subscription, 'WDATP', 'yes');
});
await test('on a modern subscription it brings its opt-ins along', async () => {
	az('security', 'setting', 'update', '--name', 'WDATP', '--enabled', 'true', '--subscription', other);
	const settings = byName(az('security', 'setting', 'list', '--subscription', other));
	assert.equal(settings.WDATP_UNIFIED_SOLUTION.enabled, true);
	assert.equal(settings.WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW.enabled, false);
	await daemon.sees(other, 'WDATP_UNIFIED_SOLUTION', 'yes');
});
await test('alert settings are of another kind', () => {
	const setting = az('security', 'setting', 'update', '--name', 'Sentinel', '--enabled', 'true');
	assert.equal(setting.kind, 'AlertSyncSettings');
});
await test("the retired agent's auto-provisioning is turned off", () => {
	const command = ['security', 'auto-provisioning-setting'];
	assert.equal(az(...command, 'list')[0].autoProvision, 'On');
	az(...command, 'update', '--name', 'default', '--auto-provision', 'Off');
	assert.equal(az(...command, 'show', '--name', 'default').autoProvision, 'Off');
});
await test('the vulnerability provider comes and goes', () => {
	const url = `${security}/serverVulnerabilityAssessmentsSettings`;
	const version_ = 'api-version=2023-05-01';
	const body = { kind: 'AzureServersSetting', properties: { selectedProvider: 'MdeTvm' } };
	assert.deepEqual(rest('get', `${url}?${version_}`).value, []);
	rest('put', `${url}/azureServersSetting?${version_}`, body);
	const found = rest('get', `${url}/azureServersSetting?${version_}`);
	assert.equal(found.properties.selectedProvider, 'MdeTvm');
	rest('delete', `${url}/azureServersSetting?${version_}`);
	assert.deepEqual(rest('get', `${url}?${version_}`).value, []);
});
await test('onboarding packages are base64', () => {
	const version_ = 'api-version=2021-10-01-preview';
	const [all] = rest('get', `${security}/mdeOnboardings?${version_}`).value;
	const linux = rest('get', `${security}/mdeOnboardings/Linux?${version_}`).properties;
	assert.equal(all.properties.onboardingPackageLinux, linux.onboardingPackageLinux);
	assert.equal(linux.onboardingPackageWindows, undefined);
	assert.match(linux.onboardingPackageLinux, /^[A-Za-z0-9+/]{1000,}={0,2}$/);
});

// --- machines ---

const seen = (name) => daemon.facts(name);

await test('machines come in pages, some of them empty, and are those of the daemon', () => {
	const { all, pages } = restAll(`${scope}/providers/Microsoft.HybridCompute/machines?${arc}`);
	const ids = all.map((m) => m.id.toLowerCase()).sort();
	const known = daemon.items('--control', 'arc-connected', '--subscription', subscription)
		.map((item) => item.resource_id.toLowerCase()).sort();
	assert.deepEqual(known, ids);
	assert.ok(pages >= 5, `${pages} pages`);
	for (const m of all) {
		const facts = seen(m.name);
		assert.equal(facts.status, m.properties.status, m.name);
		assert.equal(facts['agent version'], m.properties.agentVersion, m.name);
		assert.equal(facts['operating system'], m.properties.osSku, m.name);
		assert.equal(facts.location, m.location, m.name);
	}
});
await test('machines of a group', () => {
	const { all } = restAll(`${scope}/resourceGroups/branch/providers/Microsoft.HybridCompute/machines?${arc}`);
	assert.deepEqual(all.map((m) => m.name), ['win-old']);
});
await test('a machine is shown in the newest version that its provider lists', () => {
	const shown = az('resource', 'show', '--ids', machine('win-sensor'));
	assert.equal(shown.properties.status, 'Connected');
	assert.equal(shown.resources[0].name, 'MDE.Windows');
});
await test('resources of a type are listed', () => {
	const list = az('resource', 'list', '--resource-type', 'Microsoft.HybridCompute/machines');
	assert.equal(list.length, 7);
	const extensions = az('resource', 'list', '--resource-group', 'branch',
		'--resource-type', 'Microsoft.HybridCompute/machines/extensions');
	assert.deepEqual(extensions.map((x) => x.name), ['win-old/MMAExtension']);
});

// --- extensions and their operations ---

const packages = new Map();

function onboarding(system) {
	if (!packages.has(system)) {
		const url = `${security}/mdeOnboardings/${system}?api-version=2021-10-01-preview`;
		packages.set(system, rest('get', url).properties[`onboardingPackage${system}`]);
	}
	return packages.get(system);
}

/** The command that creates an extension and waits for it. */
function creation(name, publisher, type, more = {}) {
	const file = join(estate.dir, 'extension.json');
	writeFileSync(file, JSON.stringify({
		location: 'westeurope',
		properties: { publisher, type, typeHandlerVersion: '1.0', autoUpgradeMinorVersion: true, ...more },
	}));
	return ['resource', 'create', '--id', `${machine(name)}/extensions/${type}`,
		'--api-version', '2025-01-13', '--is-full-object', '--properties', `@${file}`];
}

function sensor(name, system) {
	return creation(name, world.sensorPublisher, `MDE.${system}`, {
		settings: { azureResourceId: machine(name) },
		protectedSettings: { defenderForEndpointOnboardingScript: onboarding(system) },
	});
}

await test('extensions are listed as the daemon sees them', () => {
	const { all } = restAll(`${machine('win-sensor')}/extensions?${arc}`);
	assert.deepEqual(all.map((x) => x.properties.provisioningState), ['Succeeded']);
	assert.equal(seen('win-sensor')['MDE extension'], 'Succeeded');
	assert.equal(seen('win-new')['MDE extension'], 'absent');
	assert.equal(seen('win-old')['Log Analytics agent'], 'Succeeded');
});
await test('an extension is created: the CLI waits for the operation, the daemon sees its end', async () => {
	const made = az(...sensor('win-new', 'Windows'));
	assert.equal(made.properties.provisioningState, 'Succeeded');
	assert.deepEqual(made.properties.protectedSettings ?? {}, {});
	await daemon.sees('win-new', 'MDE extension', 'Succeeded');
	const [item] = daemon.items('--control', 'mde-extension', '--subscription', subscription)
		.filter((i) => i.machine === 'win-new');
	assert.equal(item.state, 'compliant');
});
await test('one that its handler refuses fails with the code that the daemon reports', async () => {
	const complaint = refused(...sensor('linux-failing', 'Linux'));
	assert.match(complaint, /VMExtensionProvisioningError/);
	await daemon.sees('linux-failing', 'MDE extension', 'Failed');
	const shown = az('resource', 'show', '--ids', `${machine('linux-failing')}/extensions/MDE.Linux`);
	assert.equal(seen('linux-failing')['MDE status code'], shown.properties.instanceView.status.code);
	assert.equal(seen('linux-failing')['MDE message'], shown.properties.instanceView.status.message);
});
await test('an extension is changed by reading and writing the whole', () => {
	const type = 'AzureMonitorLinuxAgent';
	az(...creation('linux-sensor', 'Microsoft.Azure.Monitor', type));
	const changed = az('resource', 'update', '--ids', `${machine('linux-sensor')}/extensions/${type}`,
		'--api-version', '2025-01-13', '--set', 'properties.forceUpdateTag=again');
	assert.equal(changed.properties.forceUpdateTag, 'again');
	assert.equal(changed.properties.provisioningState, 'Succeeded');
});
await test('an extension is deleted: the daemon no longer sees it', async () => {
	az('resource', 'delete', '--ids', `${machine('win-new')}/extensions/MDE.Windows`, '--api-version', '2025-01-13');
	assert.match(refused('resource', 'show', '--ids', `${machine('win-new')}/extensions/MDE.Windows`,
		'--api-version', '2025-01-13'), /HCRP404/);
	await daemon.sees('win-new', 'MDE extension', 'absent');
});
await test('a lock forbids a deletion', () => {
	const url = `${machine('win-old', 'branch')}/extensions/MMAExtension?${arc}`;
	const said = refused('rest', '--method', 'delete', '--url', url);
	assert.match(said, /ScopeLocked/);
	assert.deepEqual(az('lock', 'list').map((l) => [l.name, l.level]), [['keep', 'CanNotDelete']]);
});

// --- Resource Graph ---

const graph = (query, options = {}) => rest('post',
	'/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01',
	{ subscriptions: [subscription, other], query, options: { resultFormat: 'objectArray', ...options } });

await test('Resource Graph counts what the daemon counts', () => {
	const answer = graph("resources | where type =~ 'microsoft.hybridcompute/machines' | "
		+ 'summarize n = count() by subscriptionId');
	for (const { subscriptionId, n } of answer.data)
		assert.equal(daemon.items('--control', 'arc-connected', '--subscription', subscriptionId).length, n);
	assert.equal(answer.resultTruncated, 'false');
});
await test('Resource Graph gives pages with a token', () => {
	const query = "resources | where type =~ 'microsoft.hybridcompute/machines' | project id, name | order by id asc";
	const first = graph(query, { $top: 5 });
	const second = graph(query, { $top: 5, $skipToken: first.$skipToken });
	assert.deepEqual([first.count, second.count, first.totalRecords, second.$skipToken], [5, 3, 8, undefined]);
});
await test('Resource Graph says what is wrong with a query', () => {
	const said = refused('rest', '--method', 'post',
		'--url', '/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01',
		'--body', JSON.stringify({ query: 'resources | where nothing ==' }));
	assert.match(said, /InvalidQuery/);
});

// --- everything around ---

await test('providers are listed, shown and registered', () => {
	assert.ok(az('provider', 'list').some((p) => p.namespace === 'Microsoft.Management'));
	assert.equal(az('provider', 'show', '--namespace', 'Microsoft.Security').registrationState, 'Registered');
	az('provider', 'register', '--namespace', 'Microsoft.GuestConfiguration', '--wait');
	assert.equal(az('provider', 'show', '--namespace', 'Microsoft.GuestConfiguration').registrationState, 'Registered');
});
await test('resource groups are listed, shown and asked for', () => {
	assert.deepEqual(az('group', 'list').map((g) => g.name).sort(), ['branch', 'servers']);
	assert.equal(az('group', 'show', '--name', 'branch').location, 'northeurope');
	assert.equal(az('group', 'exists', '--name', 'nowhere'), false);
});
await test('management groups are listed and shown with what is below', () => {
	const command = ['account', 'management-group'];
	assert.deepEqual(az(...command, 'list').map((g) => g.name).sort(), [tenant, 'mg-prod'].sort());
	assert.equal(az(...command, 'show', '--name', 'mg-prod').displayName, 'Production');
	const url = `/providers/Microsoft.Management/managementGroups/${tenant}/descendants?api-version=2023-04-01`;
	const { all } = restAll(url);
	assert.deepEqual(all.map((x) => x.name).sort(), ['mg-prod', other, subscription].sort());
	const entities = rest('post', '/providers/Microsoft.Management/getEntities?api-version=2023-04-01');
	assert.equal(entities.value.length, 4);
});
await test('the activity log tells who turned the plan on', async () => {
	const log = await world.until(() => {
		const events = az('monitor', 'activity-log', 'list', '--offset', '1h', '--namespace', 'Microsoft.Security');
		return events.length > 0 && events;
	}, 10, 'the activity log');
	const written = log.filter((e) => e.operationName.value === 'Microsoft.Security/pricings/write');
	assert.ok(written.length > 0);
	assert.ok(written.every((e) => e.caller === client));
});
await test('permissions, role assignments and deny assignments are there', () => {
	const authorization = `${scope}/providers/Microsoft.Authorization`;
	assert.deepEqual(rest('get', `${authorization}/permissions?api-version=2022-04-01`).value[0].actions, ['*']);
	const assignments = rest('get', `${authorization}/roleAssignments?api-version=2022-04-01`).value;
	assert.equal(assignments.length, 2);
	assert.deepEqual(rest('get', `${authorization}/denyAssignments?api-version=2022-04-01`).value, []);
});
await test('tenants and one subscription', () => {
	assert.equal(rest('get', '/tenants?api-version=2022-12-01').value[0].tenantId, tenant);
	assert.equal(rest('get', `${scope}?api-version=2022-12-01`).displayName, 'Production');
});
await test('whoever may only read may not write', () => {
	az('login', '--service-principal', '--username', reader, '--password', secret, '--tenant', tenant);
	assert.deepEqual(az('account', 'list').filter((a) => a.user.name === reader).map((a) => a.id), [subscription]);
	assert.equal(az('security', 'setting', 'show', '--name', 'WDATP').enabled, true);
	assert.match(refused('security', 'setting', 'update', '--name', 'WDATP', '--enabled', 'true'), /AuthorizationFailed/);
});

// --- how it was ---

await daemon.stop();
await outside.stop();
const ledger = await estate.stop();
const pairs = estate.traffic();
const ours = pairs.filter(world.isDaemon);
const theirs = pairs.filter((pair) => !world.isDaemon(pair));

await test('the CLI asked nobody else', () => assert.deepEqual(outside.asked().slice(askedOfItself), []));
await test('the daemon wrote nothing', () => {
	const reads = /^GET |^POST \/providers\/Microsoft.ResourceGraph\/resources$/;
	const writes = ours.map(world.operationOf).filter((x) => !reads.test(x));
	assert.deepEqual(writes, []);
	assert.ok(ours.length > 0);
});
await test('nothing was refused but what was meant to be', () => {
	const wrong = ledger.offences.filter((o) => o.kind === 'refused').map((o) => `${o.method} ${o.path} ${o.rule}`);
	assert.deepEqual(wrong, ['POST /providers/Microsoft.ResourceGraph/resources BadRequest']);
});

await testAnswers(theirs);
const { operations, requests } = world.tally(theirs);
tell(`azure-cli ${version}: ${commands} commands, `
	+ `${operations} operations in ${requests} requests, compared with ${ours.length} of the daemon`);
rmSync(join(estate.dir, 'azure'), { recursive: true, force: true });
end();
