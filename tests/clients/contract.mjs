// SPDX-License-Identifier: Apache-2.0
// contract: what went over the wire against Azure's own specifications, by Microsoft's validator.
// They are read from a folder that the project does not hold: MDC_AZURE_SPECS names it, or it lies at
// ../shared/azure-specs.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { skip, tell, test } from './tap.mjs';
import { home, need } from './world.mjs';

const folder = resolve(process.env.MDC_AZURE_SPECS ?? '../shared/azure-specs');

export const missing = existsSync(join(folder, 'specification')) ? undefined : `no Azure specifications in ${folder}`;

const common = 'common-types/resource-management/v5/types.json';
const resources = 'resources/resource-manager/Microsoft.Resources/stable/2024-03-01/resources.json';
const roles = 'authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01/'
	+ 'authorization-RoleDefinitionsCalls.json';
const providers = '/subscriptions/{subscriptionId}/providers';

/**
 * Reads that are documented elsewhere, with the type of their answer: the polls that
 * Azure-AsyncOperation names (the contract of resource providers, async-api-reference.md), and
 * permissions of a subscription, which are specified for groups and resources alone (Microsoft's
 * article resource-manager-api-authentication has this one). A provider itself is specified, but under
 * a name in braces, for which the validator does not look where it has the provider's own paths.
 */
const leftOut = [
	['OperationStatus_Get', '2025-01-13',
		`${providers}/Microsoft.HybridCompute/locations/{location}/operationstatus/{operationId}`,
		`${common}#/definitions/OperationStatusResult`],
	['Permissions_ListForSubscription', '2022-04-01', `${providers}/Microsoft.Authorization/permissions`,
		`${roles}#/definitions/PermissionGetResult`],
	...['Microsoft.Security', 'Microsoft.HybridCompute'].map((provider) =>
		[`Providers_Get(${provider})`, '2024-03-01', `${providers}/${provider}`, `${resources}#/definitions/Provider`]),
];

/** A specification of each of these, in the folder that is the validator's root. */
function writeLeftOut(root) {
	const parameter = (where) => (name) => ({ name, in: where, required: true, type: 'string' });
	const answer = (type) => ({ description: 'answer', schema: { $ref: `azure/specification/${type}` } });
	const describe = ([operationId, version, path, type]) => ({
		swagger: '2.0', info: { title: operationId, version }, host: 'management.azure.com',
		schemes: ['https'], consumes: ['application/json'], produces: ['application/json'],
		paths: { [path]: { get: {
			operationId,
			parameters: [parameter('query')('api-version'), ...path.match(/(?<={)\w+/g).map(parameter('path'))],
			responses: { 200: answer(type), default: answer(`${common}#/definitions/ErrorResponse`) },
		} } },
	});
	leftOut.forEach((read, i) => writeFileSync(join(root, `left-out-${i}.json`), JSON.stringify(describe(read))));
}

/** The validator reads nothing outside of one root: the folder is linked into it. */
export async function open() {
	need('reflect-metadata');
	const { LiveValidator } = need('oav/dist/lib/liveValidation/liveValidator.js');
	const root = mkdtempSync(join(home, 'contract-'));
	symlinkSync(folder, join(root, 'azure'));
	writeLeftOut(root);
	const broken = [];
	const validator = new LiveValidator({
		directory: root, isArmCall: true, loadValidatorInBackground: false,
		swaggerPathsPattern: ['azure/specification/**/{stable,preview}/*/*.json', 'left-out-*.json'],
	}, (message, level) => level === 'error' && broken.push(message));
	await validator.initialize();
	process.on('exit', () => rmSync(root, { recursive: true, force: true }));
	if (broken.length > 0)
		throw new Error(broken.join('\n'));
	return validator;
}

/**
 * One pair: the operation as "Id api-version", undefined where no specification has it, and what is
 * wrong with the sides that are asked for.
 */
export async function check(validator, pair, sides) {
	// The validator changes what it is given.
	const r = await validator.validateLiveRequestResponse(structuredClone(pair));
	const results = { request: r.requestValidationResult, answer: r.responseValidationResult };
	if (/^OPERATION_NOT_FOUND/.test(results.request.runtimeException?.code))
		return { wrong: [] };
	const { operationId, apiVersion } = results.request.operationInfo;
	const wrong = [];
	for (const side of sides) {
		const { errors, runtimeException } = results[side];
		if (runtimeException)
			wrong.push(`${side}: ${runtimeException.code}: ${runtimeException.message}`);
		for (const { code, message, pathsInPayload } of errors)
			wrong.push(`${side} (${pair.liveResponse.statusCode}): ${code} ${pathsInPayload[0] ?? ''} ${message}`);
	}
	return { operation: `${operationId} ${apiVersion}`, wrong };
}

/** A test for each operation among the pairs; gives these, and the pairs that no specification has. */
export async function testAll(validator, pairs, sides) {
	const operations = new Map();
	const unspecified = [];
	for (const pair of pairs) {
		const { operation, wrong } = await check(validator, pair, sides);
		if (operation === undefined) {
			unspecified.push(pair);
			continue;
		}
		const sum = operations.get(operation) ?? { n: 0, wrong: new Set() };
		operations.set(operation, sum);
		sum.n++;
		for (const line of wrong)
			sum.wrong.add(line.replace(/\/\d+(?=\/| )/g, '/*'));
	}
	for (const [operation, { n, wrong }] of operations)
		await test(`${operation}: ${sides.join(' and ')} as specified, ${n} times`, () => assert.deepEqual([...wrong], []));
	const checked = pairs.length - unspecified.length;
	tell(`${checked} ${sides.map((side) => `${side}s`).join(' and ')} of ${operations.size} operations checked by oav`);
	return { operations: [...operations.keys()], unspecified };
}

/** What other clients ask is theirs; what they are answered is azsim's. */
export async function testAnswers(pairs) {
	if (missing) {
		skip('answers are as specified', missing);
		return;
	}
	const { unspecified } = await testAll(await open(), pairs, ['answer']);
	tell(`${unspecified.length} answers are of operations or versions that are not there`);
}
