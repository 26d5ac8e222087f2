/** What the console gives to every page. */

/** @import { Millrace } from "../../millrace.js" */
/** @import { Applications } from "./applications.js" */
/** @import { Session } from "./session.js" */

/**
 * How long jobs are kept after their end, in seconds: completed ones, and failed or cancelled ones. `archiveDays`: how many
 * days they can be read afterwards; 0 if they are not archived.
 * @typedef {{ jobSeconds: number, failedJobSeconds: number, archiveDays: number }} Retention
 */
/**
 * The configuration of the deployment, from `/console/config.json`.
 * @typedef {object} ConsoleConfig
 * @property {string} issuer
 * @property {string} clientId
 * @property {string} streamUrl
 * @property {string} defaultModel
 * @property {string[]} models
 * @property {string | null} [awsConsole] the origin of AWS's console; null where the deployment is not on AWS
 * @property {Retention} retention
 * @property {boolean} scriptedModel whether a script answers instead of a model, so that no job costs anything
 */
/**
 * @typedef {object} Context
 * @property {Applications} applications
 * @property {Millrace} millrace
 * @property {Session} session
 * @property {ConsoleConfig} config
 * @property {() => void} signIn goes to the provider's sign-in, which leads back to this page
 * @property {(text: string) => void} announce gives the text to screen readers
 * @property {(text: string) => void} toast shows the text for some seconds, and gives it to screen readers
 * @property {(address: string, how?: { replace?: boolean }) => void} go
 * @property {(query: URLSearchParams) => void} setQuery
 * @property {(title: string) => void} setTitle
 */
/**
 * What the home page gets, and the pages that need no signed-in user. They do without the whole client, so that a first visit
 * does not wait for it.
 * @typedef {Omit<Context, "millrace">} PublicContext
 */

export {};
