/** Which page an address shows; links and the browser's own buttons change it without loading anything. */

import { fill } from "./dom.js";

/**
 * A page: its title, what is shown, and what has to be stopped when it is left.
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
  /** The address of what is shown, without its fragment. */
  #address = "";

  /**
   * @param {HTMLElement} main where pages are shown
   * @param {Route[]} routes the first that matches is shown
   * @param {() => Page} missing
   * @param {(path: string) => void} onShow told of every page that is shown
   */
  constructor(main, routes, missing, onShow) {
    this.#main = main;
    this.#routes = routes;
    this.#missing = missing;
    this.#onShow = onShow;
  }

  /** Shows the page of the present address, and from now on those of links and of the browser's buttons. */
  start() {
    // A link into the page, such as the one to its content, is a step of the history as well.
    window.addEventListener("popstate", () => location.pathname + location.search !== this.#address && this.show());
    document.addEventListener("click", (event) => this.#follow(event));
    this.show({ focus: false });
  }

  /**
   * @param {string} address of a page, perhaps with a query
   * @param {{ replace?: boolean }} [how]
   */
  go(address, { replace = false } = {}) {
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.show();
  }

  /**
   * Changes the query of the present address, without showing its page anew.
   * @param {URLSearchParams} query
   */
  setQuery(query) {
    const text = query.toString();
    this.#address = location.pathname + (text && `?${text}`);
    history.replaceState(null, "", this.#address);
  }

  /** @param {{ focus?: boolean }} [how] whether the new page's heading gets the focus, as after following a link */
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
      const found = pattern.exec(path);
      if (found) return page(...found.slice(1).map(decodeURIComponent));
    }
    return this.#missing();
  }

  /** @param {MouseEvent} event */
  #follow(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const elsewhere = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (link === null || elsewhere || event.defaultPrevented || link.target !== "" || link.hasAttribute("download")) return;
    const to = new URL(link.href, location.href);
    if (to.origin !== location.origin || to.hash !== "") return;
    event.preventDefault();
    this.go(to.pathname + to.search);
  }
}
