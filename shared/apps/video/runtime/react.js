/** The part of React that a function of the frame can use; scenes import it as "react". */

import { createElement, Fragment } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { Children, cloneElement, isValidElement, memo } from "preact/compat";

export { Children, cloneElement, createElement, Fragment, isValidElement, memo, useCallback, useMemo };
export default { Children, cloneElement, createElement, Fragment, isValidElement, memo, useCallback, useMemo };
