/** The user's agents: instructions and settings that a job can use. */

/** @import { AgentDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { fill, h } from "../app/dom.js";
import { confirmButton } from "../parts/confirm_dialog.js";
import { factList, timeOf } from "../parts/facts.js";
import { numberField, selectField, textField } from "../parts/fields.js";
import { form } from "../parts/form.js";
import { pagedList } from "../parts/paged_list.js";
import { errorCard } from "../parts/problem_card.js";

const PAGE = 20;
const MAX_TOKENS = 100_000;

/**
 * @param {Context} context
 * @returns {Page}
 */
export function agentsPage(context) {
  const body = h("tbody", {});
  const head = ["Agent", "Model", "Version", "Updated"].map((name) => h("th", { scope: "col" }, name));
  const agents = pagedList({
    fetch: async (cursor) => {
      const page = await context.millrace.listAgents({ limit: PAGE, cursor });
      return { items: page.agents, cursor: page.cursor };
    },
    row: ({ agentId, name, model, version, updatedAt }) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `/console/agents/${agentId}` }, name), h("span", { class: "id" }, agentId)),
      h("td", { "data-label": "Model" }, model ?? "default"),
      h("td", { "data-label": "Version", class: "figure" }, version),
      h("td", { "data-label": "Updated" }, timeOf(updatedAt))),
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Agents, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No agents yet. ", h("a", { href: "/console/agents/new" }, "Create one")),
    signIn: context.signIn,
  });
  void agents.reload();
  return {
    title: "Agents",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Agents"), h("a", { class: "button main", href: "/console/agents/new" }, "New agent")),
      h("p", { class: "lead" }, "An agent adds its instructions and settings to those of a pipeline."), agents.element),
  };
}

/**
 * @param {Context} context
 * @returns {Page}
 */
export function newAgentPage(context) {
  return {
    title: "New agent",
    element: h("div", { class: "narrow" }, h("p", { class: "crumbs" }, h("a", { href: "/console/agents" }, "Agents")), h("h1", {}, "New agent"),
      agentForm(context, null, async (fields) => {
        const { agentId } = await context.millrace.createAgent(fields);
        context.go(`/console/agents/${agentId}`);
      })),
  };
}

/**
 * @param {Context} context
 * @param {string} [agentId]
 * @returns {Page}
 */
export function agentPage(context, agentId = "") {
  const element = h("div", { class: "narrow" }, h("h1", {}, "Agent"), h("p", { class: "lead" }, "Loading …"));
  const load = async () => {
    try {
      showAgent(context, await context.millrace.getAgent(agentId), element);
    } catch (error) {
      fill(element, h("h1", {}, "Agent"), errorCard(error, { signIn: context.signIn, again: load }));
    }
  };
  void load();
  return { title: "Agent", element };
}

/**
 * @param {Context} context
 * @param {AgentDetail} agent
 * @param {HTMLElement} element
 */
function showAgent(context, agent, element) {
  const { agentId, name, version } = agent;
  context.setTitle(name);
  const remove = confirmButton({
    ...{ label: "Delete", question: "Delete this agent?", yes: "Delete it", signIn: context.signIn },
    text: `New jobs cannot use “${name}” any more. Jobs that already use it continue.`,
    act: async () => {
      await context.millrace.deleteAgent(agentId);
      context.go("/console/agents");
    },
  });
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/agents" }, "Agents")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, name), h("p", { class: "actions" }, remove)),
    factList([["Version", version], ["Updated", timeOf(agent.updatedAt)], ["Id", h("span", { class: "id" }, agentId)]]),
    agentForm(context, agent, async (fields) => {
      const changed = await context.millrace.changeAgent(agentId, { ...fields, version });
      context.announce(`Saved as version ${changed.version}`);
      showAgent(context, changed, element);
      element.querySelector("h1")?.focus();
    }));
}

/** @typedef {Pick<AgentDetail, "name" | "instructions" | "model" | "temperature" | "maxOutputTokens">} AgentFields */

/**
 * @param {Context} context
 * @param {AgentDetail | null} agent null for a new one
 * @param {(fields: AgentFields) => Promise<void>} save
 */
function agentForm({ config, signIn }, agent, save) {
  const name = textField({ name: "name", label: "Name", required: true, max: 100, hint: "Helps you to find the agent.", value: agent?.name ?? "" });
  const instructions = textField({
    ...{ name: "instructions", label: "Instructions", required: true, max: 8000, lines: 8 },
    ...{ hint: "The model gets them after the pipeline’s own instructions.", value: agent?.instructions ?? "" },
  });
  const model = selectField({
    ...{ name: "model", label: "Model", value: agent?.model ?? "" },
    choices: [["", `Default (${config.defaultModel})`], ...config.models.map((each) => /** @type {[string, string]} */ ([each, each]))],
  });
  const temperature = numberField({
    ...{ name: "temperature", label: "Temperature", hint: "From 0 (predictable) to 2 (varied). Leave it empty for the provider’s default." },
    ...{ min: 0, max: 2, step: "any", value: String(agent?.temperature ?? "") },
  });
  const tokens = numberField({
    ...{ name: "maxOutputTokens", label: "Maximum output tokens", hint: `From 1 to ${MAX_TOKENS}. A stage fails if the model reaches the maximum.` },
    ...{ min: 1, max: MAX_TOKENS, value: String(agent?.maxOutputTokens ?? "") },
  });
  return form({
    fields: [name, instructions, model, temperature, tokens],
    content: [name.element, instructions.element, model.element, temperature.element, tokens.element],
    submit: agent === null ? "Create agent" : "Save as a new version",
    busy: "Saving …",
    signIn,
    send: () => save({
      ...{ name: name.value() ?? "", instructions: instructions.value() ?? "", model: model.value() || null },
      ...{ temperature: temperature.value(), maxOutputTokens: tokens.value() },
    }),
  });
}
