/** Seeded random numbers, so that a failing case can be repeated. */

/**
 * Uniform numbers in [0, 1): mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c).
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Cut the text at positions chosen by `random`, between any two UTF-16 units.
 * @param {string} text
 * @param {() => number} random
 */
export function cut(text, random) {
  const pieces = [];
  const longest = 1 + Math.floor(random() * 12);
  for (let begin = 0; begin < text.length; ) {
    const end = begin + Math.floor(random() * (longest + 1));
    pieces.push(text.slice(begin, end));
    begin = end;
  }
  return pieces;
}
