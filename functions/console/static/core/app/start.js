/** Starts the console: configuration, session, client, navigation, and a page for every address. */

/** @import { Application, Link, PageRoute } from "./applications.js" */
/** @import { ConsoleConfig, Context } from "./context.js" */

import { Millrace } from "../../millrace.js";
import { agentPage, agentsPage, newAgentPage } from "../pages/agents.js";
import { dataPage, erasurePage } from "../pages/data.js";
import { homePage } from "../pages/home.js";
import { jobPage } from "../pages/job.js";
import { jobsPage } from "../pages/jobs.js";
import { newWebhookPage, webhookPage, webhooksPage } from "../pages/webhooks.js";
import { missingPage, signedInPage, signInPage } from "../pages/sign_in.js";
import { errorCard } from "../parts/problem_card.js";
import { Applications } from "./applications.js";
import { fill, h, setText } from "./dom.js";
import { Router } from "./router.js";
import { Session } from "./session.js";

/** @type {readonly PageRoute[]} */
const PUBLIC_ROUTES = [
  { pattern: /^\/(?:console\/?)?$/, page: homePage },
  { pattern: /^\/console\/signed-in$/, page: signedInPage },
];
/** @type {readonly PageRoute[]} */
const ROUTES = [
  { pattern: /^\/console\/jobs$/, page: jobsPage },
  { pattern: /^\/console\/jobs\/([^/]+)$/, page: jobPage },
  { pattern: /^\/console\/agents$/, page: agentsPage },
  { pattern: /^\/console\/agents\/new$/, page: newAgentPage },
  { pattern: /^\/console\/agents\/([^/]+)$/, page: agentPage },
  { pattern: /^\/console\/webhooks$/, page: webhooksPage },
  { pattern: /^\/console\/webhooks\/new$/, page: newWebhookPage },
  { pattern: /^\/console\/webhooks\/([^/]+)$/, page: webhookPage },
  { pattern: /^\/console\/data$/, page: dataPage },
  { pattern: /^\/console\/data\/([^/]+)$/, page: erasurePage },
];

/**
 * Start the console in this document.
 * @param {readonly Application[]} all
 */
export function start(all) {
  const main = byId("main");
  open(new Applications(all), main).catch((error) => {
    const reload = () => location.reload();
    fill(main, h("h1", {}, "Millrace"), errorCard(error, { signIn: reload, again: reload }));
  });
}

/**
 * @param {Applications} applications
 * @param {HTMLElement} main
 */
async function open(applications, main) {
  const config = await fetchConfig();
  const session = new Session(config);
  const millrace = new Millrace({ api: location.origin, token: (stale) => session.token(stale) });
  const signIn = () => {
    session.signIn(location.pathname + location.search).catch((error) => {
      fill(main, h("h1", {}, "Sign in"), errorCard(error, { signIn, again: signIn }));
    });
  };
  /** @type {Context} */
  const context = {
    ...{ applications, config, session, millrace, signIn },
    announce: (text) => setText(byId("announcer"), text),
    go: (address, how = {}) => router.go(address, how),
    setQuery: (query) => router.setQuery(query),
    setTitle: (title) => router.setTitle(title),
  };
  const own = [...ROUTES, ...[...applications].flatMap(({ routes }) => routes)];
  const routes = [
    ...PUBLIC_ROUTES.map(({ pattern, page }) => ({ pattern, page: (/** @type {string[]} */ ...parts) => page(context, ...parts) })),
    ...own.map(({ pattern, page }) => ({ pattern, page: signedInOnly(context, page) })),
  ];
  const router = new Router(main, routes, missingPage, (path) => showHeader(context, path));
  router.start();
}

/** @returns {Promise<ConsoleConfig>} */
async function fetchConfig() {
  const response = await fetch("/console/config.json");
  if (!response.ok) throw new Error(`The server returned ${response.status} for the console’s configuration.`);
  return (await response.json()).data;
}

/**
 * Wrap a page that needs a signed-in user. A browser that was signed in before goes to the provider at once, any other sees
 * the sign-in page.
 * @param {Context} context
 * @param {PageRoute["page"]} page
 */
function signedInOnly(context, page) {
  return (/** @type {string[]} */ ...parts) => {
    if (context.session.signedIn) return page(context, ...parts);
    if (context.session.signedInBefore) context.signIn();
    return signInPage(context);
  };
}

/**
 * Show the navigation and the user, if there is one.
 * @param {Context} context
 * @param {string} path of the page that is shown
 */
function showHeader({ applications, session }, path) {
  const current = (/** @type {string} */ link) => (path === link || path.startsWith(`${link}/`) ? "page" : null);
  fill(byId("nav"), session.signedIn && h("ul", {}, navigation(applications).map((link) =>
    h("li", {}, h("a", { href: link.path, "aria-current": current(link.path) }, link.label)))));
  fill(byId("user"), session.signedIn && [
    h("a", { class: "user-name", href: "/console/data", title: "Your data" }, session.user),
    h("button", { type: "button", class: "button small", onclick: () => session.signOut() }, "Sign out"),
  ]);
}

/**
 * The links of the navigation: every form, the jobs, every application's lists, the agents, the webhooks.
 * @param {Applications} applications
 * @returns {readonly Link[]}
 */
export function navigation(applications) {
  const all = [...applications];
  return [
    ...all.flatMap(({ form }) => form ?? []),
    { path: "/console/jobs", label: "Jobs" },
    ...all.flatMap(({ lists }) => lists),
    { path: "/console/agents", label: "Agents" },
    { path: "/console/webhooks", label: "Webhooks" },
  ];
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
