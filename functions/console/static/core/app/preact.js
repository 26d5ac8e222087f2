/**
 * Preact with types: `h` describes elements, hooks keep a component's state. The only module that imports the library.
 *
 *     import { h, useState } from "../app/preact.js";
 */

import * as vendored from "../../vendor/preact/preact.js";

/** @typedef {object} VNode the description of an element or a component */
/** @typedef {VNode | string | number | boolean | null | undefined | readonly unknown[]} Child an array contains children */
/**
 * A function that returns what is shown for these properties. Preact calls it again with each change of its state.
 * @template P
 * @typedef {(properties: P) => Child} Component
 */
/**
 * Attributes by name, as `h` of dom.js has them. `key` identifies a child of a list; `ref` receives the element.
 * @typedef {Record<string, any>} Attributes
 */
/**
 * @template T
 * @typedef {{ current: T }} Ref
 */
/**
 * @typedef {object} Preact
 * @property {<P>(type: string | Component<P>, properties?: P | Attributes | null, ...children: Child[]) => VNode} h
 * @property {(child: Child, into: Element) => void} render
 * @property {<S>(first: S | (() => S)) => [S, (next: S | ((before: S) => S)) => void]} useState
 * @property {(effect: () => void | (() => void), inputs?: readonly unknown[]) => void} useEffect after the browser has drawn
 * @property {(effect: () => void | (() => void), inputs?: readonly unknown[]) => void} useLayoutEffect before the browser draws
 * @property {<T>(make: () => T, inputs: readonly unknown[]) => T} useMemo
 * @property {<F extends Function>(callback: F, inputs: readonly unknown[]) => F} useCallback
 * @property {<T>(first: T) => Ref<T>} useRef
 * @property {Component<{}>} Fragment several children without an element around them
 */

// Each function by its name, so that a bundle has only these.
const preact = /** @type {Preact} */ (/** @type {unknown} */ ({
  ...{ Fragment: vendored.Fragment, h: vendored.h, render: vendored.render, useCallback: vendored.useCallback },
  ...{ useEffect: vendored.useEffect, useLayoutEffect: vendored.useLayoutEffect, useMemo: vendored.useMemo },
  ...{ useRef: vendored.useRef, useState: vendored.useState },
}));

export const { Fragment, h, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } = preact;
