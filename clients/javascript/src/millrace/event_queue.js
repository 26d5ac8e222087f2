/** The events of a watch that one iteration over them has not read yet. */

/** @import { WatchedEvent } from "./watch.js" */

export class EventQueue {
  /** @type {WatchedEvent[]} */
  #waiting = [];
  #ended = false;
  /** What the iteration throws at its end. @type {unknown} */
  #fault = null;
  #wake = () => {};

  /** @param {WatchedEvent} event */
  push(event) {
    this.#waiting.push(event);
    this.#wake();
  }

  /** @param {unknown} [fault] what the iteration throws after the events that are waiting; nothing by default */
  end(fault = null) {
    this.#ended = true;
    this.#fault = fault;
    this.#wake();
  }

  /**
   * Return the events, first those that are waiting.
   * @param {AbortSignal | undefined} signal ends the iteration, which throws the signal's reason
   * @param {() => void} close is called when the iteration ends, for whatever reason
   * @returns {AsyncGenerator<WatchedEvent, void, undefined>}
   */
  async *read(signal, close) {
    const wake = () => this.#wake();
    signal?.addEventListener("abort", wake);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const event = this.#waiting.shift();
        if (event !== undefined) yield event;
        else if (this.#ended) break;
        else await new Promise((/** @type {(value?: undefined) => void} */ resolve) => (this.#wake = resolve));
      }
      if (this.#fault !== null) throw this.#fault;
    } finally {
      signal?.removeEventListener("abort", wake);
      close();
    }
  }
}
