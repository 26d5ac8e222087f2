/** Labels for the values of a brainstorming's parameters. */

/** @type {Record<string, string>} */
export const ARRANGEMENTS = { none: "In the order of writing", rank: "Ranked, best first", group: "In groups" };
