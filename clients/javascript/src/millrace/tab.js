/** The tab's id. By it the server recognises that a reloaded page is the holder of an open stream slot. */

const KEY = "millrace.tab";
/** How long a reloaded page waits until the page before it has released its lock, in milliseconds. */
const HANDOVER = 300;

/**
 * @typedef {{ id: string, release: () => void }} Tab
 * @typedef {{ storage?: Pick<Storage, "getItem" | "setItem"> | null, locks?: LockManager | null }} TabParts
 */

/**
 * Return the id in `sessionStorage`, which survives a reload, or a new one. A duplicated tab starts with a copy of the
 * storage. Only one of the two tabs can hold the id's lock; the other one takes a new id.
 * @param {TabParts} [parts]
 * @returns {Promise<Tab>}
 */
export async function claimTab({ storage = sessionStorageOrNull(), locks = globalThis.navigator?.locks ?? null } = {}) {
  const kept = storage?.getItem(KEY) ?? null;
  if (kept !== null) {
    const release = await hold(locks, kept);
    if (release !== null) return { id: kept, release };
  }
  const id = crypto.randomUUID();
  storage?.setItem(KEY, id);
  return { id, release: (await hold(locks, id)) ?? (() => {}) };
}

/**
 * Acquire the id's lock. Return a function that releases it, or null if another page holds it.
 * @param {LockManager | null} locks
 * @param {string} id
 * @returns {Promise<(() => void) | null>}
 */
function hold(locks, id) {
  if (locks === null) return Promise.resolve(() => {});
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), HANDOVER);
  return new Promise((resolve) => {
    locks
      .request(`${KEY}.${id}`, { signal: timeout.signal }, () => {
        clearTimeout(timer);
        return new Promise((/** @type {(value?: undefined) => void} */ release) => resolve(() => release()));
      })
      .catch(() => resolve(null));
  });
}

/** @returns {Storage | null} null if there is none or the user has disabled it */
export function sessionStorageOrNull() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
