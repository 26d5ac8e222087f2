/** Signs the user in with an authorization code and PKCE at the deployment's OpenID provider, and keeps the tokens. */

import { MillraceError, Refused, Unreachable } from "../../millrace/errors.js";

const TOKENS = "millrace.tokens";
const SIGN_IN = "millrace.sign-in";
/** What the error codes of RFC 6749 and OpenID Connect mean for a person. */
const REFUSED = /** @type {Record<string, string>} */ ({
  access_denied: "The sign-in was cancelled, or the sign-in service does not allow it.",
  login_required: "The sign-in service asks you to sign in again.",
  temporarily_unavailable: "The sign-in service is busy. Try again.",
  server_error: "The sign-in service failed. Try again.",
});
/** The statuses with which a provider refuses a code or a refresh token: RFC 6749, section 5.2, and 403 of some. */
const REFUSALS = [400, 401, 403];
const SIGNED_IN_BEFORE = "millrace.signed-in-before";
/** How long before it expires a token is refreshed, in milliseconds. */
const REFRESH_EARLY = 30_000;

/** @typedef {{ issuer: string, clientId: string }} Provider */
/** @typedef {{ access: string, refresh: string | null, id: string | null, expiresAt: number }} Tokens `expiresAt` in milliseconds since 1970 */

export class Session {
  #provider;
  /** @type {Tokens | null} */
  #tokens;
  /** @type {Promise<Tokens> | null} */
  #refreshing = null;
  /** @type {Promise<Record<string, string>> | null} */
  #discovered = null;

  /** @param {Provider | Promise<Provider>} provider */
  constructor(provider) {
    this.#provider = provider;
    this.#tokens = JSON.parse(sessionStorage.getItem(TOKENS) ?? "null");
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  /** What a client of the API needs to send requests as this user. */
  get clientOptions() {
    return { api: location.origin, token: (/** @type {string | undefined} */ stale) => this.token(stale) };
  }

  /** Whether this browser was signed in before. If so, a new tab can go to the provider without asking. */
  get signedInBefore() {
    return localStorage.getItem(SIGNED_IN_BEFORE) !== null;
  }

  /** The user's name from the tokens. */
  get user() {
    const { id = null, access = null } = this.#tokens ?? {};
    const claims = { ...claimsOf(access), ...claimsOf(id) };
    return String(claims["name"] ?? claims["email"] ?? claims["cognito:username"] ?? claims["sub"] ?? "");
  }

  /**
   * Return an access token that is valid for a while, refreshed if necessary. Throws Refused if the user is signed out.
   * @param {string} [stale] a token that the API has refused
   * @returns {Promise<string>}
   */
  async token(stale) {
    const tokens = this.#tokens;
    if (tokens === null) throw signedOut();
    if (tokens.access !== stale && Date.now() < tokens.expiresAt - REFRESH_EARLY) return tokens.access;
    if (tokens.refresh === null) return this.#expire();
    this.#refreshing ??= this.#requestTokens({ grant_type: "refresh_token", refresh_token: tokens.refresh }).finally(() => {
      this.#refreshing = null;
    });
    try {
      return (await this.#refreshing).access;
    } catch (error) {
      if (error instanceof Refused) return this.#expire();
      throw error;
    }
  }

  /**
   * Go to the provider's sign-in page. After the sign-in, the browser returns to `to`.
   * @param {string} to path of a page
   * @param {{ again?: boolean }} [how] `again`: ask for credentials even if the provider has a session
   */
  async signIn(to, { again = false } = {}) {
    const endpoint = endpointOf(await this.#discover(), "authorization_endpoint");
    const state = random();
    const verifier = random();
    const nonce = random();
    sessionStorage.setItem(SIGN_IN, JSON.stringify({ state, verifier, nonce, to }));
    const address = new URL(endpoint);
    const parameters = {
      ...{ response_type: "code", client_id: (await this.#provider).clientId, redirect_uri: redirectUri(), scope: "openid" },
      ...{ state, nonce, code_challenge: await challengeOf(verifier), code_challenge_method: "S256" },
      ...(again && { prompt: "login" }),
    };
    for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
    location.assign(address);
  }

  /**
   * Exchange the provider's authorization code for tokens. Throws MillraceError if the code is not for this sign-in.
   * @param {URLSearchParams} query of the redirect
   * @returns {Promise<string>} the path of the page that `signIn` was called with
   */
  async finishSignIn(query) {
    const started = JSON.parse(sessionStorage.getItem(SIGN_IN) ?? "null");
    sessionStorage.removeItem(SIGN_IN);
    if (started === null || started.state !== query.get("state")) {
      throw new MillraceError("This sign-in was not started in this tab, or its code was used before. Sign in again.");
    }
    const error = query.get("error");
    // Never the description: any link can put text into the address of this page.
    if (error !== null) throw new MillraceError(REFUSED[error] ?? "The sign-in service refused the sign-in. Sign in again.");
    const tokens = await this.#requestTokens({
      ...{ grant_type: "authorization_code", code: query.get("code") ?? "" },
      ...{ redirect_uri: redirectUri(), code_verifier: started.verifier },
    });
    const { nonce } = claimsOf(tokens.id);
    if (nonce !== started.nonce) {
      this.#keep(null);
      throw new MillraceError("The provider’s response belongs to another sign-in. Sign in again.");
    }
    localStorage.setItem(SIGNED_IN_BEFORE, "yes");
    return started.to;
  }

  /** Delete the tokens, and end the provider's session if the provider has an endpoint for that. */
  async signOut() {
    const { id = null } = this.#tokens ?? {};
    this.#keep(null);
    localStorage.removeItem(SIGNED_IN_BEFORE);
    const { end_session_endpoint: endpoint } = await this.#discover().catch(() => ({ end_session_endpoint: undefined }));
    if (endpoint === undefined) return location.assign("/");
    const address = new URL(endpoint);
    const home = `${location.origin}/`;
    // `logout_uri` is Cognito's name for OpenID Connect's `post_logout_redirect_uri`.
    const parameters = { client_id: (await this.#provider).clientId, post_logout_redirect_uri: home, logout_uri: home };
    for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
    if (id !== null) address.searchParams.set("id_token_hint", id);
    location.assign(address);
  }

  /**
   * @param {Record<string, string>} form
   * @returns {Promise<Tokens>}
   */
  async #requestTokens(form) {
    const endpoint = endpointOf(await this.#discover(), "token_endpoint");
    const request = new URLSearchParams({ ...form, client_id: (await this.#provider).clientId });
    const response = await fetch(endpoint, { method: "POST", body: request, credentials: "omit" }).catch(unreachable);
    const body = (await response.json().catch(() => null)) ?? {};
    // Only a refusal with an error code ends the session; a page, or nothing, is a fault of the provider.
    if (REFUSALS.includes(response.status) && typeof body.error === "string") throw signedOut(body.error_description);
    if (!response.ok || typeof body.access_token !== "string") {
      throw new Unreachable("The sign-in service returned an error. Try again.", { status: response.status });
    }
    const tokens = {
      access: body.access_token,
      refresh: body.refresh_token ?? form["refresh_token"] ?? null,
      id: body.id_token ?? null,
      expiresAt: Date.now() + 1000 * Number(body.expires_in ?? 300),
    };
    this.#keep(tokens);
    return tokens;
  }

  /** @param {Tokens | null} tokens */
  #keep(tokens) {
    this.#tokens = tokens;
    if (tokens === null) sessionStorage.removeItem(TOKENS);
    else sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
  }

  /** @returns {never} */
  #expire() {
    this.#keep(null);
    throw signedOut();
  }

  /** @returns {Promise<Record<string, string>>} */
  #discover() {
    this.#discovered ??= Promise.resolve(this.#provider)
      .then(({ issuer }) => fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, { credentials: "omit" }))
      .then((response) => (response.ok ? response.json() : unreachable(response.status)))
      .catch(unreachable);
    this.#discovered.catch(() => (this.#discovered = null));
    return this.#discovered;
  }
}

function redirectUri() {
  return `${location.origin}/console/signed-in`;
}

/**
 * @param {unknown} cause
 * @returns {never}
 */
function unreachable(cause) {
  throw new Unreachable("The sign-in service cannot be reached. Try again.", { cause });
}

/**
 * @param {Record<string, unknown> | null} discovered
 * @param {string} name
 * @returns {string}
 */
function endpointOf(discovered, name) {
  const endpoint = discovered?.[name];
  if (typeof endpoint === "string" && URL.canParse(endpoint)) return endpoint;
  throw new Unreachable(`The sign-in service does not say where its ${name} is. Try again, or tell the operator.`);
}

/** @param {string} [why] */
function signedOut(why = "You are not signed in. Sign in to continue.") {
  const details = { fields: [], jobId: null, retryAfterSeconds: null, state: null, allowed: [], activeJobId: null };
  return new Refused(401, { code: "UNAUTHENTICATED", message: why, details, retryable: false });
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** @param {string} verifier */
async function challengeOf(verifier) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Return the claims of a token, for display only: its signature is not checked.
 * @param {string | null} token
 * @returns {Record<string, unknown>}
 */
function claimsOf(token) {
  try {
    const payload = (token ?? "").split(".")[1] ?? "";
    const bytes = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))));
  } catch {
    return {};
  }
}
