/** Puts the page together: configuration, session, client, and a page for every address. */

/** @import { Page } from "./router.js" */
/** @import { ConsoleConfig } from "./context.js" */

import { Millrace } from "../../millrace.js";
import { fill, h, setText } from "./dom.js";
import { agentPage, agentsPage, newAgentPage } from "../pages/agents.js";
import { brainstormPage } from "../../apps/ideation/pages/brainstorm.js";
import { homePage } from "../pages/home.js";
import { ideationPage } from "../../apps/ideation/pages/run.js";
import { ideationsPage } from "../../apps/ideation/pages/runs.js";
import { jobPage } from "../pages/job.js";
import { jobsPage } from "../pages/jobs.js";
import { missingPage, signedInPage, signInPage } from "../pages/sign_in.js";
import { suggestPage } from "../../apps/suggestions/pages/suggest.js";
import { errorCard } from "../parts/problem_card.js";
import { Router } from "./router.js";
import { Session } from "./session.js";

const LINKS = [
  ["/console/suggest", "Suggest"],
  ["/console/brainstorm", "Brainstorm"],
  ["/console/jobs", "Jobs"],
  ["/console/ideations", "Runs"],
  ["/console/agents", "Agents"],
];

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const user = /** @type {HTMLElement} */ (document.getElementById("user"));
const announcer = /** @type {HTMLElement} */ (document.getElementById("announcer"));

async function start() {
  const response = await fetch("/console/config.json");
  if (!response.ok) throw new Error(`the configuration was answered ${response.status}`);
  /** @type {ConsoleConfig} */
  const config = (await response.json()).data;
  const session = new Session(config);
  const millrace = new Millrace({ api: location.origin, token: (stale) => session.token(stale) });
  const signIn = () => {
    session.signIn(location.pathname + location.search).catch((error) => {
      fill(main, h("h1", {}, "Sign in"), errorCard(error, { signIn, again: signIn }));
    });
  };
  const app = {
    ...{ config, session, millrace, signIn },
    /** @param {string} text */
    announce: (text) => setText(announcer, text),
    /** @param {string} address @param {{ replace?: boolean }} [how] */
    go: (address, how = {}) => router.go(address, how),
    /** @param {URLSearchParams} query */
    setQuery: (query) => router.setQuery(query),
    /** @param {string} title */
    setTitle: (title) => router.setTitle(title),
  };

  /**
   * A page that only those see who are signed in; a browser that was before is sent to do so at once.
   * @param {(...parts: string[]) => Page} page
   */
  const own = (page) => (/** @type {string[]} */ ...parts) => {
    if (session.signedIn) return page(...parts);
    if (session.before) signIn();
    return signInPage(app);
  };
  const routes = [
    { pattern: /^\/(?:console\/?)?$/, page: () => homePage(app) },
    { pattern: /^\/console\/signed-in$/, page: () => signedInPage(app) },
    { pattern: /^\/console\/suggest$/, page: own(() => suggestPage(app)) },
    { pattern: /^\/console\/brainstorm$/, page: own(() => brainstormPage(app)) },
    { pattern: /^\/console\/jobs$/, page: own(() => jobsPage(app)) },
    { pattern: /^\/console\/jobs\/([^/]+)$/, page: own((id = "") => jobPage(app, id)) },
    { pattern: /^\/console\/ideations$/, page: own(() => ideationsPage(app)) },
    { pattern: /^\/console\/ideations\/([^/]+)$/, page: own((id = "") => ideationPage(app, id)) },
    { pattern: /^\/console\/agents$/, page: own(() => agentsPage(app)) },
    { pattern: /^\/console\/agents\/new$/, page: own(() => newAgentPage(app)) },
    { pattern: /^\/console\/agents\/([^/]+)$/, page: own((id = "") => agentPage(app, id)) },
  ];

  /** @param {string} path */
  const showFrame = (path) => {
    const at = (/** @type {string} */ link) => path === link || path.startsWith(`${link}/`);
    fill(nav, session.signedIn && h("ul", {}, LINKS.map(([link = "", label]) =>
      h("li", {}, h("a", { href: link, "aria-current": at(link) ? "page" : null }, label)))));
    fill(user, session.signedIn && [
      h("span", { class: "user-name" }, session.user),
      h("button", { type: "button", class: "button small", onclick: () => session.signOut() }, "Sign out"),
    ]);
  };
  const router = new Router(main, routes, missingPage, showFrame);
  router.start();
}

start().catch((error) => {
  const again = () => location.reload();
  fill(main, h("h1", {}, "Millrace"), errorCard(error, { signIn: again, again }));
});
