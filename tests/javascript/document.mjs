/** A document without a browser, in which pages of the console are drawn, and a context for them. */

import { Window } from "../typescript/node_modules/happy-dom/lib/index.js";

export const window = new Window({ url: "http://localhost/console/jobs" });
const { document, Node, Text, HTMLElement, Element } = window;
const frames = (draw) => setTimeout(draw, 0);
/** What is near the visible part of the page: a test calls `observe` of the observers that were created. */
export const observers = [];
class IntersectionObserver {
  constructor(report) {
    this.report = (isIntersecting) => report([{ isIntersecting }]);
    observers.push(this);
  }
  observe(element) {
    this.element = element;
  }
  disconnect() {
    observers.splice(observers.indexOf(this), 1);
  }
}
Object.assign(globalThis, { window, document, Node, Text, HTMLElement, Element, IntersectionObserver });
Object.assign(globalThis, { requestAnimationFrame: frames, cancelAnimationFrame: clearTimeout });
Object.assign(globalThis, { location: window.location, sessionStorage: window.sessionStorage, localStorage: window.localStorage });

/** Wait, one turn of the event loop at a time, until the condition is true. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export const textOf = (element) => element.textContent.replaceAll(/\s+/g, " ").trim();
