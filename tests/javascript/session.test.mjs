/** Signing in: what is asked of the provider, and what of its answers is believed. */

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
let asked;
let answers;
let left;

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
  asked = [];
  answers = [];
  left = [];
  globalThis.sessionStorage = storage();
  globalThis.localStorage = storage();
  globalThis.location = { origin: "https://app.example", assign: (to) => void left.push(new URL(to, "https://app.example")) };
  globalThis.fetch = async (url, request) => {
    if (String(url).endsWith("openid-configuration")) return Response.json(DISCOVERY);
    asked.push(Object.fromEntries(request.body));
    const answer = answers.shift();
    if (answer === undefined) throw new Error("nobody expected this");
    return answer instanceof Response ? answer : Response.json(answer);
  };
});

afterEach(() => void (globalThis.fetch = real.fetch));

const token = (claims) => `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
const tokens = (claims = {}, more = {}) => ({
  ...{ access_token: token({ sub: "alice" }), id_token: token({ sub: "alice", ...claims }), expires_in: 3600 },
  ...{ refresh_token: "refresh-1", ...more },
});
const session = () => new Session({ issuer: ISSUER, clientId: "client-1" });

/** A session that has left to sign in, and what it has asked for. */
async function gone(to = "/console/jobs/job_1") {
  const begun = session();
  await begun.signIn(to);
  return { begun, wish: left.at(-1).searchParams };
}

async function signedIn(more = {}) {
  const { begun, wish } = await gone();
  answers.push(tokens({ nonce: wish.get("nonce") }, more));
  await begun.finishSignIn(new URLSearchParams({ code: "code-1", state: wish.get("state") }));
  return begun;
}

test("the provider is asked for a code that only this tab can redeem, and leads back to the page that was wanted", async () => {
  const { begun, wish } = await gone();
  assert.equal(left[0].origin + left[0].pathname, DISCOVERY.authorization_endpoint);
  assert.deepEqual(
    ["response_type", "client_id", "redirect_uri", "code_challenge_method"].map((name) => wish.get(name)),
    ["code", "client-1", "https://app.example/console/signed-in", "S256"],
  );

  answers.push(tokens({ nonce: wish.get("nonce"), name: "Alice Á." }));
  const to = await begun.finishSignIn(new URLSearchParams({ code: "code-1", state: wish.get("state") }));

  assert.equal(to, "/console/jobs/job_1");
  assert.equal(asked[0].code, "code-1");
  const challenge = createHash("sha256").update(asked[0].code_verifier).digest("base64url");
  assert.equal(wish.get("code_challenge"), challenge);
  assert.equal(begun.user, "Alice Á.");
  assert.equal(await begun.token(), token({ sub: "alice" }));
});

test("no token is kept where other tabs or a later visit would find it", async () => {
  await signedIn();
  assert.equal([...globalThis.localStorage.kept.values()].join().includes("head."), false);
  assert.ok(session().signedIn, "a reload of this tab");
});

test("an answer to another sign-in than this tab's is not believed, and not asked about", async () => {
  const { begun } = await gone();
  await assert.rejects(begun.finishSignIn(new URLSearchParams({ code: "code-1", state: "forged" })), /not started in this tab/);
  await assert.rejects(session().finishSignIn(new URLSearchParams({ code: "c", state: "s" })), /not started in this tab/);
  assert.deepEqual([asked.length, begun.signedIn], [0, false]);
});

test("a token that was made for another sign-in is thrown away", async () => {
  const { begun, wish } = await gone();
  answers.push(tokens({ nonce: "another" }));
  await assert.rejects(begun.finishSignIn(new URLSearchParams({ code: "c", state: wish.get("state") })), /another sign-in/);
  assert.equal(session().signedIn, false);
});

test("a refusal of the provider is told in its words", async () => {
  const { begun } = await gone();
  const refusal = new URLSearchParams({ error: "access_denied", error_description: "User is disabled" });
  await assert.rejects(begun.finishSignIn(refusal), /User is disabled/);
});

test("a token that ends soon is replaced, once for all who ask at the same time", async () => {
  const begun = await signedIn({ expires_in: 10 });
  answers.push(tokens({}, { access_token: "second", refresh_token: undefined }));

  assert.deepEqual(await Promise.all([begun.token(), begun.token(), begun.token()]), ["second", "second", "second"]);
  assert.equal(asked.length, 2);
  assert.deepEqual([asked[1].grant_type, asked[1].refresh_token], ["refresh_token", "refresh-1"]);
  assert.equal(await begun.token(), "second");
});

test("a token that the API has refused is replaced although it looked good", async () => {
  const begun = await signedIn();
  answers.push(tokens({}, { access_token: "second" }));
  assert.equal(await begun.token(await begun.token()), "second");
});

test("when it cannot be replaced the user is signed out, but a network that is away signs nobody out", async () => {
  const begun = await signedIn();
  answers.push(new Response("", { status: 503 }));
  await assert.rejects(begun.token(await begun.token()), { name: "Unreachable" });
  assert.ok(begun.signedIn);

  answers.push(Response.json({ error: "invalid_grant" }, { status: 400 }));
  await assert.rejects(begun.token(await begun.token()), { name: "Refused", status: 401 });
  assert.equal(begun.signedIn, false);
  await assert.rejects(begun.token(), { name: "Refused", code: "UNAUTHENTICATED" });
});

test("signing out forgets the tokens and ends the provider's session, in its own words and in Cognito's", async () => {
  const begun = await signedIn();
  await begun.signOut();

  assert.equal(session().signedIn, false);
  assert.equal(begun.signedInBefore, false);
  const to = left.at(-1);
  assert.equal(to.origin + to.pathname, DISCOVERY.end_session_endpoint);
  for (const name of ["post_logout_redirect_uri", "logout_uri"]) assert.equal(to.searchParams.get(name), "https://app.example/");
  assert.equal(to.searchParams.get("client_id"), "client-1");
});
