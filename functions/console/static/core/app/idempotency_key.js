/** Idempotency keys of forms. */

/** The same key for the same content: sending a form twice makes one job, changing it makes another. */
export function keyPerContent() {
  let sent = "";
  let key = "";
  return (/** @type {unknown} */ content) => {
    const text = JSON.stringify(content);
    if (text !== sent) key = crypto.randomUUID();
    sent = text;
    return key;
  };
}
