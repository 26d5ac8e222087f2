/** The fields that choose one of the deployment's models or one of the user's agents. */

/** @import { AgentDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */

import { append, h } from "../app/dom.js";
import { selectField } from "./fields.js";

const AGENTS = 100;

/**
 * @param {Context} context
 * @param {{ customModel?: string | null, agentId?: string | null }} given
 */
export function modelFields({ config, millrace }, given) {
  const agent = selectField({
    ...{ name: "agentId", label: "Agent", hint: "Adds its own instructions to those of the pipeline." },
    ...{ choices: /** @type {[string, string][]} */ ([["", "None"]]) },
  });
  const model = selectField({
    ...{ name: "customModel", label: "Model", value: given.customModel ?? "", hint: "If you choose no model, the agent’s model is used." },
    choices: [["", `Default (${config.defaultModel})`], ...config.models.map((name) => /** @type {[string, string]} */ ([name, name]))],
  });
  const element = h("details", { class: "more", open: Boolean(given.customModel || given.agentId) }, h("summary", {}, "Model and agent"), agent.element, model.element);
  millrace.listAgents({ limit: AGENTS }).then(
    ({ agents }) => addAgents(agent.element, agents, given.agentId ?? ""),
    () => (agent.element.hidden = true), // an agent is optional, so the form works without the list
  );
  return {
    element,
    fields: [agent, model],
    values: () => ({ ...(agent.value() && { agentId: agent.value() }), ...(model.value() && { customModel: model.value() }) }),
  };
}

/**
 * @param {HTMLElement} element
 * @param {readonly AgentDetail[]} agents
 * @param {string} chosen
 */
function addAgents(element, agents, chosen) {
  const select = /** @type {HTMLSelectElement} */ (element.querySelector("select"));
  append(select, agents.map(({ agentId, name }) => h("option", { value: agentId, selected: agentId === chosen }, name)));
}
