/** Keeps the end of a growing text on the screen while the reader is there, and leaves a reader alone who has scrolled up. */

/** How far below the screen's edge the end may be for a reader who is still at the end, in pixels. */
const NEAR = 80;
/** The space that is kept below the end, in pixels. */
const MARGIN = 24;

/**
 * What the follower measures, in pixels: the end of the text relative to the top of the screen, the height of the screen,
 * and how far the page is scrolled.
 * @typedef {{ end: () => number, height: () => number, scrolled: () => number, scrollTo: (position: number) => void }} Screen
 */

export class EndFollower {
  #screen;
  #onChange;
  #follows;
  #last;
  #away = false;

  /**
   * @param {Screen} screen
   * @param {(isAway: boolean) => void} onChange is called when the end leaves the screen of a reader who does not follow, and when it is back
   */
  constructor(screen, onChange) {
    this.#screen = screen;
    this.#onChange = onChange;
    this.#follows = this.#isNear();
    this.#last = screen.scrolled();
    this.#tell();
  }

  /** The text has grown. */
  grown() {
    const below = this.#screen.end() + MARGIN - this.#screen.height();
    if (this.#follows && below > 0) this.#scrollBy(below);
    this.#tell();
  }

  /** The page was scrolled. Only scrolling up leaves the end: the text may have grown since the page last followed it. */
  scrolled() {
    const now = this.#screen.scrolled();
    if (this.#isNear()) this.#follows = true;
    else if (now < this.#last) this.#follows = false;
    this.#last = now;
    this.#tell();
  }

  /** Go to the end, and follow it from now on. */
  jump() {
    this.#follows = true;
    this.#scrollBy(this.#screen.end() + MARGIN - this.#screen.height());
    this.#tell();
  }

  #isNear() {
    return this.#screen.end() <= this.#screen.height() + NEAR;
  }

  /** @param {number} pixels */
  #scrollBy(pixels) {
    this.#screen.scrollTo(this.#screen.scrolled() + pixels);
    this.#last = this.#screen.scrolled();
  }

  #tell() {
    const away = !this.#follows && !this.#isNear();
    if (away === this.#away) return;
    this.#away = away;
    this.#onChange(away);
  }
}
