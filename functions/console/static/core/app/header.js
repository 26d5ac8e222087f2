/** The header of every page: the navigation, and the menu of the user. */

/** @import { Applications, Link } from "./applications.js" */
/** @import { Context } from "./context.js" */

import { menu } from "../parts/menu.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { chosenTheme, chooseTheme, THEMES } from "./themes.js";

/**
 * @param {Pick<Context, "applications" | "session">} context
 * @param {string} path of the page that is shown
 * @param {{ nav: HTMLElement, user: HTMLElement }} places
 */
export function showHeader(context, path, places) {
  const { applications, session } = context;
  const { nav, user } = places;
  const { create, lists } = navigation(applications);
  const isCurrent = (/** @type {Link} */ link) => path === link.path || path.startsWith(`${link.path}/`);
  const choose = (/** @type {import("./themes.js").Theme} */ theme) => {
    chooseTheme(theme);
    showHeader(context, path, places);
    user.querySelector("button")?.focus();
  };
  const isListed = lists.some(isCurrent);
  fill(nav, session.signedIn && h("ul", {},
    create.length > 0 && h("li", {}, menu("Create", create.map((link) => ({ ...link, current: !isListed && isCurrent(link) })))),
    lists.map((link) => h("li", {}, h("a", { href: link.path, "aria-current": isCurrent(link) && "page" }, link.icon && icon(link.icon), link.label)))));
  fill(user, session.signedIn && menu(session.user, [
    { label: "Webhooks", path: "/console/webhooks", current: path.startsWith("/console/webhooks") },
    { label: "Your data", path: "/console/data", current: path.startsWith("/console/data") },
    ...THEMES.map(([theme, label]) => ({ label, pressed: chosenTheme() === theme, act: () => choose(theme) })),
    { label: "Sign out", act: () => session.signOut() },
  ], { end: true }));
}

/**
 * The links of the navigation. `create`: every form; `lists`: the jobs, every application's lists, the agents.
 * @param {Applications} applications
 * @returns {{ create: Link[], lists: Link[] }}
 */
export function navigation(applications) {
  const all = [...applications];
  return {
    create: all.flatMap(({ form }) => form ?? []).map(({ path, title }) => ({ path, label: title })),
    lists: [
      { path: "/console/jobs", label: "Jobs", icon: "list" },
      ...all.flatMap(({ lists }) => lists),
      { path: "/console/agents", label: "Agents", icon: "agent" },
    ],
  };
}
