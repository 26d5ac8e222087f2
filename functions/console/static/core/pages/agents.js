/** The user's own agents: instructions and settings that a job can be given. */

/** @import { AgentDetail } from "../../../../../docs/api/types" */
/** @import { App } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { fill, h } from "../app/dom.js";
import { confirmed } from "../parts/confirm_dialog.js";
import { factList, timeOf } from "../parts/facts.js";
import { numberField, selectField, textField } from "../parts/fields.js";
import { form } from "../parts/form.js";
import { pagesOf } from "../parts/paged_list.js";
import { errorCard } from "../parts/problem_card.js";

const PAGE = 20;
const MOST_TOKENS = 100_000;

/**
 * @param {App} app
 * @returns {Page}
 */
export function agentsPage(app) {
  const body = h("tbody", {});
  const head = ["Agent", "Model", "Version", "Changed"].map((name) => h("th", { scope: "col" }, name));
  const agents = pagesOf({
    fetch: async (cursor) => {
      const page = await app.millrace.listAgents({ limit: PAGE, cursor });
      return { items: page.agents, cursor: page.cursor };
    },
    row: ({ agentId, name, model, version, updatedAt }) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `/console/agents/${agentId}` }, name), h("span", { class: "id" }, agentId)),
      h("td", { "data-label": "Model" }, model ?? "default"),
      h("td", { "data-label": "Version", class: "figure" }, version),
      h("td", { "data-label": "Changed" }, timeOf(updatedAt))),
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "unseen" }, "Agents, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No agents yet. ", h("a", { href: "/console/agents/new" }, "Make one")),
    signIn: app.signIn,
  });
  void agents.reload();
  return {
    title: "Agents",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Agents"), h("a", { class: "button main", href: "/console/agents/new" }, "New agent")),
      h("p", { class: "lead" }, "An agent adds its instructions and settings to what a pipeline tells the model."), agents.element),
  };
}

/**
 * @param {App} app
 * @returns {Page}
 */
export function newAgentPage(app) {
  return {
    title: "New agent",
    element: h("div", { class: "narrow" }, h("p", { class: "crumbs" }, h("a", { href: "/console/agents" }, "Agents")), h("h1", {}, "New agent"),
      agentForm(app, null, async (fields) => {
        const { agentId } = await app.millrace.createAgent(fields);
        app.go(`/console/agents/${agentId}`);
      })),
  };
}

/**
 * @param {App} app
 * @param {string} agentId
 * @returns {Page}
 */
export function agentPage(app, agentId) {
  const element = h("div", { class: "narrow" }, h("h1", {}, "Agent"), h("p", { class: "lead" }, "Loading …"));
  const load = async () => {
    try {
      showAgent(app, await app.millrace.getAgent(agentId), element);
    } catch (error) {
      fill(element, h("h1", {}, "Agent"), errorCard(error, { signIn: app.signIn, again: load }));
    }
  };
  void load();
  return { title: "Agent", element };
}

/**
 * @param {App} app
 * @param {AgentDetail} agent
 * @param {HTMLElement} element
 */
function showAgent(app, agent, element) {
  const { agentId, name, version } = agent;
  app.setTitle(name);
  const remove = confirmed({
    ...{ label: "Delete", question: "Delete this agent?", yes: "Delete it", signIn: app.signIn },
    text: `“${name}” can then not be given to new jobs. Jobs that have it go on.`,
    act: async () => {
      await app.millrace.deleteAgent(agentId);
      app.go("/console/agents");
    },
  });
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/agents" }, "Agents")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, name), h("p", { class: "actions" }, remove)),
    factList([["Version", version], ["Changed", timeOf(agent.updatedAt)], ["Id", h("span", { class: "id" }, agentId)]]),
    agentForm(app, agent, async (fields) => {
      const changed = await app.millrace.changeAgent(agentId, { ...fields, version });
      app.announce(`Saved as version ${changed.version}`);
      showAgent(app, changed, element);
      element.querySelector("h1")?.focus();
    }));
}

/** @typedef {Pick<AgentDetail, "name" | "instructions" | "model" | "temperature" | "maxOutputTokens">} AgentFields */

/**
 * @param {App} app
 * @param {AgentDetail | null} agent null for a new one
 * @param {(fields: AgentFields) => Promise<void>} save
 */
function agentForm({ config, signIn }, agent, save) {
  const name = textField({ name: "name", label: "Name", required: true, max: 100, hint: "For you to know it by.", value: agent?.name ?? "" });
  const instructions = textField({
    ...{ name: "instructions", label: "Instructions", required: true, max: 8000, lines: 8 },
    ...{ hint: "Added to what the pipeline tells the model, which goes first.", value: agent?.instructions ?? "" },
  });
  const model = selectField({
    ...{ name: "model", label: "Model", value: agent?.model ?? "" },
    choices: [["", `Default (${config.defaultModel})`], ...config.models.map((each) => /** @type {[string, string]} */ ([each, each]))],
  });
  const temperature = numberField({
    ...{ name: "temperature", label: "Temperature", hint: "From 0 (steady) to 2 (wild). Empty leaves it to the provider." },
    ...{ least: 0, most: 2, step: "any", value: String(agent?.temperature ?? "") },
  });
  const tokens = numberField({
    ...{ name: "maxOutputTokens", label: "Most tokens of one answer", hint: `From 1 to ${MOST_TOKENS}. An answer that is cut off fails.` },
    ...{ least: 1, most: MOST_TOKENS, value: String(agent?.maxOutputTokens ?? "") },
  });
  return form({
    fields: [name, instructions, model, temperature, tokens],
    content: [name.element, instructions.element, model.element, temperature.element, tokens.element],
    submit: agent === null ? "Make the agent" : "Save as the next version",
    busy: "Saving …",
    signIn,
    send: () => save({
      ...{ name: name.value() ?? "", instructions: instructions.value() ?? "", model: model.value() || null },
      ...{ temperature: temperature.value(), maxOutputTokens: tokens.value() },
    }),
  });
}
