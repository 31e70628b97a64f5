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
		otherHands: [{ resource: pricing, member: 'properties.pricingTier', value: 'Free', after: '15s', every: '10s', times: 20 }],
		faults: [{
			when: { path: '/Microsoft.ResourceGraph/' },
			do: { status: 403, code: 'AuthorizationFailed', message: 'no access to Resource Graph' },
		}],
	};
}

const settled = (daemon) => {
	const { items } = daemon.ctl('list', '--limit', '1000');
	return items.length > 0 && !items.some((item) => ['drifted', 'queued', 'applying', 'settling', 'waiting'].includes(item.state));
};

/** Lets a daemon work until `done`, and gives the traffic. */
async function work(name, what, seconds, done) {
	const estate = await world.startEstate(name, what);
	const daemon = await world.startDaemon(estate, 'enforce.conf');
	await world.until(() => daemon.ctl('status').writes.unconfirmed, 60, 'something to confirm');
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
	pairs = pairs.concat(await work('migration', 'subscriptions=3,machines=60,management-groups=2,legacy=20%,'
		+ 'provisioned=20%,failing=10%,disconnected=5%,unreached=50%,lag=1s,pace=200', 120, (daemon, estate) => settled(daemon) && requested(estate, /operationstatus/)));
});
await needed('a daemon holds out where much is refused', async () => {
	pairs = pairs.concat(await work('hostile', hostile(), 120, (daemon, estate) => requested(estate, /eventtypes/)));
});

const validator = await contract.open();
const both = ['request', 'answer'];
const { operations, unspecified } = await contract.testAll(validator, pairs, both);
await test('every request is of an operation that Azure specifies', () =>
	assert.deepEqual(unspecified.map((pair) => pair.liveRequest.url), []));
await test('all that the daemon can ask was asked', () => assert.deepEqual(operations.map((o) => o.split(' ')[0]).sort(), [
	'ActivityLogs_List', 'MachineExtensions_CreateOrUpdate', 'MachineExtensions_Get', 'MachineExtensions_List',
	'Machines_ListBySubscription', 'ManagementGroups_GetDescendants', 'MdeOnboardings_List', 'OperationStatus_Get',
	'Pricings_Get', 'Pricings_Update', 'Resources', 'Settings_Get', 'Settings_List', 'Settings_Update',
	'Subscriptions_List',
]));

// A validator that finds nothing wrong with these would prove nothing.
const example = (method, path) => structuredClone(pairs.find(({ liveRequest, liveResponse }) =>
	liveRequest.method === method && path.test(new URL(liveRequest.url).pathname) && Number(liveResponse.statusCode) < 300));
for (const [name, method, path, spoil] of [
	['a plan without its tier', 'PUT', /\/pricings\//, (pair) => delete pair.liveRequest.body.properties.pricingTier],
	['a setting of no kind', 'PUT', /\/settings\//, (pair) => delete pair.liveRequest.body.kind],
	['an extension with a version that is a number', 'PUT', /\/extensions\//, (pair) => { pair.liveRequest.body.properties.typeHandlerVersion = 1; }],
	['a query without its text', 'POST', /\/resources$/, (pair) => delete pair.liveRequest.body.query],
	['a status that the operation does not have', 'PUT', /\/extensions\//, (pair) => { pair.liveResponse.statusCode = '203'; }],
	['a list that is none', 'GET', /\/machines$/, (pair) => { pair.liveResponse.body.value = {}; }],
	['a plan whose tier is a number', 'GET', /\/pricings\//, (pair) => { pair.liveResponse.body.properties.pricingTier = 1; }],
])
	await test(`refused: ${name}`, async () => {
		const pair = example(method, path);
		assert.deepEqual((await contract.check(validator, pair, both)).wrong, []);
		spoil(pair);
		assert.notDeepEqual((await contract.check(validator, pair, both)).wrong, []);
	});
end();
