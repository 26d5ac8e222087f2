/** Shows the page of the current address. Links and the browser's back and forward buttons change it without a reload. */

import { fill } from "./dom.js";

/**
 * A page: its title, its element, and the function to call when the user leaves it.
 * @typedef {{ title: string, element: HTMLElement, leave?: () => void }} Page
 */
/**
 * An address and its page: `load` returns the page's function, for which it may have to import a module.
 * @typedef {{ pattern: RegExp, load: () => Promise<(...parts: string[]) => Page> }} Route
 */
/**
 * What the router needs besides the routes.
 * @typedef {object} Surroundings
 * @property {() => Page} missing the page for an address without a route
 * @property {(error: unknown) => Page} failed the page to show if a page cannot be loaded
 * @property {() => Promise<boolean>} reachable whether the server can be reached
 * @property {(path: string) => void} onShow called with the path of every page that is shown
 */

export class Router {
  #main;
  #routes;
  #around;
  /** @type {Page | null} */
  #shown = null;
  /** The address of the page that is shown, without its fragment. */
  #address = "";
  /** How many pages were asked for: a page that is loaded after the next one was asked for is not shown. */
  #asked = 0;

  /**
   * @param {HTMLElement} main the element that contains the page
   * @param {readonly Route[]} routes the first that matches is shown
   * @param {Surroundings} around
   */
  constructor(main, routes, around) {
    this.#main = main;
    this.#routes = routes;
    this.#around = around;
  }

  /** Show the page of the current address, and follow links and the browser's buttons from then on. */
  start() {
    // A link to a fragment of the page, such as "Skip to content", changes the history but not the page.
    window.addEventListener("popstate", () => location.pathname + location.search !== this.#address && void this.show());
    document.addEventListener("click", (event) => this.#follow(event));
    void this.show({ focus: false });
  }

  /**
   * @param {string} address path of a page, with its query if there is one
   * @param {{ replace?: boolean }} [how]
   */
  go(address, { replace = false } = {}) {
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    void this.show();
  }

  /**
   * Change the query of the current address without drawing the page again.
   * @param {URLSearchParams} query
   */
  setQuery(query) {
    const text = query.toString();
    this.#address = location.pathname + (text && `?${text}`);
    history.replaceState(null, "", this.#address);
  }

  /**
   * Show the page of the current address. Until it is loaded, the page before stays.
   * @param {{ focus?: boolean }} [how] whether the heading of the page gets the focus, as after a link
   */
  async show({ focus = true } = {}) {
    this.#address = location.pathname + location.search;
    const asked = (this.#asked += 1);
    const path = location.pathname;
    const make = await this.#load(path);
    if (asked !== this.#asked || make === null) return;
    this.#shown?.leave?.();
    const page = make();
    this.#shown = page;
    this.setTitle(page.title);
    fill(this.#main, page.element);
    this.#around.onShow(path);
    if (!focus) return;
    window.scrollTo(0, 0);
    const heading = this.#main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }

  /** @param {string} title */
  setTitle(title) {
    document.title = title === "Millrace" ? title : `${title} · Millrace`;
  }

  /**
   * Return the function that makes the page of a path. If the page's module cannot be imported although the server can be
   * reached, a deployment has replaced the files that this document knows: then load the document again, and return null.
   * @param {string} path
   * @returns {Promise<(() => Page) | null>}
   */
  async #load(path) {
    const route = this.#routes.find(({ pattern }) => pattern.test(path));
    if (route === undefined) return this.#around.missing;
    const parts = (route.pattern.exec(path) ?? []).slice(1).map(decodeURIComponent);
    try {
      const page = await route.load();
      return () => page(...parts);
    } catch (error) {
      // The first page of a document is never loaded again by itself, so that this cannot repeat forever.
      if (this.#shown === null || !(await this.#around.reachable())) return () => this.#around.failed(error);
      location.reload();
      return null;
    }
  }

  /** @param {MouseEvent} event */
  #follow(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const modified = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (link === null || modified || event.defaultPrevented || link.target !== "" || link.hasAttribute("download")) return;
    const to = new URL(link.href, location.href);
    if (to.origin !== location.origin || to.hash !== "") return;
    event.preventDefault();
    this.go(to.pathname + to.search);
  }
}
