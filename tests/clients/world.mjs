// SPDX-License-Identifier: Apache-2.0
// world: a simulated Azure that is known in every detail, an mdcd that observes it, and what they
// wrote down. Everything lives under build/clients.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const build = resolve(process.env.BUILD ?? 'build');
export const home = join(build, 'clients');

/** A package from build/clients; this folder holds none. */
export const need = createRequire(join(home, 'package.json'));

export const tenant = '10000000-0000-4000-8000-000000000001';
export const client = '20000000-0000-4000-8000-000000000001';
export const reader = '20000000-0000-4000-8000-000000000002';
export const secret = 'estate-secret';
export const subscription = '30000000-0000-4000-8000-000000000001';
export const other = '30000000-0000-4000-8000-000000000002';
export const sensorPublisher = 'Microsoft.Azure.AzureDefenderForServers';

const sensor = (type, more = {}) => ({ type, publisher: sensorPublisher, version: '1.0.11.2', ...more });
const server = (name, os, more = {}) => ({ name, group: 'servers', location: 'westeurope', os, ...more });

/** The machines of the first subscription, by what is special about them. */
const machines = [
	server('win-new', 'Windows Server 2022 Datacenter'),
	server('win-sensor', 'Windows Server 2019 Datacenter', { extensions: [sensor('MDE.Windows')] }),
	server('win-old', 'Windows Server 2012 R2 Standard', {
		group: 'branch', location: 'northeurope',
		extensions: [{ type: 'MicrosoftMonitoringAgent', name: 'MMAExtension', version: '1.0.18069.0' }],
	}),
	server('linux-sensor', 'Ubuntu 22.04.4 LTS', { extensions: [sensor('MDE.Linux')] }),
	server('linux-failing', 'Debian GNU/Linux 12 (bookworm)', { outcomes: ['52'] }),
	server('away', 'Windows Server 2022 Datacenter', { status: 'Disconnected', since: '-3h' }),
	server('silent', 'Windows Server 2016 Datacenter', { status: 'Expired', since: '-60d' }),
];

/** An estate document; `behaviour` is laid over what lets everything go fast. */
export function document({ certificates = [], behaviour = {}, more = 0 } = {}) {
	const extra = Array.from({ length: more }, (_, i) =>
		server(`more-${String(i + 1).padStart(3, '0')}`, 'Ubuntu 24.04.1 LTS', { group: 'more' }));
	return {
		tenants: [{ id: tenant, name: 'Contoso', domain: 'contoso.test' }],
		principals: [
			{ tenant, client, secret, certificates, roles: [{ scope: '/', role: 'Owner' }] },
			{ tenant, client: reader, secret, roles: [{ scope: `/subscriptions/${subscription}`, role: 'Reader' }] },
		],
		managementGroups: [
			{ name: tenant, displayName: 'Tenant Root Group', tenant },
			{ name: 'mg-prod', displayName: 'Production', tenant, parent: tenant },
		],
		subscriptions: [
			{
				id: subscription, name: 'Production', tenant, managementGroup: 'mg-prod',
				settings: { WDATP: false, MCAS: false }, autoProvision: 'On',
				locks: [{
					name: 'keep', level: 'CanNotDelete', notes: 'archive',
					scope: `/subscriptions/${subscription}/resourceGroups/branch`,
				}],
				machines: [...machines, ...extra],
			},
			{
				id: other, name: 'Laboratory', tenant, managementGroup: 'mg-prod', modern: true,
				plan: { tier: 'Standard', subPlan: 'P1' },
				machines: [server('lab-1', 'Red Hat Enterprise Linux 9.4 (Plow)', { group: 'lab' })],
			},
		],
		behaviour: {
			latency: { read: '1ms', write: '1ms', token: '1ms', graph: '1ms' },
			operations: { create: '1s', update: '1s', delete: '1s', retryAfter: '1s' },
			plan: { write: '100ms' }, deployer: { on: false }, graph: { lag: '100ms' },
			activity: { delay: '1s' }, providers: { registration: '1s' },
			tokens: { life: '1h' }, ...behaviour,
		},
	};
}

/** Tries `look` until it gives something, for at most `seconds`. */
export async function until(look, seconds, what) {
	const end = Date.now() + seconds * 1000;
	for (;;) {
		const found = await look();
		if (found)
			return found;
		if (Date.now() > end)
			throw new Error(`${what} did not come within ${seconds} s`);
		await sleep(100);
	}
}

const running = new Set();
process.on('exit', () => {
	for (const child of running)
		child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'])
	process.on(signal, () => process.exit(1));

function start(program, args, env, log) {
	const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
	let text = '';
	const hear = (data) => { text += data; writeFileSync(log, text); };
	child.stdout.on('data', hear);
	child.stderr.on('data', hear);
	running.add(child);
	const ended = new Promise((done) => child.on('exit', (code) => { running.delete(child); done(code); }));
	return { child, ended, said: () => text };
}

const readLines = (file) => existsSync(file)
	? readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];

/**
 * Starts azsim with an estate document, or with a specification. `dir` is emptied first.
 * The TLS authority is shared by all, so that a process need not learn of another one.
 */
export async function startEstate(name, what) {
	const dir = join(home, name);
	rmSync(dir, { recursive: true, force: true });
	mkdirSync(dir, { recursive: true, mode: 0o700 });
	mkdirSync(join(home, 'tls'), { recursive: true });
	const file = (leaf) => join(dir, leaf);
	if (typeof what !== 'string')
		writeFileSync(file('estate.json'), JSON.stringify(what, null, '\t'));
	const source = typeof what === 'string' ? ['--generate', what] : ['--estate', file('estate.json')];
	const process_ = start(join(build, 'azsim'), ['--listen', 'localhost:0', '--tls-dir', join(home, 'tls'), '--seed', '7',
		...source, '--ready-file', file('ready'), '--request-log', file('requests.jsonl'),
		'--traffic-log', file('traffic.jsonl'), '--verdict', file('verdict.json')], {}, file('azsim.log'));
	const ready = await until(() => {
		if (process_.child.exitCode !== null)
			throw new Error(`azsim ended: ${process_.said()}`);
		return existsSync(file('ready')) && readFileSync(file('ready'), 'utf8');
	}, 30, 'azsim');
	const value = (key) => ready.match(new RegExp(`^${key}='(.*)'$`, 'm'))[1];
	return {
		dir, arm: value('AZSIM_ARM'), login: value('AZSIM_LOGIN'), ca: value('AZSIM_CA'),
		requests: () => readLines(file('requests.jsonl')),
		traffic: () => readLines(file('traffic.jsonl')),
		/** Ends it; the ledger. */
		async stop() {
			process_.child.kill('SIGTERM');
			await process_.ended;
			return JSON.parse(readFileSync(file('verdict.json'), 'utf8'));
		},
	};
}

/**
 * Keeps clients in: `env` has a proxy for whatever is not on this machine, and that refuses. What
 * they asked of it is known.
 */
export async function closeOutside(estate) {
	const address = join(estate.dir, 'proxy');
	const requests = join(estate.dir, 'outside');
	const { child, ended } = start(process.execPath, ['tests/clients/closed_proxy.mjs', address, requests],
		{}, join(estate.dir, 'proxy.log'));
	await until(() => existsSync(address) && readFileSync(address, 'utf8'), 30, 'the proxy');
	const env = { no_proxy: 'localhost,127.0.0.1' };
	for (const scheme of ['http', 'https'])
		env[`${scheme}_proxy`] = readFileSync(address, 'utf8');
	for (const [name, value] of Object.entries(env))
		env[name.toUpperCase()] = value;
	return {
		env,
		asked: () => readFileSync(requests, 'utf8').split('\n').filter(Boolean),
		async stop() {
			child.kill('SIGTERM');
			return ended;
		},
	};
}

/** Starts mdcd with a configuration of tests/clients, and gives what mdcctl says. */
export async function startDaemon(estate, configuration) {
	const { dir } = estate;
	const env = {
		CLIENTS_DIR: dir, AZSIM_ARM: estate.arm, AZSIM_LOGIN: estate.login, AZSIM_CA: estate.ca,
		MDCCTL_SOCKET: join(dir, 'control.sock'),
	};
	mkdirSync(join(dir, 'state'), { mode: 0o700 });
	writeFileSync(join(dir, 'secret'), secret, { mode: 0o600 });
	chmodSync(join(dir, 'secret'), 0o600);
	const { child, ended, said } = start(join(build, 'mdcd'), ['--config', join('tests/clients', configuration)],
		env, join(dir, 'mdcd.log'));
	const ctlEnding = (statuses, ...args) => {
		const r = spawnSync(join(build, 'mdcctl'), ['--json', ...args],
			{ env: { ...process.env, ...env }, encoding: 'utf8' });
		if (!statuses.includes(r.status))
			throw new Error(`mdcctl ${args.join(' ')}: ${r.stderr || r.stdout}`);
		return JSON.parse(r.stdout);
	};
	const ctl = (...args) => ctlEnding([0], ...args);
	await until(() => {
		if (child.exitCode !== null)
			throw new Error(`mdcd ended: ${said()}`);
		return existsSync(env.MDCCTL_SOCKET);
	}, 30, 'mdcd');
	return {
		ctl, said,
		/** What the configuration lacks, if anything; all could be read. */
		preflight: () => ctlEnding([0, 2], 'preflight'),
		/** What it knows of one machine or subscription, by name. */
		facts(name) {
			const all = {};
			for (const fact of ctl('explain', name).facts)
				all[fact.name] = fact.value;
			return all;
		},
		items: (...args) => ctl('list', '--limit', '1000', ...args).items,
		/** Until a fact has that value: it observes anew, and Resource Graph lags. */
		async sees(name, fact, value) {
			ctl('reconcile');
			await until(() => this.facts(name)[fact] === value, 30, `${name}: ${fact} = ${value}`);
		},
		async stop() {
			child.kill('SIGTERM');
			return ended;
		},
	};
}

const types = ['subscriptions', 'resourceGroups', 'machines', 'extensions', 'pricings', 'settings', 'mdeOnboardings',
	'autoProvisioningSettings', 'serverVulnerabilityAssessmentsSettings', 'managementGroups', 'locations',
	'operationstatus', 'operationresults', 'providers'];
const named = new RegExp(`/(${types.join('|')})/([^/]+)`, 'gi');

/** "GET subscriptions/{}/providers/…" with names replaced: what was done, whoever it was done to. */
export function operationOf(pair) {
	const url = new URL(pair.liveRequest.url);
	const path = url.pathname.replace(/\/+/g, '/').replace(named, (whole, type, name) =>
		type.toLowerCase() === 'providers' && name.includes('.') ? whole : `/${type.toLowerCase()}/{}`);
	return `${pair.liveRequest.method} ${path}`;
}

/** How many different operations, and how many requests. */
export function tally(pairs) {
	return { operations: new Set(pairs.map(operationOf)).size, requests: pairs.length };
}

export const isDaemon = (pair) => /^mdcd\//.test(pair.liveRequest.headers['User-Agent'] ?? '');
