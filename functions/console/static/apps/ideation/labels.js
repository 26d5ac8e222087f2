/** Labels for the values of a brainstorming's parameters. */

/** @import { Arrangement } from "../../../../../docs/api/types" */

/** @type {Record<Arrangement, string>} */
export const ARRANGEMENTS = { none: "In the order of writing", rank: "Ranked, best first", group: "In groups" };
