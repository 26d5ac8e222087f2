/** Numbers in styles mean what they mean in React: pixels, but for these properties, which Preact would give pixels too. */

import { options } from "preact";

const WITHOUT_UNIT = ["aspectRatio", "borderImageOutset", "borderImageSlice", "borderImageWidth", "columns", "scale", "tabSize"];

const before = options.vnode;
options.vnode = (vnode) => {
  const style = vnode.props?.style;
  if (typeof vnode.type === "string" && style !== null && typeof style === "object") {
    for (const name of WITHOUT_UNIT) {
      if (typeof style[name] === "number") vnode.props.style = { ...vnode.props.style, [name]: String(style[name]) };
    }
  }
  before?.(vnode);
};
