/** Idempotency keys for forms. */

/** Return a function that returns the same key for the same content: a form that is sent twice creates one job. */
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
