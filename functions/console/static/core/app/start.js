/** Starts the console: configuration, session, client, navigation, and a page for every address. */

/** @import { Application, PageRoute } from "./applications.js" */
/** @import { ConsoleConfig, Context } from "./context.js" */

import { Millrace } from "../../millrace.js";
import { homePage } from "../pages/home.js";
import { failedPage, missingPage, signedInPage, signInPage } from "../pages/sign_in.js";
import { Applications } from "./applications.js";
import { fill, setText } from "./dom.js";
import { showHeader } from "./header.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { listenToShortcuts } from "./shortcuts.js";
import { toast } from "./toasts.js";

/** @type {readonly PageRoute[]} */
const PUBLIC_ROUTES = [
  { pattern: /^\/(?:console\/?)?$/, load: async () => homePage },
  { pattern: /^\/console\/signed-in$/, load: async () => signedInPage },
];
/** @type {readonly PageRoute[]} */
const ROUTES = [
  { pattern: /^\/console\/jobs$/, load: async () => (await import("../pages/jobs.js")).jobsPage },
  { pattern: /^\/console\/jobs\/([^/]+)$/, load: async () => (await import("../pages/job.js")).jobPage },
  { pattern: /^\/console\/agents$/, load: async () => (await import("../pages/agents.js")).agentsPage },
  { pattern: /^\/console\/agents\/new$/, load: async () => (await import("../pages/agents.js")).newAgentPage },
  { pattern: /^\/console\/agents\/([^/]+)$/, load: async () => (await import("../pages/agents.js")).agentPage },
  { pattern: /^\/console\/webhooks$/, load: async () => (await import("../pages/webhooks.js")).webhooksPage },
  { pattern: /^\/console\/webhooks\/new$/, load: async () => (await import("../pages/webhooks.js")).newWebhookPage },
  { pattern: /^\/console\/webhooks\/([^/]+)$/, load: async () => (await import("../pages/webhooks.js")).webhookPage },
  { pattern: /^\/console\/data$/, load: async () => (await import("../pages/data.js")).dataPage },
  { pattern: /^\/console\/data\/([^/]+)$/, load: async () => (await import("../pages/data.js")).erasurePage },
];

/**
 * Start the console in this document.
 * @param {readonly Application[]} all
 */
export function start(all) {
  const main = byId("main");
  open(new Applications(all), main).catch((error) => {
    fill(main, failedPage(error).element);
  });
}

/**
 * @param {Applications} applications
 * @param {HTMLElement} main
 */
async function open(applications, main) {
  const own = [...ROUTES, ...[...applications].flatMap(({ routes }) => routes)];
  const [config] = await Promise.all([fetchConfig(), preload([...PUBLIC_ROUTES, ...own], location.pathname)]);
  const session = new Session(config);
  const millrace = new Millrace({ api: location.origin, token: (stale) => session.token(stale) });
  const signIn = () => {
    session.signIn(location.pathname + location.search).catch((error) => {
      fill(main, failedPage(error, { title: "Sign in", again: signIn }).element);
    });
  };
  /** @type {Context} */
  const context = {
    ...{ applications, config, session, millrace, signIn },
    announce: (text) => setText(byId("announcer"), text),
    toast: (text) => toast(byId("toasts"), text),
    go: (address, how = {}) => router.go(address, how),
    setQuery: (query) => router.setQuery(query),
    setTitle: (title) => router.setTitle(title),
  };
  const routes = [
    ...PUBLIC_ROUTES.map(({ pattern, load }) => ({ pattern, load: withContext(context, load) })),
    ...own.map(({ pattern, load }) => ({ pattern, load: signedInOnly(context, load) })),
  ];
  const router = new Router(main, routes, {
    missing: missingPage,
    failed: failedPage,
    reachable: () => fetchConfig().then(() => true, () => false),
    onShow: (path) => showHeader(context, path, { nav: byId("nav"), user: byId("user") }),
  });
  listenToShortcuts();
  router.start();
}

/**
 * Import the page of this path, while the configuration is fetched. The router reports a failure when it shows the page.
 * @param {readonly PageRoute[]} routes
 * @param {string} path
 */
async function preload(routes, path) {
  await routes.find(({ pattern }) => pattern.test(path))?.load().catch(() => {});
}

/** @returns {Promise<ConsoleConfig>} */
async function fetchConfig() {
  const response = await fetch("/console/config.json");
  if (!response.ok) throw new Error(`The server returned ${response.status} for the console’s configuration.`);
  return (await response.json()).data;
}

/**
 * @param {Context} context
 * @param {PageRoute["load"]} load
 */
function withContext(context, load) {
  return async () => {
    const page = await load();
    return (/** @type {string[]} */ ...parts) => page(context, ...parts);
  };
}

/**
 * Wrap a page that needs a signed-in user. A browser that was signed in before goes to the provider at once, any other sees
 * the sign-in page.
 * @param {Context} context
 * @param {PageRoute["load"]} load
 */
function signedInOnly(context, load) {
  const loadPage = withContext(context, load);
  return async () => {
    if (context.session.signedIn) return loadPage();
    if (context.session.signedInBefore) context.signIn();
    return () => signInPage(context);
  };
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
