/** How many ideas each genre has, and how many are planned. */

/** @import { GenreShare } from "../../../../../../docs/api/types" */

import { fill, h } from "../../../core/app/dom.js";

export function genreShares() {
  const list = h("ul", { class: "shares" });
  return {
    element: h("section", { class: "panel", "aria-labelledby": "genres" }, h("h2", { id: "genres" }, "Genres"), list),
    /** @param {readonly GenreShare[]} shares */
    show(shares) {
      fill(list, shares.map(({ genrePath, proportion, planned, found }) => h("li", {},
        h("span", { class: "share-name" }, genrePath.join(" › ")),
        h("span", { class: "share-count" }, `${found} of ${planned}`, h("span", { class: "visually-hidden" }, ` ideas, ${proportion} percent`)),
        h("meter", { min: 0, max: Math.max(1, planned), value: found, "aria-label": `Ideas of ${genrePath.join(" › ")}` }))));
    },
  };
}
