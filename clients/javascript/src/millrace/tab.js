/** The tab's id, by which the server knows that a reloaded page is the one that held the stream before. */

const KEY = "millrace.tab";
/** How long a reloaded page waits for the page it replaces to be gone, in milliseconds. */
const HANDOVER = 300;

/**
 * @typedef {{ id: string, release: () => void }} Tab
 * @typedef {{ storage?: Pick<Storage, "getItem" | "setItem"> | null, locks?: LockManager | null }} TabParts
 */

/**
 * The id kept in `sessionStorage`, which survives a reload. A duplicated tab gets a copy of it: a lock, which only one
 * of the two can hold, tells which of them has to take a new one.
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
 * Holds the id's lock until the function it answers is called; null when another page keeps it.
 * @param {LockManager | null} locks
 * @param {string} id
 * @returns {Promise<(() => void) | null>}
 */
function hold(locks, id) {
  if (locks === null) return Promise.resolve(() => {});
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), HANDOVER);
  return new Promise((resolve) => {
    locks
      .request(`${KEY}.${id}`, { signal: patience.signal }, () => {
        clearTimeout(timer);
        return new Promise((/** @type {(value?: undefined) => void} */ release) => resolve(() => release()));
      })
      .catch(() => resolve(null));
  });
}

/** @returns {Storage | null} null where there is none, or where the user has forbidden it */
function sessionStorageOrNull() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
