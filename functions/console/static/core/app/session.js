/** Signing in: an authorization code with PKCE at the deployment's OpenID provider, and the tokens it gave. */

import { MillraceError, Refused, Unreachable } from "../../millrace.js";

const TOKENS = "millrace.tokens";
const SIGN_IN = "millrace.sign-in";
const SIGNED_IN_BEFORE = "millrace.signed-in-before";
/** How long before its end a token is replaced, in milliseconds. */
const EARLY = 30_000;

/** @typedef {{ issuer: string, clientId: string }} Provider */
/** @typedef {{ access: string, refresh: string | null, id: string | null, until: number }} Tokens */

export class Session {
  #provider;
  /** @type {Tokens | null} */
  #tokens;
  /** @type {Promise<Tokens> | null} */
  #refreshing = null;
  /** @type {Promise<Record<string, string>> | null} */
  #discovered = null;

  /** @param {Provider} provider */
  constructor(provider) {
    this.#provider = provider;
    this.#tokens = JSON.parse(sessionStorage.getItem(TOKENS) ?? "null");
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  /** Whether this browser has been signed in, so that a new tab may go straight to the provider. */
  get before() {
    return localStorage.getItem(SIGNED_IN_BEFORE) !== null;
  }

  /** The user as the tokens name them. */
  get user() {
    const { id = null, access = null } = this.#tokens ?? {};
    const claims = { ...claimsOf(access), ...claimsOf(id) };
    return String(claims["name"] ?? claims["email"] ?? claims["cognito:username"] ?? claims["sub"] ?? "");
  }

  /**
   * A token that is good for a while; a refused one is replaced. Raises Refused when there is none to be had.
   * @param {string} [stale]
   * @returns {Promise<string>}
   */
  async token(stale) {
    const tokens = this.#tokens;
    if (tokens === null) throw signedOut();
    if (tokens.access !== stale && Date.now() < tokens.until - EARLY) return tokens.access;
    if (tokens.refresh === null) return this.#forget();
    this.#refreshing ??= this.#redeem({ grant_type: "refresh_token", refresh_token: tokens.refresh }).finally(() => {
      this.#refreshing = null;
    });
    try {
      return (await this.#refreshing).access;
    } catch (error) {
      if (error instanceof Refused) return this.#forget();
      throw error;
    }
  }

  /**
   * Leaves for the provider's sign-in, which leads back to `to`.
   * @param {string} to path of a page
   * @param {{ again?: boolean }} [how] `again`: as somebody else, perhaps
   */
  async signIn(to, { again = false } = {}) {
    const { authorization_endpoint: endpoint = "" } = await this.#discover();
    const state = random();
    const verifier = random();
    const nonce = random();
    sessionStorage.setItem(SIGN_IN, JSON.stringify({ state, verifier, nonce, to }));
    const address = new URL(endpoint);
    const wish = {
      ...{ response_type: "code", client_id: this.#provider.clientId, redirect_uri: BACK(), scope: "openid" },
      ...{ state, nonce, code_challenge: await challengeOf(verifier), code_challenge_method: "S256" },
      ...(again && { prompt: "login" }),
    };
    for (const [name, value] of Object.entries(wish)) address.searchParams.set(name, value);
    location.assign(address);
  }

  /**
   * Redeems what the provider sent back with the user. Answers the page that they wanted.
   * @param {URLSearchParams} query
   * @returns {Promise<string>}
   */
  async comeBack(query) {
    const begun = JSON.parse(sessionStorage.getItem(SIGN_IN) ?? "null");
    sessionStorage.removeItem(SIGN_IN);
    const error = query.get("error");
    if (error !== null) throw new MillraceError(query.get("error_description") ?? error);
    if (begun === null || begun.state !== query.get("state")) {
      throw new MillraceError("This sign-in was not begun in this tab, or was used already.");
    }
    const tokens = await this.#redeem({
      ...{ grant_type: "authorization_code", code: query.get("code") ?? "" },
      ...{ redirect_uri: BACK(), code_verifier: begun.verifier },
    });
    const { nonce } = claimsOf(tokens.id);
    if (nonce !== undefined && nonce !== begun.nonce) {
      this.#keep(null);
      throw new MillraceError("The provider’s answer belongs to another sign-in.");
    }
    localStorage.setItem(SIGNED_IN_BEFORE, "yes");
    return begun.to;
  }

  /** Forgets the tokens, and ends the provider's session where it can be ended. */
  async signOut() {
    const { id = null } = this.#tokens ?? {};
    this.#keep(null);
    localStorage.removeItem(SIGNED_IN_BEFORE);
    const { end_session_endpoint: endpoint } = await this.#discover().catch(() => ({ end_session_endpoint: undefined }));
    if (endpoint === undefined) return location.assign("/");
    const address = new URL(endpoint);
    const home = `${location.origin}/`;
    // OpenID Connect's own names, and Cognito's for the same.
    const wish = { client_id: this.#provider.clientId, post_logout_redirect_uri: home, logout_uri: home };
    for (const [name, value] of Object.entries(wish)) address.searchParams.set(name, value);
    if (id !== null) address.searchParams.set("id_token_hint", id);
    location.assign(address);
  }

  /**
   * @param {Record<string, string>} form
   * @returns {Promise<Tokens>}
   */
  async #redeem(form) {
    const { token_endpoint: endpoint = "" } = await this.#discover();
    const body = new URLSearchParams({ ...form, client_id: this.#provider.clientId });
    const response = await fetch(endpoint, { method: "POST", body, credentials: "omit" }).catch(unreachable);
    const answer = await response.json().catch(() => ({}));
    if (response.status >= 500) throw new Unreachable("The sign-in service is in trouble.", { status: response.status });
    if (!response.ok) throw signedOut(answer.error_description);
    const tokens = {
      access: String(answer.access_token),
      refresh: answer.refresh_token ?? form["refresh_token"] ?? null,
      id: answer.id_token ?? null,
      until: Date.now() + 1000 * Number(answer.expires_in ?? 300),
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
  #forget() {
    this.#keep(null);
    throw signedOut();
  }

  /** @returns {Promise<Record<string, string>>} */
  #discover() {
    const address = `${this.#provider.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    this.#discovered ??= fetch(address, { credentials: "omit" })
      .catch(unreachable)
      .then((response) => (response.ok ? response.json() : unreachable(response.status)));
    this.#discovered.catch(() => (this.#discovered = null));
    return this.#discovered;
  }
}

const BACK = () => `${location.origin}/console/signed-in`;

/**
 * @param {unknown} cause
 * @returns {never}
 */
function unreachable(cause) {
  throw new Unreachable("The sign-in service cannot be reached.", { cause });
}

/** @param {string} [why] */
function signedOut(why = "Sign in to go on.") {
  const details = { fields: [], jobId: null, retryAfterSeconds: null };
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
 * The claims of a token, for showing: who reads them here has not checked its signature.
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
