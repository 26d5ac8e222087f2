/** Shows the page of the current address. Links and the browser's back and forward buttons change it without a reload. */

import { fill } from "./dom.js";

/**
 * A page: its title, its element, and the function to call when the user leaves it.
 * @typedef {{ title: string, element: HTMLElement, leave?: () => void }} Page
 */
/** @typedef {{ pattern: RegExp, page: (...parts: string[]) => Page }} Route */

export class Router {
  #main;
  #routes;
  #missing;
  /** @type {Page | null} */
  #shown = null;
  #onShow;
  /** The address of the page that is shown, without its fragment. */
  #address = "";

  /**
   * @param {HTMLElement} main the element that contains the page
   * @param {readonly Route[]} routes the first that matches is shown
   * @param {() => Page} missing the page for an address without a route
   * @param {(path: string) => void} onShow called with the path of every page that is shown
   */
  constructor(main, routes, missing, onShow) {
    this.#main = main;
    this.#routes = routes;
    this.#missing = missing;
    this.#onShow = onShow;
  }

  /** Show the page of the current address, and follow links and the browser's buttons from then on. */
  start() {
    // A link to a fragment of the page, such as "Skip to content", changes the history but not the page.
    window.addEventListener("popstate", () => location.pathname + location.search !== this.#address && this.show());
    document.addEventListener("click", (event) => this.#follow(event));
    this.show({ focus: false });
  }

  /**
   * @param {string} address path of a page, with its query if there is one
   * @param {{ replace?: boolean }} [how]
   */
  go(address, { replace = false } = {}) {
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.show();
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

  /** @param {{ focus?: boolean }} [how] whether the heading of the page gets the focus, as after a link */
  show({ focus = true } = {}) {
    this.#address = location.pathname + location.search;
    this.#shown?.leave?.();
    const page = this.#page(location.pathname);
    this.#shown = page;
    this.setTitle(page.title);
    fill(this.#main, page.element);
    this.#onShow(location.pathname);
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

  /** @param {string} path */
  #page(path) {
    for (const { pattern, page } of this.#routes) {
      const match = pattern.exec(path);
      if (match) return page(...match.slice(1).map(decodeURIComponent));
    }
    return this.#missing();
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
