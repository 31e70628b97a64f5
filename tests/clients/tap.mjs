// SPDX-License-Identifier: Apache-2.0
// tap: one test after another in the form that tests/run reads, and the counts that
// tests/clients/run shows at its end.
import { writeFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const counts = join(process.env.BUILD ?? 'build', 'clients', 'counts');
const told = [];
let number = 0;

/** True when it passed. */
export async function test(name, body) {
	number++;
	try {
		await body();
		console.log(`ok ${number} - ${name}`);
		return true;
	} catch (error) {
		const text = error.stack ?? String(error);
		console.log(`not ok ${number} - ${name}`);
		console.log(text.slice(0, 4000).replace(/^/gm, '# '));
		return false;
	}
}

export function skip(name, reason) {
	number++;
	console.log(`ok ${number} - ${name} # SKIP ${reason}`);
	tell(`skipped: ${reason}`);
}

/** For what everything after it needs. */
export async function needed(name, body) {
	if (await test(name, body))
		return;
	console.log(`Bail out! ${name}`);
	process.exit(1);
}

/** Nothing of this file can run here. */
export function skipAll(reason) {
	console.log(`1..0 # SKIP ${reason}`);
	tell(`skipped: ${reason}`);
	end();
	process.exit(0);
}

/** A line for the end of the whole run. */
export function tell(line) {
	told.push(line);
}

export function end() {
	const name = basename(process.argv[1], '.mjs').replace(/^test_/, '');
	mkdirSync(counts, { recursive: true });
	writeFileSync(join(counts, name), told.map((line) => `${name}: ${line}\n`).join(''));
	if (number > 0)
		console.log(`1..${number}`);
}
