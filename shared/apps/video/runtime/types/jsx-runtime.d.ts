/** Any element may have any property: the type check looks for names that are not there. */
export namespace JSX {
  type Element = any;
  interface IntrinsicAttributes {
    key?: any;
  }
  interface IntrinsicElements {
    [name: string]: any;
  }
}
export const jsx: any;
export const jsxs: any;
export const Fragment: any;
