/** The user's data: a way to erase all of it, and the report of an erasure. */

/** @import { ErasureDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { fill, h } from "../app/dom.js";
import { sentenceCase } from "../app/labels.js";
import { confirmButton } from "../parts/confirm_dialog.js";
import { factList, statusBadge, timeOf } from "../parts/facts.js";
import { errorCard } from "../parts/problem_card.js";

/** How often the report of a running erasure is read, in milliseconds. */
const EVERY = 3000;

/**
 * @param {Context} context
 * @returns {Page}
 */
export function dataPage(context) {
  const erase = confirmButton({
    label: "Erase my data",
    question: "Erase all your data?",
    text: "All your jobs, runs, sessions, projects, agents and webhooks are deleted. This cannot be undone. For about an hour you cannot create anything new.",
    yes: "Erase everything",
    act: async () => context.go(`/console/data/${(await context.millrace.eraseData()).erasureId}`),
    signIn: context.signIn,
  });
  return {
    title: "Your data",
    element: h("div", { class: "narrow" }, h("h1", {}, "Your data"),
      h("p", {}, "You can erase everything that is stored for you. Ended jobs expire after some time. Runs, sessions and projects stay until you delete them."),
      h("p", { class: "actions" }, erase)),
  };
}

/**
 * @param {Context} context
 * @param {string} erasureId
 * @returns {Page}
 */
export function erasurePage(context, erasureId) {
  const shown = h("div", {});
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;
  let status = "";
  const read = async () => {
    try {
      const erasure = await context.millrace.getErasure(erasureId);
      fill(shown, reportOf(context, erasure, read));
      if (status && status !== erasure.status) context.announce(`The erasure is ${erasure.status}.`);
      status = erasure.status;
      if (status === "erasing" || status === "settling") next = setTimeout(read, EVERY);
    } catch (error) {
      fill(shown, errorCard(error, { signIn: context.signIn, again: read }));
    }
  };
  void read();
  return {
    title: "Erasure of your data",
    element: h("div", {}, h("p", { class: "crumbs" }, h("a", { href: "/console/data" }, "Your data")), h("h1", {}, "Erasure of your data"), shown),
    leave: () => clearTimeout(next),
  };
}

/** @param {Context} context @param {ErasureDetail} erasure @param {() => Promise<void>} read */
function reportOf(context, erasure, read) {
  const again = async () => {
    await context.millrace.eraseData();
    await read();
  };
  return [
    factList([
      ["Status", statusBadge(erasure.status)],
      ["Begun", timeOf(erasure.createdAt)],
      erasure.completedAt !== null ? ["Completed", timeOf(erasure.completedAt)] : ["Checks again", timeOf(erasure.settlesAt)],
    ]),
    erasure.status === "failed" && h("p", { class: "actions" },
      h("button", { type: "button", class: "button main", onclick: again }, "Continue the erasure")),
    table("What was erased", ["Data", "Erased"], erasure.steps.map(({ holds, erased }) => [sentenceCase(holds), String(erased)])),
    table("Copies that cannot be erased from here", ["Copy", "What it holds", "Gone after"], erasure.copies.map(({ name, holds, days }) =>
      [sentenceCase(name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)), holds, days === null ? "see its own terms" : `${days} days`])),
  ];
}

/** @param {string} title @param {string[]} head @param {string[][]} rows */
function table(title, head, rows) {
  return h("section", {}, h("h2", {}, title), h("table", { class: "list" },
    h("caption", { class: "visually-hidden" }, title),
    h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(([first, ...others]) => h("tr", {}, h("th", { scope: "row" }, first),
      others.map((value, index) => h("td", { "data-label": head[index + 1] }, value)))))));
}
