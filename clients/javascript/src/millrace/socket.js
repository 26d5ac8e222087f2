/** One WebSocket connection of the channel, with its pings. It ends once, and says why. */

/** @import { ClientMessage, ServerMessage } from "../../../../docs/api/types" */
/** @import { ChannelTimes } from "./channel.js" */

/**
 * The part of a WebSocket that the channel uses: the browser's, Node's, or that of the package `ws`.
 * @typedef {object} SocketLike
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 * @property {(text: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 */
/** @typedef {new (url: string, protocols: string[]) => SocketLike} SocketClass */
/**
 * @typedef {object} SocketHandlers
 * @property {() => void} onOpen
 * @property {(message: ServerMessage) => void} onMessage
 * @property {(opened: boolean) => void} onEnd the connection has ended; `opened` tells whether it ever was open
 * @property {() => Record<string, number>} positions the number of the last event of each topic
 */

export class ChannelSocket {
  /** When it was opened, in milliseconds since 1970; 0 before. */
  openedAt = 0;
  /** @type {SocketLike} */
  #socket;
  #handlers;
  #times;
  #ended = false;
  #opening = 0;
  #quiet = 0;
  #unanswered = 0;
  #pings = 0;

  /**
   * @param {SocketLike} socket a new one, which is connecting
   * @param {SocketHandlers} handlers
   * @param {ChannelTimes} times
   */
  constructor(socket, handlers, times) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#times = times;
    socket.onopen = () => this.#open();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#end();
    socket.onerror = () => {}; // a close event follows, and says no less
    this.#opening = timer(() => this.close(), times.open);
  }

  get opened() {
    return this.openedAt > 0;
  }

  /** @param {ClientMessage} message */
  send(message) {
    if (this.#ended || !this.opened) return;
    this.#socket.send(JSON.stringify(message));
    this.#restart(); // the topics may have changed, and with them how long it may be quiet
  }

  /** Close the connection. It counts as ended at once: a broken network would let the closing handshake wait. */
  close() {
    this.#end();
    this.#socket.close(1000);
  }

  /** Ask for everything that is missing. */
  ping() {
    this.#pings += 1;
    this.send({ type: "ping", id: `ping-${this.#pings}`, positions: this.#handlers.positions() });
    this.#unanswered ||= timer(() => this.close(), this.#times.pong);
  }

  #open() {
    if (this.#ended) return;
    clearTimeout(this.#opening);
    this.openedAt = Date.now();
    this.#restart();
    this.#handlers.onOpen();
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.#ended) return;
    clearTimeout(this.#unanswered); // any message shows that the server is there
    this.#unanswered = 0;
    // With several topics, the events of one must not put off the ping that repairs another.
    if (this.#topics() <= 1) this.#restart();
    const message = readMessage(data);
    if (message !== null) this.#handlers.onMessage(message);
  }

  #topics() {
    return Object.keys(this.#handlers.positions()).length;
  }

  #restart() {
    clearTimeout(this.#quiet);
    this.#quiet = timer(() => this.ping(), this.#topics() > 0 ? this.#times.ping : this.#times.idlePing);
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    for (const each of [this.#opening, this.#quiet, this.#unanswered]) clearTimeout(each);
    this.#handlers.onEnd(this.opened);
  }
}

/**
 * @param {() => void} run
 * @param {number} milliseconds
 * @returns {number}
 */
function timer(run, milliseconds) {
  return /** @type {any} */ (setTimeout(run, milliseconds));
}

/**
 * Return the message; null for a text that is not one, such as API Gateway's report of a failed function.
 * @param {unknown} data
 * @returns {ServerMessage | null}
 */
function readMessage(data) {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
