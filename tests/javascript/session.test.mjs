/** Signing in: the requests to the provider, and the checks of its responses. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";

import { Session } from "../../functions/console/static/core/app/session.js";

const ISSUER = "https://issuer.example/pool";
const DISCOVERY = {
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/oauth2/token`,
  end_session_endpoint: `${ISSUER}/logout`,
};
const real = { fetch: globalThis.fetch };
let requests;
let responses;
let visited;

function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    kept,
  };
}

beforeEach(() => {
  requests = [];
  responses = [];
  visited = [];
  globalThis.sessionStorage = storage();
  globalThis.localStorage = storage();
  globalThis.location = { origin: "https://app.example", assign: (to) => void visited.push(new URL(to, "https://app.example")) };
  globalThis.fetch = async (url, request) => {
    if (String(url).endsWith("openid-configuration")) return Response.json(DISCOVERY);
    requests.push(Object.fromEntries(request.body));
    const response = responses.shift();
    if (response === undefined) throw new Error("the test expects no request");
    return response instanceof Response ? response : Response.json(response);
  };
});

afterEach(() => void (globalThis.fetch = real.fetch));

const token = (claims) => `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
const tokens = (claims = {}, more = {}) => ({
  ...{ access_token: token({ sub: "alice" }), id_token: token({ sub: "alice", ...claims }), expires_in: 3600 },
  ...{ refresh_token: "refresh-1", ...more },
});
const session = () => new Session({ issuer: ISSUER, clientId: "client-1" });

/** A session that has started to sign in, and the parameters of its request. */
async function started(to = "/console/jobs/job_1") {
  const signingIn = session();
  await signingIn.signIn(to);
  return { signingIn, parameters: visited.at(-1).searchParams };
}

async function signedIn(more = {}) {
  const { signingIn, parameters } = await started();
  responses.push(tokens({ nonce: parameters.get("nonce") }, more));
  await signingIn.finishSignIn(new URLSearchParams({ code: "code-1", state: parameters.get("state") }));
  return signingIn;
}

test("the provider returns a code that only this tab can redeem, and the browser returns to the requested page", async () => {
  const { signingIn, parameters } = await started();
  assert.equal(visited[0].origin + visited[0].pathname, DISCOVERY.authorization_endpoint);
  assert.deepEqual(
    ["response_type", "client_id", "redirect_uri", "code_challenge_method"].map((name) => parameters.get(name)),
    ["code", "client-1", "https://app.example/console/signed-in", "S256"],
  );

  responses.push(tokens({ nonce: parameters.get("nonce"), name: "Alice Á." }));
  const to = await signingIn.finishSignIn(new URLSearchParams({ code: "code-1", state: parameters.get("state") }));

  assert.equal(to, "/console/jobs/job_1");
  assert.equal(requests[0].code, "code-1");
  const challenge = createHash("sha256").update(requests[0].code_verifier).digest("base64url");
  assert.equal(parameters.get("code_challenge"), challenge);
  assert.equal(signingIn.user, "Alice Á.");
  assert.equal(await signingIn.token(), token({ sub: "alice" }));
});

test("no token is stored where other tabs or a later visit can read it", async () => {
  await signedIn();
  assert.equal([...globalThis.localStorage.kept.values()].join().includes("head."), false);
  assert.ok(session().signedIn, "a reload of this tab");
});

test("a response to a sign-in of another tab is rejected without a request", async () => {
  const { signingIn } = await started();
  await assert.rejects(signingIn.finishSignIn(new URLSearchParams({ code: "code-1", state: "forged" })), /not started in this tab/);
  await assert.rejects(session().finishSignIn(new URLSearchParams({ code: "c", state: "s" })), /not started in this tab/);
  assert.deepEqual([requests.length, signingIn.signedIn], [0, false]);
});

test("a token for another sign-in is discarded", async () => {
  const { signingIn, parameters } = await started();
  responses.push(tokens({ nonce: "another" }));
  await assert.rejects(signingIn.finishSignIn(new URLSearchParams({ code: "c", state: parameters.get("state") })), /another sign-in/);
  assert.equal(session().signedIn, false);
});

test("an ID token without the nonce of this sign-in is discarded, and so is a response without an ID token", async () => {
  for (const claims of [{}, null]) {
    const { signingIn, parameters } = await started();
    responses.push(tokens(claims ?? {}, claims ? {} : { id_token: undefined }));
    await assert.rejects(signingIn.finishSignIn(new URLSearchParams({ code: "c", state: parameters.get("state") })), /another sign-in/);
    assert.equal(session().signedIn, false);
  }
});

test("a refusal of the provider is explained in our words, never in those of the address", async () => {
  for (const [error, shown] of [["access_denied", /was cancelled/], ["call +1 555", /refused the sign-in/]]) {
    const { signingIn, parameters } = await started();
    const refusal = new URLSearchParams({ error, error_description: "Call +1 555", state: parameters.get("state") });
    await assert.rejects(signingIn.finishSignIn(refusal), (problem) => shown.test(problem.message) && !/555/.test(problem.message));
  }
});

test("a refusal that was not asked for in this tab is not explained at all", async () => {
  await assert.rejects(session().finishSignIn(new URLSearchParams({ error: "access_denied" })), /not started in this tab/);
});

test("a token that expires soon is refreshed, once for all concurrent callers", async () => {
  const current = await signedIn({ expires_in: 10 });
  responses.push(tokens({}, { access_token: "second", refresh_token: undefined }));

  assert.deepEqual(await Promise.all([current.token(), current.token(), current.token()]), ["second", "second", "second"]);
  assert.equal(requests.length, 2);
  assert.deepEqual([requests[1].grant_type, requests[1].refresh_token], ["refresh_token", "refresh-1"]);
  assert.equal(await current.token(), "second");
});

test("a token that the API has refused is refreshed although it has not expired", async () => {
  const current = await signedIn();
  responses.push(tokens({}, { access_token: "second" }));
  assert.equal(await current.token(await current.token()), "second");
});

test("a refused refresh signs the user out, a network fault does not", async () => {
  const current = await signedIn();
  responses.push(new Response("", { status: 503 }));
  await assert.rejects(current.token(await current.token()), { name: "Unreachable" });
  assert.ok(current.signedIn);

  responses.push(Response.json({ error: "invalid_grant" }, { status: 400 }));
  await assert.rejects(current.token(await current.token()), { name: "Refused", status: 401 });
  assert.equal(current.signedIn, false);
  await assert.rejects(current.token(), { name: "Refused", code: "UNAUTHENTICATED" });
});

test("a response of the provider that is not valid leaves the user signed in", async () => {
  const current = await signedIn();
  const page = (status) => new Response("<!doctype html>", { status, headers: { "content-type": "text/html" } });
  const limited = Response.json({ error: "slow_down" }, { status: 429 });
  for (const nonsense of [page(200), page(404), page(403), Response.json(null), Response.json({}), Response.json([]), limited]) {
    responses.push(nonsense);
    await assert.rejects(current.token(await current.token()), { name: "Unreachable" });
    assert.ok(current.signedIn);
  }
});

test("a discovery document that is none is a fault of the provider", async () => {
  for (const nonsense of [new Response("<!doctype html>"), Response.json(null), Response.json({ token_endpoint: "/token" })]) {
    globalThis.fetch = async () => nonsense;
    await assert.rejects(session().signIn("/"), { name: "Unreachable" });
    assert.equal(visited.length, 0);
  }
});

test("signing out deletes the tokens and ends the provider's session, with OpenID Connect's and Cognito's parameters", async () => {
  const current = await signedIn();
  await current.signOut();

  assert.equal(session().signedIn, false);
  assert.equal(current.signedInBefore, false);
  const to = visited.at(-1);
  assert.equal(to.origin + to.pathname, DISCOVERY.end_session_endpoint);
  for (const name of ["post_logout_redirect_uri", "logout_uri"]) assert.equal(to.searchParams.get(name), "https://app.example/");
  assert.equal(to.searchParams.get("client_id"), "client-1");
});
