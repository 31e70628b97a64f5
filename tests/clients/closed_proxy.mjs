// SPDX-License-Identifier: Apache-2.0
// closed_proxy ADDRESS_FILE REQUESTS_FILE: an HTTP proxy that lets nothing out. Clients that are to
// talk to nobody but azsim have it as their proxy; what they ask of it is written down.
import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [addressFile, requestsFile] = process.argv.slice(2);
const server = createServer((request, response) => {
	appendFileSync(requestsFile, `${request.method} ${request.url}\n`);
	response.writeHead(403, { Connection: 'close' }).end('nothing gets out\n');
});

server.on('connect', (request, socket) => {
	appendFileSync(requestsFile, `CONNECT ${request.url}\n`);
	socket.on('error', () => {});
	socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
});
server.listen(0, '127.0.0.1', () => {
	writeFileSync(requestsFile, '');
	writeFileSync(addressFile, `http://127.0.0.1:${server.address().port}`);
});
