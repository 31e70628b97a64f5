// SPDX-License-Identifier: Apache-2.0
// contract: what went over the wire against Azure's own specifications, by Microsoft's validator.
// They are read from a folder that the project does not hold: MDC_AZURE_SPECS names it, or it lies at
// ../shared/azure-specs. Polls of operations, which they leave out, are checked against the type that
// all of Azure has in common for them.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { skip, tell, test } from './tap.mjs';
import { home, need } from './world.mjs';

const folder = resolve(process.env.MDC_AZURE_SPECS ?? '../shared/azure-specs');

export const missing = existsSync(join(folder, 'specification')) ? undefined : `no Azure specifications in ${folder}`;

const parameter = (name, where) => ({ name, in: where, required: true, type: 'string' });

/** A specification of the polls that Azure-AsyncOperation names, in the folder that is the validator's root. */
function writePolls(root) {
	const path = '/subscriptions/{subscriptionId}/providers/Microsoft.HybridCompute/locations/{location}'
		+ '/operationstatus/{operationId}';
	const types = 'azure/specification/common-types/resource-management/v5/types.json';
	const answer = (name) => ({ description: name, schema: { $ref: `${types}#/definitions/${name}` } });
	writeFileSync(join(root, 'polls.json'), JSON.stringify({
		swagger: '2.0', info: { title: 'polls', version: '2025-01-13' }, host: 'management.azure.com',
		schemes: ['https'], consumes: ['application/json'], produces: ['application/json'],
		paths: { [path]: { get: {
			operationId: 'OperationStatus_Get',
			parameters: [parameter('api-version', 'query'),
				...['subscriptionId', 'location', 'operationId'].map((name) => parameter(name, 'path'))],
			responses: { 200: answer('OperationStatusResult'), default: answer('ErrorResponse') },
		} } },
	}));
}

/** The validator reads nothing outside of one root: the folder is linked into it. */
export async function open() {
	need('reflect-metadata');
	const { LiveValidator } = need('oav/dist/lib/liveValidation/liveValidator.js');
	const root = mkdtempSync(join(home, 'contract-'));
	symlinkSync(folder, join(root, 'azure'));
	writePolls(root);
	const broken = [];
	const validator = new LiveValidator({
		directory: root, swaggerPathsPattern: ['azure/specification/**/{stable,preview}/*/*.json', 'polls.json'],
		isArmCall: true, loadValidatorInBackground: false,
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
