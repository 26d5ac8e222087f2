/** What the console gives to every page. */

/** @import { Millrace } from "../../millrace.js" */
/** @import { Applications } from "./applications.js" */
/** @import { Session } from "./session.js" */

/**
 * The configuration of the deployment, from `/console/config.json`.
 * @typedef {{ issuer: string, clientId: string, streamUrl: string, defaultModel: string, models: string[] }} ConsoleConfig
 */
/**
 * @typedef {object} Context
 * @property {Applications} applications
 * @property {Millrace} millrace
 * @property {Session} session
 * @property {ConsoleConfig} config
 * @property {() => void} signIn goes to the provider's sign-in, which leads back to this page
 * @property {(text: string) => void} announce gives the text to screen readers
 * @property {(address: string, how?: { replace?: boolean }) => void} go
 * @property {(query: URLSearchParams) => void} setQuery
 * @property {(title: string) => void} setTitle
 */

export {};
