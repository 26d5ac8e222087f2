/** Creates elements without parsing HTML: every string becomes text, even if a model wrote it. */

/** @typedef {Node | string | number | null | undefined | false | readonly unknown[]} Child an array contains children */
/**
 * Attributes by name. The value true sets an empty attribute; false, null and undefined set none. A function listens to
 * the event of its name (`onclick`).
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} Attributes
 */

/**
 * Create an element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * @param {Node} element
 * @param {Child} child
 */
export function append(element, child) {
  if (child === null || child === undefined || child === false) return;
  if (child instanceof Node) element.appendChild(child);
  else if (Array.isArray(child)) for (const each of child) append(element, /** @type {Child} */ (each));
  else element.appendChild(document.createTextNode(String(child)));
}

/**
 * Replace all children of the element.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Set the element's text. If the text has only grown, append to it, so that the user's selection is kept.
 * @param {Element} element that contains only text
 * @param {string} text
 */
export function setText(element, text) {
  const shown = element.textContent ?? "";
  if (shown === text) return;
  const node = element.firstChild;
  if (node instanceof Text && element.childNodes.length === 1 && shown !== "" && text.startsWith(shown)) {
    node.appendData(text.slice(shown.length));
  } else {
    element.textContent = text;
  }
}
