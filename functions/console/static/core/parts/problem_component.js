/** The card of `problem_card.js` as a component. */

/** @import { Problem } from "../../millrace/watch.js" */
/** @import { Action, Details } from "./problem_card.js" */

import { h } from "../app/preact.js";
import { describeProblem } from "./problem_card.js";

/** @param {{ problem: Problem, actions: readonly Action[], details?: Details }} properties */
export function ProblemCard({ problem, actions, details = [] }) {
  return describeProblem(h, problem, actions, details);
}
