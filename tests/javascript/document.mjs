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

/** A page that is not as it should be by then never will be. */
const MOST_TURNS = 5_000;

/** Wait, one turn of the event loop at a time, until the page is as it should be; it needs some tens of turns. */
export async function until(condition) {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`after ${MOST_TURNS} turns the page is: ${document.body.textContent}`);
}

export const textOf = (element) => element.textContent.replaceAll(/\s+/g, " ").trim();
