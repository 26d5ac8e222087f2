/** The agent that a job uses: its name and the version, with a link to its page. */

/** @import { AgentRef } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */

import { Refused } from "../../millrace.js";
import { h } from "../app/preact.js";
import { useLoaded } from "../app/use_loaded.js";

/** @param {{ context: Context, agent: AgentRef }} properties */
export function AgentLink({ context: { millrace }, agent: { agentId, version } }) {
  const { value: agent, error } = useLoaded(() => millrace.getAgent(agentId), [agentId]);
  if (error instanceof Refused && error.status === 404) return `${agentId}, version ${version} (deleted)`;
  return h("a", { href: `/console/agents/${agentId}` }, agent === null ? `version ${version}` : `${agent.name}, version ${version}`);
}
