/** What every page is given. */

/** @import { Millrace } from "../../millrace.js" */
/** @import { Session } from "./session.js" */

/**
 * The deployment's own configuration, from `/console/config.json`.
 * @typedef {{ issuer: string, clientId: string, streamUrl: string, defaultModel: string, models: string[] }} ConsoleConfig
 */
/**
 * @typedef {object} App
 * @property {Millrace} millrace
 * @property {Session} session
 * @property {ConsoleConfig} config
 * @property {() => void} signIn leaves for the provider's sign-in, and comes back to this page
 * @property {(text: string) => void} announce says it to whoever cannot see it
 * @property {(address: string, how?: { replace?: boolean }) => void} go
 * @property {(query: URLSearchParams) => void} setQuery
 * @property {(title: string) => void} setTitle
 */

export {};
