#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Every query of the daemon, in Microsoft's Kusto parser with the tables of Resource Graph declared.
// The parser knows more of the language than Resource Graph does; what it refuses is wrong anywhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { end, tell, test } from './tap.mjs';
import { build, need } from './world.mjs';

need('@kusto/language-service-next/bridge.js');
need('@kusto/language-service-next/Kusto.Language.Bridge.js');
const { Diagnostic, GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const { ScalarTypes } = Symbols;

const columns = {
	id: 'String', name: 'String', type: 'String', tenantId: 'String', kind: 'String',
	location: 'String', resourceGroup: 'String', subscriptionId: 'String', managedBy: 'String',
	sku: 'Dynamic', plan: 'Dynamic', properties: 'Dynamic', tags: 'Dynamic',
	identity: 'Dynamic', zones: 'Dynamic', extendedLocation: 'Dynamic',
};
const tables = ['resources', 'resourcecontainers', 'securityresources', 'policyresources',
	'authorizationresources', 'insightsresources'];

function declareTables() {
	const row = Object.entries(columns).map(([name, type]) =>
		new Symbols.ColumnSymbol(name, ScalarTypes[type], null, null, null, null));
	const all = tables.map((name) => new Symbols.TableSymbol.$ctor4(name, row));
	const database = new Symbols.DatabaseSymbol.ctor('graph', all);
	return GlobalState.Default.WithDatabase(database);
}

const globals = declareTables();

function diagnostics(text) {
	const found = KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
	return Array.from({ length: found.Count }, (_, i) => {
		const d = found.getItem(i);
		return `${d.Severity}: ${d.Message} at "${text.slice(d.Start, d.Start + d.Length)}"`;
	});
}

/** Names and types of what a query gives. */
function result(text) {
	const { Columns } = KustoCode.ParseAndAnalyze(text, globals).ResultType;
	return Array.from({ length: Columns.Count }, (_, i) =>
		`${Columns.getItem(i).Name}:${Columns.getItem(i).Type.Name}`);
}

const printed = spawnSync(join(build, 'print_queries'), { encoding: 'utf8' });
const queries = printed.status === 0 ? JSON.parse(printed.stdout) : [];

await test('the daemon tells its queries', () => assert.ok(queries.length > 0, printed.stderr));
for (const { name, text } of queries) {
	await test(`${name}: parsed without a word`, () => assert.deepEqual(diagnostics(text), []));
	await test(`${name}: every column has a type`, () => {
		const unknown = result(text).filter((column) => /:(unknown|error)?$/.test(column));

		assert.deepEqual(unknown, []);
		assert.ok(result(text).length > 0);
	});
}

// A parser that finds nothing wrong with these would prove nothing.
for (const wrong of ['resources | where nothing == 1', 'resources | summarise count()',
	'elsewhere | take 1', 'resources | where type =~ 5 + "x"', 'resources | project hash(id, id, id)'])
	await test(`refused: ${wrong}`, () => assert.notDeepEqual(diagnostics(wrong), []));

const longest = Math.max(...queries.map(({ text }) => text.length));
tell(`${queries.length} queries of the daemon parsed, the longest of ${longest} characters`);
end();
