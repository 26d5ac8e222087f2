/** Take from scenes whatever would make two drawings of one frame differ. */

import { randomNumbers } from "./motion.js";

let next = () => 0;
const DAWN = Date.UTC(2020, 0, 1);

/** Start the random numbers of one drawing again: every drawing of a frame gets the same ones. */
export function beginDrawing() {
  next = randomNumbers("millrace");
}

/** Replace random numbers, the clock and timers of this realm. Call it before a scene is imported. */
export function freeze() {
  Math.random = () => next();
  const RealDate = Date;
  const FrozenDate = class extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [DAWN] : given));
    }
    static now() {
      return DAWN;
    }
  };
  const inert = () => 0;
  const replaced = {
    Date: FrozenDate,
    setTimeout: inert,
    setInterval: inert,
    setImmediate: inert,
    queueMicrotask: inert,
    requestAnimationFrame: inert,
    requestIdleCallback: inert,
  };
  for (const [name, value] of Object.entries(replaced)) {
    if (name in globalThis) Object.defineProperty(globalThis, name, { value, writable: false, configurable: false });
  }
  if (globalThis.performance) Object.defineProperty(globalThis.performance, "now", { value: () => 0 });
}
