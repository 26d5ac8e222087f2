/** Pure functions that turn a frame into numbers and colours. The names and arguments are those of Remotion's API. */

/** @param {unknown} condition @param {string} message */
function check(condition, message) {
  if (!condition) throw new TypeError(message);
}

const isNumber = (value) => typeof value === "number" && !Number.isNaN(value);

function bezier(x1, y1, x2, y2) {
  check([x1, y1, x2, y2].every(isNumber), "Easing.bezier: it takes four numbers");
  const at = (a, b, t) => 3 * a * t * (1 - t) ** 2 + 3 * b * t * t * (1 - t) + t ** 3;
  return (x) => {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    let low = 0;
    let high = 1;
    for (let step = 0; step < 40; step++) {
      const middle = (low + high) / 2;
      if (at(x1, x2, middle) < x) low = middle;
      else high = middle;
    }
    return at(y1, y2, low);
  };
}

function bounce(t) {
  const scaled = (shift, floor) => 7.5625 * (t - shift) ** 2 + floor;
  if (t < 1 / 2.75) return scaled(0, 0);
  if (t < 2 / 2.75) return scaled(1.5 / 2.75, 0.75);
  if (t < 2.5 / 2.75) return scaled(2.25 / 2.75, 0.9375);
  return scaled(2.625 / 2.75, 0.984375);
}

/** Functions from progress (0 to 1) to progress. `in`, `out` and `inOut` take another of these functions. */
export const Easing = {
  step0: (t) => (t > 0 ? 1 : 0),
  step1: (t) => (t >= 1 ? 1 : 0),
  linear: (t) => t,
  ease: bezier(0.42, 0, 1, 1),
  quad: (t) => t * t,
  cubic: (t) => t ** 3,
  poly: (n) => (t) => t ** n,
  sin: (t) => 1 - Math.cos((t * Math.PI) / 2),
  circle: (t) => 1 - Math.sqrt(1 - t * t),
  exp: (t) => 2 ** (10 * (t - 1)),
  elastic: (bounciness = 1) => (t) => 1 - Math.cos((t * Math.PI) / 2) ** 3 * Math.cos(t * bounciness * Math.PI),
  back: (s = 1.70158) => (t) => t * t * ((s + 1) * t - s),
  bounce,
  bezier,
  in: (easing) => easing,
  out: (easing) => (t) => 1 - easing(1 - t),
  inOut: (easing) => (t) => (t < 0.5 ? easing(t * 2) / 2 : 1 - easing((1 - t) * 2) / 2),
};

function checkRanges(name, input, inputRange, outputRange) {
  check(isNumber(input), `${name}: the input must be a number, and it is ${String(input)}`);
  check(Array.isArray(inputRange) && Array.isArray(outputRange), `${name}: inputRange and outputRange must be arrays`);
  check(
    inputRange.length === outputRange.length,
    `${name}: inputRange has ${inputRange.length} entries, but outputRange has ${outputRange.length}`,
  );
  check(inputRange.length >= 2, `${name}: the ranges need at least two entries`);
  check(inputRange.every(isNumber), `${name}: inputRange must have numbers only, and it is [${inputRange}]`);
  for (let i = 1; i < inputRange.length; i++) {
    check(inputRange[i] > inputRange[i - 1], `${name}: each entry of inputRange must be larger than the one before, and it is [${inputRange}]`);
  }
}

/** Return how far `input` is between the two entries of the range that are around it, and the index of the first. */
function segment(input, range) {
  let i = 1;
  while (i < range.length - 1 && input >= range[i]) i++;
  return { index: i - 1, t: (input - range[i - 1]) / (range[i] - range[i - 1]) };
}

const EXTRAPOLATIONS = ["extend", "clamp", "identity", "wrap"];

/** Return the number at `input`, between the entries of `outputRange`. */
export function interpolate(input, inputRange, outputRange, options = {}) {
  checkRanges("interpolate", input, inputRange, outputRange);
  check(outputRange.every(isNumber), `interpolate: outputRange must have numbers only, and it is [${outputRange}]`);
  const { easing = (t) => t, extrapolateLeft = "extend", extrapolateRight = "extend" } = options ?? {};
  check(typeof easing === "function", "interpolate: easing must be a function, such as Easing.ease");
  const first = inputRange[0];
  const last = inputRange[inputRange.length - 1];
  const side = input < first ? extrapolateLeft : input > last ? extrapolateRight : "extend";
  check(EXTRAPOLATIONS.includes(side), `interpolate: an extrapolation is one of ${EXTRAPOLATIONS.join(", ")}, not ${String(side)}`);
  if (side === "identity") return input;
  let at = input;
  if (side === "clamp") at = Math.min(Math.max(input, first), last);
  if (side === "wrap") at = first + ((((input - first) % (last - first)) + (last - first)) % (last - first));
  const { index, t } = segment(at, inputRange);
  const eased = t >= 0 && t <= 1 ? easing(t) : t;
  return outputRange[index] + eased * (outputRange[index + 1] - outputRange[index]);
}

const NAMED_COLORS = {
  transparent: [0, 0, 0, 0],
  black: [0, 0, 0, 1],
  white: [255, 255, 255, 1],
  gray: [128, 128, 128, 1],
  grey: [128, 128, 128, 1],
  silver: [192, 192, 192, 1],
  red: [255, 0, 0, 1],
  maroon: [128, 0, 0, 1],
  orange: [255, 165, 0, 1],
  gold: [255, 215, 0, 1],
  yellow: [255, 255, 0, 1],
  olive: [128, 128, 0, 1],
  lime: [0, 255, 0, 1],
  green: [0, 128, 0, 1],
  teal: [0, 128, 128, 1],
  cyan: [0, 255, 255, 1],
  aqua: [0, 255, 255, 1],
  blue: [0, 0, 255, 1],
  navy: [0, 0, 128, 1],
  purple: [128, 0, 128, 1],
  magenta: [255, 0, 255, 1],
  fuchsia: [255, 0, 255, 1],
  pink: [255, 192, 203, 1],
};

function hslToRgb(hue, saturation, lightness) {
  const a = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((n) => {
    const k = (n + hue / 30) % 12;
    return 255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  });
}

/** Return [red, green, blue, alpha]; the first three are from 0 to 255. */
function parseColor(color) {
  const text = String(color).trim().toLowerCase();
  if (Object.hasOwn(NAMED_COLORS, text)) return NAMED_COLORS[text];
  if (/^#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/.test(text)) {
    const digits = text.length < 6 ? [...text.slice(1)].map((digit) => digit + digit) : text.slice(1).match(/../g);
    const [red, green, blue, alpha = 255] = digits.map((pair) => Number.parseInt(pair, 16));
    return [red, green, blue, alpha / 255];
  }
  const call = /^(rgb|hsl)a?\(([^)]*)\)$/.exec(text);
  const parts = call ? call[2].split(/[\s,/]+/).filter(Boolean) : [];
  const numbers = parts.map((part) => Number.parseFloat(part));
  const readable = (parts.length === 3 || parts.length === 4) && numbers.every(isNumber);
  check(readable, `interpolateColors: the color ${JSON.stringify(color)} is not known; write it as #rrggbb or rgba(r, g, b, a)`);
  const alpha = parts.length < 4 ? 1 : parts[3].endsWith("%") ? numbers[3] / 100 : numbers[3];
  const [first, second, third] = numbers;
  return [...(call[1] === "rgb" ? [first, second, third] : hslToRgb(((first % 360) + 360) % 360, second / 100, third / 100)), alpha];
}

/** Return the color at `input`, between the colors of `outputRange`; outside the range it is the nearest of them. */
export function interpolateColors(input, inputRange, outputRange) {
  checkRanges("interpolateColors", input, inputRange, outputRange);
  const { index, t } = segment(input, inputRange);
  const [from, to] = [parseColor(outputRange[index]), parseColor(outputRange[index + 1])];
  const within = Math.min(1, Math.max(0, t));
  const [red, green, blue, alpha] = from.map((value, channel) => value + within * (to[channel] - value));
  return `rgba(${Math.round(red)}, ${Math.round(green)}, ${Math.round(blue)}, ${Number(alpha.toFixed(3))})`;
}

/** Return the position of a damped oscillator that starts at 0 and comes to rest at 1. */
function oscillator(seconds, { mass = 1, damping = 10, stiffness = 100 }) {
  const frequency = Math.sqrt(stiffness / mass);
  const ratio = damping / (2 * Math.sqrt(stiffness * mass));
  if (ratio < 1) {
    const damped = frequency * Math.sqrt(1 - ratio * ratio);
    const wave = Math.cos(damped * seconds) + ((ratio * frequency) / damped) * Math.sin(damped * seconds);
    return 1 - Math.exp(-ratio * frequency * seconds) * wave;
  }
  if (ratio === 1) return 1 - Math.exp(-frequency * seconds) * (1 + frequency * seconds);
  const half = frequency * Math.sqrt(ratio * ratio - 1);
  const slow = -ratio * frequency + half;
  const fast = -ratio * frequency - half;
  return 1 - (fast * Math.exp(slow * seconds) - slow * Math.exp(fast * seconds)) / (fast - slow);
}

/** Return after how many frames the spring stays within `threshold` of its end, at most one minute of frames. */
export function measureSpring({ fps, config = {}, threshold = 0.005 }) {
  check(isNumber(fps) && fps > 0, `measureSpring: fps must be a positive number, and it is ${String(fps)}`);
  const longest = Math.ceil(60 * fps);
  let last = 0;
  let quiet = 0;
  for (let frame = 0; frame <= longest && quiet < fps * 2; frame++) {
    quiet++;
    if (Math.abs(oscillator(frame / fps, config) - 1) >= threshold) {
      last = frame + 1;
      quiet = 0;
    }
  }
  return last;
}

/** Return the value of a spring that moves from `from` to `to`. */
export function spring({ frame, fps, config = {}, from = 0, to = 1, delay = 0, durationInFrames, reverse = false }) {
  check(isNumber(frame), `spring: frame must be a number, and it is ${String(frame)}`);
  check(isNumber(fps) && fps > 0, `spring: fps must be a positive number, and it is ${String(fps)}`);
  for (const name of ["mass", "damping", "stiffness"]) {
    const value = config[name];
    check(value === undefined || (isNumber(value) && value > 0), `spring: ${name} must be a positive number, and it is ${String(value)}`);
  }
  const natural = durationInFrames === undefined && !reverse ? 1 : measureSpring({ fps, config });
  const length = durationInFrames ?? natural;
  check(isNumber(length) && length > 0, `spring: durationInFrames must be a positive number, and it is ${String(length)}`);
  const passed = frame - delay;
  const own = Math.max(0, reverse ? length - passed : passed);
  const value = oscillator((durationInFrames === undefined ? own : (own * natural) / length) / fps, config);
  return from + (to - from) * (config.overshootClamping ? Math.min(1, value) : value);
}

/** Return a number from 0 to below 1 that depends on the seed only. */
export function random(seed) {
  check(typeof seed === "string" || isNumber(seed), "random: the seed must be a string or a number, so that every drawing of a frame is the same");
  return randomNumbers(String(seed))();
}

/** Return a function that returns one number from 0 to below 1 after the other; the seed decides which. */
export function randomNumbers(seed) {
  let state = 1779033703 ^ seed.length;
  for (let i = 0; i < seed.length; i++) {
    state = Math.imul(state ^ seed.charCodeAt(i), 3432918353);
    state = (state << 13) | (state >>> 19);
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
