/** The user's agents: instructions and settings that a job can use. */

/** @import { AgentDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { ListWatch, Refused } from "../../millrace.js";
import { fill, h } from "../app/dom.js";
import { h as component } from "../app/preact.js";
import { confirmButton } from "../parts/confirm_dialog.js";
import { conflictCard } from "../parts/conflict_card.js";
import { TimeAgo } from "../parts/fact_components.js";
import { factList, timeOf } from "../parts/facts.js";
import { numberField, selectField, textField } from "../parts/fields.js";
import { form } from "../parts/form.js";
import { cell, titleCell } from "../parts/item_table.js";
import { Empty, liveList } from "../parts/live_list.js";
import { errorCard } from "../parts/problem_card.js";
import { skeleton } from "../parts/skeleton.js";

const PAGE = 50;
const MAX_TOKENS = 100_000;

/**
 * @param {Context} context
 * @returns {Page}
 */
export function agentsPage({ millrace, signIn }) {
  /** @type {ListWatch<AgentDetail, {}>} */
  const list = new ListWatch(async ({ cursor }) => {
    const page = await millrace.listAgents({ limit: PAGE, cursor });
    return { items: page.agents, cursor: page.cursor };
  }, {}, { idOf: ({ agentId }) => agentId, updatedAt: (agent) => agent.updatedAt });
  const agents = liveList({
    ...{ list, name: "agents", signIn, caption: "Agents, newest first", columns: ["Agent", "Model", "Version", "Updated"] },
    empty: component(Empty, { icon: "agent", text: "No agents yet.", action: component("a", { class: "button main", href: "/console/agents/new" }, "Create an agent") }),
    idOf: ({ agentId }) => agentId,
    cells: ({ agentId, name, model, version, updatedAt }) => [
      titleCell(name, `/console/agents/${agentId}`, agentId),
      cell("Model", model ?? "default"),
      cell("Version", String(version), "figure"),
      cell("Updated", component(TimeAgo, { iso: updatedAt })),
    ],
  });
  return {
    title: "Agents",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Agents"), h("a", { class: "button main", href: "/console/agents/new" }, "New agent")),
      h("p", { class: "lead" }, "An agent adds its instructions and settings to those of a pipeline."), agents.element),
    leave: agents.stop,
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
        const { agentId, name } = await context.millrace.createAgent(fields);
        context.toast(`The agent “${name}” is created.`);
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
  const element = h("div", { class: "narrow" }, h("h1", {}, "Agent"), skeleton("Loading the agent…"));
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
  const conflict = h("div", {});
  /** @param {AgentFields} fields */
  const save = async (fields) => {
    fill(conflict);
    try {
      const changed = await context.millrace.changeAgent(agentId, { ...fields, version });
      context.toast(`Saved as version ${changed.version}.`);
      showAgent(context, changed, element);
      element.querySelector("h1")?.focus();
    } catch (error) {
      if (!(error instanceof Refused && error.status === 409)) throw error;
      const stored = await context.millrace.getAgent(agentId);
      if (stored.version === version) throw error;
      const load = () => {
        showAgent(context, stored, element);
        element.querySelector("h1")?.focus();
      };
      const overwrite = () => showAgent(context, { ...stored, ...fields }, element);
      fill(conflict, conflictCard({ thing: "agent", labels: LABELS, own: fields, stored, load, keep: overwrite }));
      conflict.querySelector("h2")?.focus();
    }
  };
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/agents" }, "Agents")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, name), h("p", { class: "actions" }, remove)),
    factList([["Version", version], ["Updated", timeOf(agent.updatedAt)], ["Id", h("span", { class: "id" }, agentId)]]),
    conflict,
    agentForm(context, agent, save));
}

/** @type {Record<keyof AgentFields, string>} */
const LABELS = {
  name: "Name",
  instructions: "Instructions",
  model: "Model",
  temperature: "Temperature",
  maxOutputTokens: "Max output tokens",
};

/** @typedef {Pick<AgentDetail, "name" | "instructions" | "model" | "temperature" | "maxOutputTokens">} AgentFields */

/**
 * @param {Context} context
 * @param {AgentDetail | null} agent null for a new one
 * @param {(fields: AgentFields) => Promise<void>} save
 */
function agentForm({ config, signIn }, agent, save) {
  const name = textField({ name: "name", label: LABELS.name, required: true, max: 100, hint: "Only you see this name.", value: agent?.name ?? "" });
  const instructions = textField({
    ...{ name: "instructions", label: LABELS.instructions, required: true, max: 8000, lines: 8 },
    ...{ hint: "Added after the pipeline’s own instructions.", value: agent?.instructions ?? "" },
  });
  const model = selectField({
    ...{ name: "model", label: LABELS.model, value: agent?.model ?? "" },
    choices: [["", `Default (${config.defaultModel})`], ...config.models.map((each) => /** @type {[string, string]} */ ([each, each]))],
  });
  const temperature = numberField({
    ...{ name: "temperature", label: LABELS.temperature, hint: "From 0 (predictable) to 2 (varied). Leave it empty for the provider’s default." },
    ...{ min: 0, max: 2, step: "any", value: String(agent?.temperature ?? "") },
  });
  const tokens = numberField({
    ...{ name: "maxOutputTokens", label: LABELS.maxOutputTokens, hint: `From 1 to ${MAX_TOKENS}. A longer answer is cut off and fails.` },
    ...{ min: 1, max: MAX_TOKENS, value: String(agent?.maxOutputTokens ?? "") },
  });
  return form({
    fields: [name, instructions, model, temperature, tokens],
    content: [name.element, instructions.element, model.element, temperature.element, tokens.element],
    submit: agent === null ? "Create agent" : "Save",
    busy: "Saving…",
    signIn,
    send: () => save({
      ...{ name: name.value() ?? "", instructions: instructions.value() ?? "", model: model.value() || null },
      ...{ temperature: temperature.value(), maxOutputTokens: tokens.value() },
    }),
  });
}
