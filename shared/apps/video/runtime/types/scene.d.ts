/** The names that runtime/scene.js exports. */
type Element = (props: any) => any;
export const AbsoluteFill: Element;
export const Freeze: Element;
export const Img: Element;
export const Loop: Element;
export const Sequence: Element;
export const Series: Element & { Sequence: Element };
export const Easing: any;
export function component(name: string): Element;
export function interpolate(input: any, inputRange: any, outputRange: any, options?: any): number;
export function interpolateColors(input: any, inputRange: any, outputRange: any): string;
export function measureSpring(options: any): number;
export function measureText(options: any): { width: number; height: number };
export function random(seed: any): number;
export function spring(options: any): number;
export function useCurrentFrame(): number;
export function useVideoConfig(): { width: number; height: number; fps: number; durationInFrames: number; id: string };

declare global {
  namespace JSX {
    type Element = any;
  }
  const console: { log(...values: any[]): void; warn(...values: any[]): void; error(...values: any[]): void };
}
