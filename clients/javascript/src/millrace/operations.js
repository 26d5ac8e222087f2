/**
 * The operations of the API about jobs, ideations, agents and the user's data, each as a function that takes a client. A
 * bundle contains only the functions that are imported. `options.signal` aborts the request: the promise is then rejected
 * with the signal's reason.
 */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */
/** @import { InputOf } from "./view.js" */

import { create } from "./calls.js";

/** @typedef {{ signal?: AbortSignal | undefined }} Abortable */
/** @typedef {{ limit?: number, cursor?: string | null } & Abortable} Page */
/** @typedef {{ pipeline?: string, status?: string, search?: string, sessionId?: string, runId?: string, projectId?: string, archived?: boolean, month?: string } & Page} JobFilter */
/** @typedef {{ idempotencyKey?: string, links?: Api.JobLinksRequest } & Abortable} CreateOptions */

// ---- jobs --------------------------------------------------------------------------------------------------------------

/**
 * Create a job. If a response is lost, the request is sent again with the same idempotency key and returns the same job.
 * @template {string} P
 * @param {Calls} client
 * @param {P} pipeline
 * @param {InputOf<P>} input
 * @param {CreateOptions} [options]
 * @returns {Promise<Api.JobAccepted>}
 */
export function createJob(client, pipeline, input, { links, ...options } = {}) {
  return create(client, "/jobs", { pipeline, input, ...(links && { links }) }, options);
}

/**
 * Return the job with its text so far, its items, and its result if it is complete.
 * @param {Calls} client
 * @param {string} jobId
 * @param {{ stackTrace?: boolean } & Abortable} [options]
 * @returns {Promise<Api.JobDetail>}
 */
export function getJob(client, jobId, { stackTrace = false, signal } = {}) {
  const query = { include: stackTrace ? "stackTrace" : null };
  return client.call("GET", path("jobs", jobId), { query, repeatable: true, signal });
}

/**
 * Return one page of the user's jobs, newest first. With `archived: true`, return jobs from the archive, in the order of
 * their creation: those of a `month` such as "2026-11", or those of a session, run or project.
 * @param {Calls} client
 * @param {JobFilter} [filter]
 * @returns {Promise<Api.JobList>}
 */
export function listJobs(client, { archived = false, signal, ...filter } = {}) {
  return client.call("GET", "/jobs", { query: { ...filter, archived: archived ? "true" : null }, repeatable: true, signal });
}

/**
 * Cancel a job that has not ended.
 * @param {Calls} client
 * @param {string} jobId
 * @param {Abortable} [options]
 * @returns {Promise<Api.JobSummary>}
 */
export function cancelJob(client, jobId, { signal } = {}) {
  return client.call("POST", path("jobs", jobId, "cancel"), { repeatable: true, signal });
}

/**
 * Resume a failed or cancelled job from its last checkpoint.
 * @param {Calls} client
 * @param {string} jobId
 * @param {Abortable} [options]
 * @returns {Promise<Api.JobSummary>}
 */
export function resumeJob(client, jobId, { signal } = {}) {
  return client.call("POST", path("jobs", jobId, "resume"), { signal });
}

/**
 * Delete a job with everything that is stored for it. If it is live, it is cancelled first.
 * @param {Calls} client
 * @param {string} jobId
 * @param {Abortable} [options]
 * @returns {Promise<Api.JobDeleted>}
 */
export function deleteJob(client, jobId, { signal } = {}) {
  return client.call("DELETE", path("jobs", jobId), { repeatable: true, signal });
}

/**
 * Create a ticket for the job's stream, for a client that cannot send an Authorization header.
 * @param {Calls} client
 * @param {string} jobId
 * @param {Abortable} [options]
 * @returns {Promise<Api.StreamTicket>}
 */
export function createStreamTicket(client, jobId, { signal } = {}) {
  return client.call("POST", path("jobs", jobId, "stream-tickets"), { repeatable: true, signal });
}

/**
 * Create a ticket that opens one connection of the channel, for a client that cannot send an Authorization header.
 * @param {Calls} client
 * @param {string} tab names the tab: its next connection replaces this one
 * @param {Abortable} [options]
 * @returns {Promise<Api.CreatedTicket>}
 */
export function createConnectionTicket(client, tab, { signal } = {}) {
  return client.call("POST", "/connection-tickets", { body: { tab }, repeatable: true, signal });
}

// ---- ideations ---------------------------------------------------------------------------------------------------------

/**
 * Create a brainstorming run and its job.
 * @param {Calls} client
 * @param {Api.NewIdeation} parameters
 * @param {Omit<CreateOptions, "links">} [options]
 * @returns {Promise<Api.RunAccepted>}
 */
export function createIdeation(client, parameters, options = {}) {
  return create(client, "/ideations", parameters, options);
}

/**
 * Return one page of the user's runs, newest first.
 * @param {Calls} client
 * @param {{ status?: string } & Page} [filter]
 * @returns {Promise<Api.RunList>}
 */
export function listIdeations(client, { signal, ...filter } = {}) {
  return client.call("GET", "/ideations", { query: filter, repeatable: true, signal });
}

/**
 * Return the run with its ideas.
 * @param {Calls} client
 * @param {string} runId
 * @param {Abortable} [options]
 * @returns {Promise<Api.RunDetail>}
 */
export function getIdeation(client, runId, { signal } = {}) {
  return client.call("GET", path("ideations", runId), { repeatable: true, signal });
}

/**
 * Return the run's active transform and its job; both are null if no transform is active.
 * @param {Calls} client
 * @param {string} runId
 * @param {Abortable} [options]
 * @returns {Promise<Api.ActiveJob>}
 */
export function getActiveJob(client, runId, { signal } = {}) {
  return client.call("GET", path("ideations", runId, "active-job"), { repeatable: true, signal });
}

/**
 * Return the run's transforms and artefacts.
 * @param {Calls} client
 * @param {string} runId
 * @param {Abortable} [options]
 * @returns {Promise<Api.LineageDetail>}
 */
export function getLineage(client, runId, { signal } = {}) {
  return client.call("GET", path("ideations", runId, "lineage"), { repeatable: true, signal });
}

/**
 * Delete the run. Its active job, if there is one, is cancelled first.
 * @param {Calls} client
 * @param {string} runId
 * @param {Abortable} [options]
 * @returns {Promise<Api.RunDeleted>}
 */
export function deleteIdeation(client, runId, { signal } = {}) {
  return client.call("DELETE", path("ideations", runId), { signal });
}

// ---- agents ------------------------------------------------------------------------------------------------------------

/**
 * Create an agent.
 * @param {Calls} client
 * @param {Api.NewAgent} agent
 * @param {Abortable} [options]
 * @returns {Promise<Api.AgentDetail>}
 */
export function createAgent(client, agent, { signal } = {}) {
  return client.call("POST", "/agents", { body: agent, signal });
}

/**
 * Return one page of the user's agents, newest first.
 * @param {Calls} client
 * @param {Page} [page]
 * @returns {Promise<Api.AgentList>}
 */
export function listAgents(client, { signal, ...page } = {}) {
  return client.call("GET", "/agents", { query: page, repeatable: true, signal });
}

/**
 * Return a version of an agent.
 * @param {Calls} client
 * @param {string} agentId
 * @param {{ version?: number } & Abortable} [options] the latest version by default
 * @returns {Promise<Api.AgentDetail>}
 */
export function getAgent(client, agentId, { signal, ...at } = {}) {
  return client.call("GET", path("agents", agentId), { query: at, repeatable: true, signal });
}

/**
 * Create the agent's next version. If `change` has a `version`, it must be the current one: this detects a change that was
 * made in the meantime.
 * @param {Calls} client
 * @param {string} agentId
 * @param {Api.AgentChanges} change
 * @param {Abortable} [options]
 * @returns {Promise<Api.AgentDetail>}
 */
export function changeAgent(client, agentId, change, { signal } = {}) {
  return client.call("PATCH", path("agents", agentId), { body: change, signal });
}

/**
 * Delete the agent. Jobs that use it continue.
 * @param {Calls} client
 * @param {string} agentId
 * @param {Abortable} [options]
 * @returns {Promise<Api.AgentDeleted>}
 */
export function deleteAgent(client, agentId, { signal } = {}) {
  return client.call("DELETE", path("agents", agentId), { signal });
}

// ---- the user's data ---------------------------------------------------------------------------------------------------

/**
 * Erase everything that is stored of the user. It cannot be undone. While an erasure runs, a repeat returns that one.
 * @param {Calls} client
 * @param {Abortable} [options]
 * @returns {Promise<Api.ErasureDetail>}
 */
export function eraseData(client, { signal } = {}) {
  return client.call("DELETE", "/me/data", { query: { confirm: "erase" }, repeatable: true, signal });
}

/**
 * Return the report of an erasure.
 * @param {Calls} client
 * @param {string} erasureId
 * @param {Abortable} [options]
 * @returns {Promise<Api.ErasureDetail>}
 */
export function getErasure(client, erasureId, { signal } = {}) {
  return client.call("GET", path("me", "data", "erasures", erasureId), { repeatable: true, signal });
}

/** @param {string[]} parts */
function path(...parts) {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
