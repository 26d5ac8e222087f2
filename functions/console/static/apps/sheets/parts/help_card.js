/** Says why a workbook cannot be used now, and offers the one action that helps. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { SheetSession } from "../../../millrace/sheet_session.js" */

import { fill, h } from "../../../core/app/dom.js";
import { dropZone, sendWorkbook } from "./drop_zone.js";
import { obstacleOf } from "./states.js";

/**
 * @param {Context} context
 * @param {SheetSession} session
 * @param {(act: () => Promise<unknown>) => Promise<void>} attempt
 */
export function helpCard(context, session, attempt) {
  const element = h("section", { class: "panel", "aria-label": "State of the workbook", hidden: true });
  const { sheets } = context.millrace;
  const zone = dropZone({
    label: "Drop the file here again.",
    signIn: context.signIn,
    onFile: async (file) => {
      const announced = { name: file.name, bytes: file.size };
      await sendWorkbook(context, () => sheets.createUploadUrl(session.id, announced), file, zone.tell);
      await session.refresh();
    },
  });
  let shown = "";
  return {
    element,
    /** @param {SessionDetail} current */
    show(current) {
      const obstacle = obstacleOf(current);
      const action = current.activeJobId === null ? current.action : null;
      element.hidden = obstacle === null;
      const key = JSON.stringify([obstacle, action]);
      if (key === shown) return;
      shown = key;
      fill(element, h("p", {}, obstacle),
        action === "upload" && zone.element,
        action === "load" && button("Read the file again", () => attempt(() => sheets.load(session.id))),
        action === "recover" && button("Recover the workbook", () => attempt(() => sheets.recover(session.id))));
    },
  };
}

/**
 * @param {string} label
 * @param {() => unknown} act
 */
function button(label, act) {
  return h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: act }, label));
}
