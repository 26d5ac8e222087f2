/**
 * Receive webhooks: verify each request, and handle each event once. Needs `npm install standardwebhooks`.
 *
 * WEBHOOK_SECRET=whsec_… node receive.mjs 9000
 */

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

/** The ids of the events that were handled. Keep them in your database. */
const seen = new Set();

/** Handle a request and return the status of the response. */
export function receive(secret, body, headers) {
  let event;
  try {
    event = new Webhook(secret).verify(body, headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return 400;
    throw error;
  }
  const id = headers["webhook-id"];
  if (!seen.has(id)) { // an event is sent again until it was answered
    seen.add(id);
    handle(event);
  }
  return 204;
}

/** Do what the event is for. */
function handle(event) {
  console.log(event.type, event.data);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.writeHead(receive(process.env.WEBHOOK_SECRET, Buffer.concat(parts).toString(), request.headers)).end();
  }).listen(Number(process.argv[2]), "127.0.0.1");
}
