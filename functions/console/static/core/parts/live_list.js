/** A live list on a page: bars while it is loading, a problem, what to do with an empty one, its rows, and the next page. */

/** @import { ListWatch } from "../../millrace/list_watch.js" */
/** @import { IconName } from "../app/icons.js" */
/** @import { Child } from "../app/preact.js" */
/** @import { ItemTableProperties } from "./item_table.js" */

import { Icon } from "../app/icon_component.js";
import { mounted } from "../app/mounted.js";
import { Fragment, h, useEffect, useRef } from "../app/preact.js";
import { useList } from "../app/use_list.js";
import { ItemTable } from "./item_table.js";
import { ProblemCard } from "./problem_component.js";
import { Skeleton } from "./skeleton.js";

/**
 * @typedef {object} FrameProperties
 * @property {ListWatch<any, any>} list is connected while the component is shown
 * @property {string} name of the items, as in `Loading jobs…`
 * @property {Child | ((filter: any) => Child)} empty shown if there are no items; as a function of the list's filter, because a
 *   list that is filtered may have other items
 * @property {() => void} signIn
 * @property {(items: readonly any[]) => Child} rows shows the items, of which there is at least one
 * @property {boolean} [more] whether the user can read more than the first page; true by default
 */

/** @param {FrameProperties} properties */
export function ListFrame({ list, name, empty, signIn, rows, more = true }) {
  const { state, filter, items, problem, more: isMore, loadingMore } = useList(list);
  useEffect(() => {
    list.connect();
    return () => list.stop();
  }, [list]);
  const loading = state === "loading" || state === "idle";
  return h(Fragment, {},
    problem && h(ProblemCard, { problem, actions: actionsOf(problem, list, signIn) }),
    h("div", { "aria-busy": loading ? "true" : "false" },
      loading && items.length === 0 && h(Skeleton, { label: `Loading ${name}…` }),
      state === "ready" && items.length === 0 && !isMore && (typeof empty === "function" ? empty(filter) : empty),
      items.length > 0 && rows(items),
      more && state === "ready" && isMore && h(More, { list, loading: loadingMore })));
}

/**
 * A live list as an element, for pages that are not components.
 * @template T
 * @param {Omit<FrameProperties, "rows"> & Omit<ItemTableProperties<T>, "items">} properties
 */
export function liveList({ list, name, empty, signIn, ...table }) {
  return mounted(ListFrame, {
    ...{ list, name, empty, signIn },
    rows: (/** @type {readonly T[]} */ items) => h(ItemTable, { ...table, items }),
  });
}

/**
 * What a list without items shows: a sentence, and one action.
 * @param {{ icon: IconName, text: string, action?: Child }} properties
 */
export function Empty({ icon, text, action }) {
  return h("div", { class: "empty" }, h(Icon, { name: icon }), h("p", {}, text), action);
}

/**
 * What a list shows if its filters leave nothing.
 * @param {{ icon: IconName, text: string, clear: () => void }} properties
 */
export function NoMatch({ icon, text, clear }) {
  return h(Empty, { icon, text, action: h("button", { type: "button", class: "button", onclick: clear }, "Clear filters") });
}

/**
 * @param {import("../../millrace/watch.js").Problem} problem
 * @param {ListWatch<any, any>} list
 * @param {() => void} signIn
 */
function actionsOf({ code, retryable }, list, signIn) {
  if (code === "UNAUTHENTICATED") return [{ label: "Sign in", act: signIn, main: true }];
  return retryable ? [{ label: "Try again", act: () => list.refresh(), main: true }] : [];
}

/**
 * Loads the next items when it comes near the visible part of the page, or when it is clicked.
 * @param {{ list: ListWatch<any, any>, loading: boolean }} properties
 */
function More({ list, loading }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (place.current === null || loading) return;
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && list.loadMore(), { rootMargin: "800px" });
    seen.observe(place.current);
    return () => seen.disconnect();
  }, [list, loading]);
  return h("p", { class: "actions", ref: place },
    h("button", { type: "button", class: "button", "aria-disabled": loading ? "true" : null, onclick: () => list.loadMore() },
      loading ? "Loading…" : "Show more"));
}
