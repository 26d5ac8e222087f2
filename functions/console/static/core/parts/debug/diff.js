/** Compares two texts word by word. */

/** @typedef {{ kind: "same" | "removed" | "added", text: string }} DiffPart */

/** Above this product of the two numbers of words, only the common beginning and end are found. */
const MOST_WORK = 1_000_000;

/**
 * Return the parts of both texts in order: those with `same` and `removed` make up `before`, those with `same` and `added`
 * make up `after`.
 * @param {string} before
 * @param {string} after
 * @returns {DiffPart[]}
 */
export function diff(before, after) {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  /** @type {DiffPart[]} */
  const parts = [];
  push(parts, "same", a.slice(0, head));
  middle(parts, a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  push(parts, "same", tail === 0 ? [] : a.slice(-tail));
  return parts;
}

/** @param {string} text */
function words(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|./gsu) ?? [];
}

/**
 * @param {DiffPart[]} parts
 * @param {DiffPart["kind"]} kind
 * @param {readonly string[]} added
 */
function push(parts, kind, added) {
  if (added.length === 0) return;
  const last = parts.at(-1);
  if (last?.kind === kind) last.text += added.join("");
  else parts.push({ kind, text: added.join("") });
}

/**
 * Longest common subsequence.
 * @param {DiffPart[]} parts
 * @param {readonly string[]} a
 * @param {readonly string[]} b
 */
function middle(parts, a, b) {
  if (a.length === 0 || b.length === 0 || a.length * b.length > MOST_WORK) {
    push(parts, "removed", a);
    push(parts, "added", b);
    return;
  }
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const down = longest[(i + 1) * width + j] ?? 0;
      const right = longest[i * width + j + 1] ?? 0;
      longest[i * width + j] = a[i] === b[j] ? (longest[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(down, right);
    }
  }
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      push(parts, "same", [a[i] ?? ""]);
      i += 1;
      j += 1;
    } else if ((longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0)) {
      push(parts, "removed", [a[i] ?? ""]);
      i += 1;
    } else {
      push(parts, "added", [b[j] ?? ""]);
      j += 1;
    }
  }
  push(parts, "removed", a.slice(i));
  push(parts, "added", b.slice(j));
}
