#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Microsoft's SDK for JavaScript against the simulated Azure, with its own sign-in, pagers, pollers
// and retries, beside a daemon that observes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { testAnswers } from './contract.mjs';
import { end, needed, tell, test } from './tap.mjs';
import * as world from './world.mjs';

const { need, subscription, other, tenant, client, reader, secret } = world;
const { ClientSecretCredential } = need('@azure/identity');
const { HybridComputeManagementClient } = need('@azure/arm-hybridcompute');
const { SecurityCenter } = need('@azure/arm-security');
const { ResourceGraphClient } = need('@azure/arm-resourcegraph');
const { ManagementGroupsAPI } = need('@azure/arm-managementgroups');
const { SubscriptionClient } = need('@azure/arm-resources-subscriptions');
const { ResourceManagementClient } = need('@azure/arm-resources');
const { ManagementLockClient } = need('@azure/arm-locks');
const { AuthorizationManagementClient } = need('@azure/arm-authorization');
const { MonitorClient } = need('@azure/arm-monitor');

const throttled = 'away/extensions';
const broken = 'silent/extensions';
const estate = await world.startEstate('sdk', {
	...world.document({ behaviour: { paging: { machines: 3, emptyEvery: 2, others: 50, extensions: 1 } } }),
	faults: [
		{ when: { path: throttled, times: 2 }, do: { retryAfter: '1s' } },
		{ when: { path: broken, times: 1 }, do: { status: 503, code: 'ServerBusy', message: 'once' } },
	],
});
const daemon = await world.startDaemon(estate, 'observe.conf');
const outside = await world.closeOutside(estate);
Object.assign(process.env, outside.env);

const ca = readFileSync(estate.ca);
const options = {
	endpoint: estate.arm, tlsOptions: { ca }, credentialScopes: ['https://management.azure.com/.default'],
};
/** Options for a client that shall ask in another api-version than it was made for. */
const inVersion = (version) => ({
	...options,
	additionalPolicies: [{
		position: 'perCall',
		policy: {
			name: 'inVersion',
			sendRequest(request, next) {
				request.url = request.url.replace(/([?&]api-version=)[^&]*/, `$1${version}`);
				return next(request);
			},
		},
	}],
});
const signIn = (id, password = secret) => new ClientSecretCredential(tenant, id, password,
	{ authorityHost: estate.login, disableInstanceDiscovery: true, tlsOptions: { ca } });
const credential = signIn(client);
const arc = new HybridComputeManagementClient(credential, subscription, inVersion('2025-01-13'));
const security = new SecurityCenter(credential, subscription, options);
const { pricings } = new SecurityCenter(credential, subscription, inVersion('2024-01-01'));
const { settings } = new SecurityCenter(credential, subscription, inVersion('2022-05-01'));
const agent = new Agent({ ca });
const graph = new ResourceGraphClient(credential,
	{ baseUri: estate.arm, agentSettings: { http: agent, https: agent } });
const groups = new ManagementGroupsAPI(credential, inVersion('2023-04-01'));
const subscriptions = new SubscriptionClient(credential, options);
const resources = new ResourceManagementClient(credential, subscription, options);

async function all(pager) {
	const list = [];
	for await (const item of pager)
		list.push(item);
	return list;
}

/** A RestError of that code; there is more than one class of that name in these packages. */
const rejects = (promise, statusCode, code) => assert.rejects(promise, (error) => {
	assert.equal(error.name, 'RestError');
	assert.deepEqual([error.statusCode, error.code], [statusCode, code], error.message);
	return true;
});
const names = (list) => list.map((x) => x.name).sort();
const answers = (path) => estate.requests().filter((r) => r.path.includes(path)).map((r) => r.status);

// --- who we are ---

await needed('a service principal gets a token', async () => {
	const { token, expiresOnTimestamp } = await credential.getToken('https://management.azure.com/.default');
	assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
	assert.ok(expiresOnTimestamp > Date.now());
});
await test('a wrong secret is refused with the code of Entra ID', () => assert.rejects(
	signIn(client, 'wrong').getToken('https://management.azure.com/.default'), /AADSTS7000215/));
await test('subscriptions and tenants are those that the daemon sees', async () => {
	const found = await all(subscriptions.subscriptions.list());
	assert.deepEqual(found.map((s) => s.subscriptionId).sort(), [subscription, other]);
	for (const s of found)
		assert.equal(daemon.ctl('explain', s.subscriptionId).subscription_name, s.displayName);
	assert.deepEqual((await all(subscriptions.tenants.list())).map((t) => t.tenantId), [tenant]);
	assert.equal((await subscriptions.subscriptions.get(other)).displayName, 'Laboratory');
});

// --- machines ---

await test('machines come in pages, some of them empty, and are those of the daemon', async () => {
	const sizes = [];
	const list = [];
	for await (const page of arc.machines.listBySubscription().byPage()) {
		sizes.push(page.length);
		list.push(...page);
	}
	assert.ok(sizes.length >= 3 && sizes.includes(0), `pages of ${sizes}`);
	const known = daemon.items('--control', 'arc-connected', '--subscription', subscription);
	assert.deepEqual(known.map((i) => i.resource_id.toLowerCase()).sort(), list.map((m) => m.id.toLowerCase()).sort());
	for (const m of list) {
		const facts = daemon.facts(m.name);
		const { status, agentVersion, osSku } = m.properties;
		assert.deepEqual([facts.status, facts['agent version'], facts['operating system'], facts.location],
			[status, agentVersion, osSku, m.location], m.name);
	}
});
await test('machines of a group', async () =>
	assert.deepEqual(names(await all(arc.machines.listByResourceGroup('branch'))), ['win-old']));
await test('a machine is read, in the version of its client too', async () => {
	assert.equal((await arc.machines.get('servers', 'win-new')).properties.status, 'Connected');
	const old = new HybridComputeManagementClient(credential, subscription, options);
	assert.equal((await old.machines.get('servers', 'away')).properties.status, 'Disconnected');
});
await test('what is not there is a RestError', () =>
	rejects(arc.machines.get('servers', 'nowhere'), 404, 'ResourceNotFound'));

// --- extensions and their operations ---

const creation = (publisher, type, more) => ({
	location: 'westeurope',
	properties: {
		publisher, type, typeHandlerVersion: '1.0', autoUpgradeMinorVersion: true, ...more,
	},
});

async function sensor(machine, system) {
	const [packages] = (await security.mdeOnboardings.list()).value;
	const { id } = await arc.machines.get('servers', machine);
	const script = Buffer.from(packages[`onboardingPackage${system}`]).toString('base64');
	return creation(world.sensorPublisher, `MDE.${system}`, {
		settings: { azureResourceId: id },
		protectedSettings: { defenderForEndpointOnboardingScript: script },
	});
}

await test('extensions are listed as the daemon sees them', async () => {
	const list = await all(arc.machineExtensions.list('servers', 'win-sensor'));
	assert.deepEqual(list.map((x) => [x.name, x.properties.provisioningState]), [['MDE.Windows', 'Succeeded']]);
	assert.equal(daemon.facts('win-sensor')['MDE extension'], 'Succeeded');
	const one = await arc.machineExtensions.get('branch', 'win-old', 'MMAExtension');
	assert.equal(one.properties.provisioningState, daemon.facts('win-old')['Log Analytics agent']);
});
await test('an extension is created: the poller waits, the daemon sees its end', async () => {
	const made = await arc.machineExtensions.beginCreateOrUpdateAndWait('servers', 'win-new', 'MDE.Windows',
		await sensor('win-new', 'Windows'), { updateIntervalInMs: 200 });
	assert.equal(made.properties.provisioningState, 'Succeeded');
	assert.equal(made.properties.protectedSettings, undefined);
	await daemon.sees('win-new', 'MDE extension', 'Succeeded');
});
await test('one that its handler refuses rejects with the code, and the daemon sees the same', async () => {
	const parameters = await sensor('linux-failing', 'Linux');
	await assert.rejects(arc.machineExtensions.beginCreateOrUpdateAndWait('servers', 'linux-failing', 'MDE.Linux',
		parameters, { updateIntervalInMs: 200 }), /VMExtensionProvisioningError|failed|52/i);
	await daemon.sees('linux-failing', 'MDE extension', 'Failed');
	const { instanceView } = (await arc.machineExtensions.get('servers', 'linux-failing', 'MDE.Linux')).properties;
	assert.equal(daemon.facts('linux-failing')['MDE status code'], instanceView.status.code);
	assert.equal(daemon.facts('linux-failing')['MDE message'], instanceView.status.message);
});
await test('an extension is updated', async () => {
	const [machine, type] = ['linux-sensor', 'AzureMonitorLinuxAgent'];
	await arc.machineExtensions.beginCreateOrUpdateAndWait('servers', machine, type,
		creation('Microsoft.Azure.Monitor', type), { updateIntervalInMs: 200 });
	const changed = await arc.machineExtensions.beginUpdateAndWait('servers', machine, type,
		{ properties: { forceUpdateTag: 'again' } }, { updateIntervalInMs: 200 });
	assert.deepEqual([changed.properties.provisioningState, changed.properties.forceUpdateTag], ['Succeeded', 'again']);
});
await test('an extension is deleted: the poller ends, the daemon no longer sees it', async () => {
	const poller = await arc.machineExtensions.beginDelete('servers', 'win-new', 'MDE.Windows',
		{ updateIntervalInMs: 200 });
	await poller.pollUntilDone();
	assert.equal(poller.getOperationState().error, undefined);
	assert.ok(poller.isDone());
	await rejects(arc.machineExtensions.get('servers', 'win-new', 'MDE.Windows'), 404, 'HCRP404');
	await daemon.sees('win-new', 'MDE extension', 'absent');
});
await test('a lock forbids a deletion', async () => {
	await rejects(arc.machineExtensions.beginDeleteAndWait('branch', 'win-old', 'MMAExtension'), 409, 'ScopeLocked');
	const { managementLocks } = new ManagementLockClient(credential, subscription, options);
	const locks = await all(managementLocks.listAtSubscriptionLevel());
	assert.deepEqual(locks.map((l) => [l.name, l.level, l.notes]), [['keep', 'CanNotDelete', 'archive']]);
});

// --- throttling and errors ---

await test("a 429 with Retry-After is waited for by the SDK's own policy", async () => {
	assert.deepEqual(await all(arc.machineExtensions.list('servers', 'away')), []);
	assert.deepEqual(answers(throttled), [429, 429, 200]);
});
await test('a 503 is repeated', async () => {
	assert.deepEqual(await all(arc.machineExtensions.list('servers', 'silent')), []);
	assert.deepEqual(answers(broken), [503, 200]);
});

// --- plans and settings ---

await test('plans are listed as the daemon sees them', async () => {
	const { value } = await pricings.list();
	const plan = value.find((p) => p.name === 'VirtualMachines');
	assert.equal(plan.pricingTier, daemon.facts(subscription).plan);
	const there = await new SecurityCenter(credential, other, options).pricings.get('VirtualMachines');
	const seen = daemon.facts(other);
	assert.deepEqual([there.pricingTier, there.subPlan], [seen.plan, seen['sub-plan']]);
});
await test('a plan that the SDK turns on is in sync for the daemon', async () => {
	const plan = await pricings.update('VirtualMachines', { pricingTier: 'Standard', subPlan: 'P2' });
	assert.deepEqual([plan.pricingTier, plan.subPlan], ['Standard', 'P2']);
	await daemon.sees(subscription, 'plan', 'Standard');
	const [item] = daemon.items('--control', 'servers-plan', '--subscription', subscription);
	assert.equal(item.state, 'compliant');
});
await test('a plan that there is not is refused', () =>
	rejects(pricings.update('VirtualMachines', { pricingTier: 'Standard', subPlan: 'P9' }), 400, 'InvalidInputJson'));
await test('settings are listed, read and turned on, and the daemon sees it', async () => {
	assert.deepEqual(names(await all(settings.list())), ['MCAS', 'WDATP']);
	assert.equal((await settings.get('WDATP')).enabled, false);
	assert.equal(daemon.facts(subscription).WDATP, 'no');
	const setting = await settings.update('WDATP', { kind: 'DataExportSettings', enabled: true });
	assert.deepEqual([setting.kind, setting.enabled], ['DataExportSettings', true]);
	await daemon.sees(subscription, 'WDATP', 'yes');
});
await test("the retired agent's auto-provisioning is turned off", async () => {
	const off = await security.autoProvisioningSettings.create('default', { autoProvision: 'Off' });
	assert.equal(off.autoProvision, 'Off');
	assert.deepEqual((await all(security.autoProvisioningSettings.list())).map((x) => x.autoProvision), ['Off']);
});

// --- Resource Graph ---

const query = (text, more) => graph.resources({
	subscriptions: [subscription, other], query: text, options: { resultFormat: 'objectArray', ...more },
});
const machines = "resources | where type =~ 'microsoft.hybridcompute/machines' | project id, name | order by id asc";

await test('Resource Graph gives pages until there is no token, the machines of the daemon', async () => {
	const rows = [];
	let pages = 0;
	for (let skipToken; pages === 0 || skipToken !== undefined; pages++) {
		const page = await query(machines, { top: 3, skipToken });
		assert.deepEqual([page.totalRecords, page.count], [8, page.data.length]);
		rows.push(...page.data);
		skipToken = page.skipToken;
	}
	assert.equal(pages, 3);
	const known = daemon.items('--control', 'arc-connected').map((i) => i.resource_id.toLowerCase()).sort();
	assert.deepEqual(rows.map((row) => row.id.toLowerCase()).sort(), known);
});
await test('Resource Graph says what is wrong with a query', () =>
	assert.rejects(query('resources | where nothing =='), (error) => {
		assert.equal(error.statusCode, 400);
		assert.match(JSON.stringify(error.body), /InvalidQuery/);
		return true;
	}));

// --- everything around ---

await test('management groups, what is below them, and their subscriptions', async () => {
	assert.deepEqual(names(await all(groups.managementGroups.list())), [tenant, 'mg-prod'].sort());
	const below = await all(groups.managementGroups.listDescendants(tenant));
	assert.deepEqual(names(below), ['mg-prod', other, subscription].sort());
	const under = await all(groups.managementGroupSubscriptions.listSubscriptionsUnderManagementGroup('mg-prod'));
	assert.deepEqual(names(under), [subscription, other]);
	assert.equal((await all(groups.entities.list())).length, 4);
});
await test('resource groups, resources and providers', async () => {
	assert.deepEqual(names(await all(resources.resourceGroups.list())), ['branch', 'servers']);
	const list = await all(resources.resources.list({ filter: "resourceType eq 'Microsoft.HybridCompute/machines'" }));
	assert.equal(list.length, 7);
	assert.equal((await resources.providers.get('Microsoft.Security')).registrationState, 'Registered');
});
await test('roles and the activity log', async () => {
	const authorization = new AuthorizationManagementClient(credential, subscription, options);
	assert.equal((await all(authorization.roleAssignments.listForSubscription())).length, 2);
	const monitor = new MonitorClient(credential, subscription, options);
	const [since, until] = [-3600_000, 3600_000].map((ms) => new Date(Date.now() + ms).toISOString());
	const filter = `eventTimestamp ge '${since}' and eventTimestamp le '${until}'`
		+ " and resourceProvider eq 'Microsoft.Security'";
	const events = await world.until(async () => {
		const list = await all(monitor.activityLogs.list(filter));
		return list.some((e) => e.operationName.value === 'Microsoft.Security/pricings/write') && list;
	}, 10, 'the activity log');
	assert.ok(events.every((e) => e.caller === client));
});
await test('whoever may only read may not write', async () => {
	const theirs = new SecurityCenter(signIn(reader), subscription, options);
	assert.equal((await theirs.settings.get('WDATP')).enabled, true);
	await rejects(theirs.settings.update('WDATP', { kind: 'DataExportSettings', enabled: true }),
		403, 'AuthorizationFailed');
});

// --- how it was ---

await daemon.stop();
await outside.stop();
await estate.stop();
const pairs = estate.traffic();
const ours = pairs.filter(world.isDaemon);
const theirs = pairs.filter((pair) => !world.isDaemon(pair));

await test('the SDK asked nobody else', () => assert.deepEqual(outside.asked(), []));
await testAnswers(theirs);
const { operations, requests } = world.tally(theirs);
tell(`SDK for JavaScript: ${operations} operations in ${requests} requests, `
	+ `compared with ${ours.length} of the daemon`);
end();
