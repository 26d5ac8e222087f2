/** Starts the console: configuration, session, client, navigation, and a page for every address. */

/** @import { Application, PageRoute } from "./applications.js" */
/** @import { Millrace } from "../../millrace.js" */
/** @import { ConsoleConfig, PublicContext } from "./context.js" */
/** @import { Page } from "./router.js" */

import { failedPage, missingPage, signedInPage, signInPage } from "../pages/sign_in.js";
import { welcomePage } from "../pages/welcome.js";
import { Applications } from "./applications.js";
import { fill, setText } from "./dom.js";
import { showHeader } from "./header.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { listenToShortcuts } from "./shortcuts.js";
import { showTheme } from "./themes.js";
import { toast } from "./toasts.js";

const HOME = /^\/(?:console\/?)?$/;
const SIGNED_IN = /^\/console\/signed-in$/;
const loadHome = () => import("../pages/home.js");
/** The further pages of signed-in users. @type {readonly PageRoute[]} */
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
  showTheme();
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
  const configured = fetchConfig();
  const session = new Session(configured);
  const client = clientOf(session);
  const [config] = await Promise.all([configured, preload(own, session, client)]);
  const signIn = () => {
    session.signIn(location.pathname + location.search).catch((error) => {
      fill(main, failedPage(error, { title: "Sign in", again: signIn }).element);
    });
  };
  /** @type {PublicContext} */
  const context = {
    ...{ applications, config, session, signIn },
    announce: (text) => setText(byId("announcer"), text),
    toast: (text) => toast(byId("toasts"), text),
    go: (address, how = {}) => router.go(address, how),
    setQuery: (query) => router.setQuery(query),
    setTitle: (title) => router.setTitle(title),
  };
  const routes = [
    { pattern: SIGNED_IN, load: async () => () => signedInPage(context) },
    { pattern: HOME, load: homeOrWelcome(context) },
    ...own.map((route) => ({ pattern: route.pattern, load: signedInOnly(context, route, client) })),
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

/** @typedef {() => Promise<Millrace>} ClientSource imports the client when a signed-in user needs it; always the same one */

/**
 * @param {Session} session
 * @returns {ClientSource}
 */
function clientOf(session) {
  /** @type {Millrace | null} */
  let millrace = null;
  return async () => {
    const { newClient } = await import("./client.js");
    return (millrace ??= newClient(session));
  };
}

/**
 * Import the page of this path, and the client if the page needs it, while the configuration is fetched, if the user is
 * signed in. The router reports a failure when it shows the page.
 * @param {readonly PageRoute[]} routes
 * @param {Session} session
 * @param {ClientSource} client
 */
async function preload(routes, session, client) {
  if (!session.signedIn) return;
  const route = routes.find(({ pattern }) => pattern.test(location.pathname));
  await Promise.allSettled(HOME.test(location.pathname) ? [loadHome()] : [client(), route?.load()]);
}

/** @returns {Promise<ConsoleConfig>} */
async function fetchConfig() {
  const response = await fetch("/console/config.json");
  if (!response.ok) throw new Error(`The server returned ${response.status} for the console’s configuration.`);
  return (await response.json()).data;
}

/**
 * Return the loader of the home page, which makes its one request without the client. Without a signed-in user, the page says
 * what Millrace does.
 * @param {PublicContext} context
 * @returns {() => Promise<() => Page>}
 */
function homeOrWelcome(context) {
  return async () => {
    if (!context.session.signedIn) return () => welcomePage(context);
    const { homePage } = await loadHome();
    return () => homePage(context);
  };
}

/**
 * Wrap a page that needs a signed-in user. Without one, a browser that was signed in before goes to the provider at once, and
 * any other sees the sign-in page.
 * @param {PublicContext} context
 * @param {PageRoute} route
 * @param {ClientSource} client
 * @returns {() => Promise<(...parts: string[]) => Page>}
 */
function signedInOnly(context, { load }, client) {
  return async () => {
    if (context.session.signedIn) {
      const [page, millrace] = await Promise.all([load(), client()]);
      return (...parts) => page({ ...context, millrace }, ...parts);
    }
    if (context.session.signedInBefore) context.signIn();
    return () => signInPage(context);
  };
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
