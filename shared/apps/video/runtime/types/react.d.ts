/** The names that runtime/react.js exports, and React's types. */
export type CSSProperties = any;
export type ComponentProps<T> = any;
export type ComponentType<P = any> = any;
export type FC<P = any> = (props: any) => any;
export type FunctionComponent<P = any> = FC<P>;
export type VFC<P = any> = FC<P>;
export type PropsWithChildren<P = any> = any;
export type ReactElement = any;
export type ReactNode = any;
export type SVGProps<T> = any;
export namespace JSX {
  type Element = any;
}
export const Children: any;
export const Fragment: any;
export const cloneElement: any;
export const createElement: any;
export const isValidElement: any;
export function memo<T>(component: T): T;
export function useCallback<T>(callback: T, inputs?: any[]): T;
export function useMemo<T>(factory: () => T, inputs?: any[]): T;
declare const React: any;
export default React;
declare global {
  namespace React {
    type CSSProperties = any;
    type FC<P = any> = (props: any) => any;
    type ReactNode = any;
  }
}
