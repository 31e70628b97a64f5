#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What a daemon at work asks, and what azsim answers, against Azure's specifications: one estate that
// it migrates, and one where Resource Graph is denied, operations fail and others undo what it did.
import assert from 'node:assert/strict';
import * as contract from './contract.mjs';
import { end, needed, skipAll, test } from './tap.mjs';
import * as world from './world.mjs';

if (contract.missing)
	skipAll(contract.missing);

const { subscription } = world;
const pricing = `/subscriptions/${subscription}/providers/Microsoft.Security/pricings/VirtualMachines`;

function hostile() {
	return {
		...world.document({ behaviour: { paging: { machines: 3, extensions: 1 } } }),
		otherHands: [{
			resource: pricing, member: 'properties.pricingTier', value: 'Free',
			after: '15s', every: '10s', times: 20,
		}],
		faults: [{
			when: { path: '/Microsoft.ResourceGraph/' },
			do: { status: 403, code: 'AuthorizationFailed', message: 'no access to Resource Graph' },
		}],
	};
}

const moving = ['drifted', 'queued', 'applying', 'settling', 'waiting'];
const settled = (daemon) => {
	const items = daemon.items();
	return items.length > 0 && !items.some((item) => moving.includes(item.state));
};

/** Lets a daemon work until `done`, and gives the traffic. */
async function work(name, what, seconds, done) {
	const estate = await world.startEstate(name, what);
	const daemon = await world.startDaemon(estate, 'enforce.conf');
	await world.until(() => daemon.ctl('status').writes.unconfirmed, 60, 'something to confirm');
	daemon.preflight();
	daemon.ctl('confirm', '--yes');
	try {
		await world.until(() => done(daemon, estate), seconds, 'the end of the work');
	} finally {
		await daemon.stop();
		await estate.stop();
	}
	return estate.traffic();
}

const requested = (estate, pattern) => estate.requests().some((r) => pattern.test(`${r.method} ${r.path}`));

let pairs = [];
await needed('a daemon migrates an estate', async () => {
	const spec = 'subscriptions=3,machines=60,management-groups=2,legacy=20%,provisioned=20%,failing=10%,'
		+ 'disconnected=5%,unreached=50%,lag=1s,pace=200';
	pairs = pairs.concat(await work('migration', spec, 120, (daemon, estate) =>
		settled(daemon) && requested(estate, /operationstatus/)));
});
await needed('a daemon holds out where much is refused', async () => {
	pairs = pairs.concat(await work('hostile', hostile(), 120, (daemon, estate) => requested(estate, /eventtypes/)));
});

const validator = await contract.open();
const both = ['request', 'answer'];
const { operations, unspecified } = await contract.testAll(validator, pairs, both);
await test('every request is of an operation that Azure specifies', () =>
	assert.deepEqual(unspecified.map((pair) => pair.liveRequest.url), []));
await test('all that the daemon can ask was asked', () => assert.deepEqual(operations.sort(), [
	'ActivityLogs_List 2015-04-01', 'DenyAssignments_List 2022-04-01',
	'MachineExtensions_CreateOrUpdate 2025-01-13', 'MachineExtensions_Get 2025-01-13',
	'MachineExtensions_List 2025-01-13', 'Machines_ListBySubscription 2025-01-13',
	'ManagementGroups_GetDescendants 2023-04-01', 'ManagementLocks_ListAtSubscriptionLevel 2020-05-01',
	'MdeOnboardings_List 2021-10-01-preview', 'OperationStatus_Get 2025-01-13',
	'Permissions_ListForSubscription 2022-04-01', 'PolicyRestrictions_CheckAtSubscriptionScope 2023-03-01',
	'Pricings_Get 2024-01-01', 'Pricings_Update 2024-01-01', 'Providers_Get(Microsoft.HybridCompute) 2024-03-01',
	'Providers_Get(Microsoft.Security) 2024-03-01', 'Resources 2022-10-01', 'Settings_Get 2022-05-01',
	'Settings_List 2022-05-01', 'Settings_Update 2022-05-01', 'Subscriptions_List 2022-12-01',
]));

// A validator that finds nothing wrong with these would prove nothing.
const example = (method, path) => structuredClone(pairs.find(({ liveRequest, liveResponse }) =>
	liveRequest.method === method && path.test(new URL(liveRequest.url).pathname)
	&& /^2/.test(liveResponse.statusCode)));
const spoiled = {
	'a plan without its tier': ['PUT', /\/pricings\//,
		({ liveRequest }) => delete liveRequest.body.properties.pricingTier],
	'a setting of no kind': ['PUT', /\/settings\//, ({ liveRequest }) => delete liveRequest.body.kind],
	'an extension with a version that is a number': ['PUT', /\/extensions\//,
		({ liveRequest }) => { liveRequest.body.properties.typeHandlerVersion = 1; }],
	'a query without its text': ['POST', /\/resources$/, ({ liveRequest }) => delete liveRequest.body.query],
	'a status that the operation does not have': ['PUT', /\/extensions\//,
		({ liveResponse }) => { liveResponse.statusCode = '203'; }],
	'a list that is none': ['GET', /\/machines$/, ({ liveResponse }) => { liveResponse.body.value = {}; }],
	'an operation of no status': ['GET', /\/operationstatus\//, ({ liveResponse }) => delete liveResponse.body.status],
	'permissions that are no list': ['GET', /\/permissions$/, ({ liveResponse }) => { liveResponse.body.value = 'all'; }],
	'a plan whose tier is a number': ['GET', /\/pricings\//,
		({ liveResponse }) => { liveResponse.body.properties.pricingTier = 1; }],
};
for (const [name, [method, path, spoil]] of Object.entries(spoiled))
	await test(`refused: ${name}`, async () => {
		const pair = example(method, path);
		assert.deepEqual((await contract.check(validator, pair, both)).wrong, []);
		spoil(pair);
		assert.notDeepEqual((await contract.check(validator, pair, both)).wrong, []);
	});
end();
