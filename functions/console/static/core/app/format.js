/** Formats times, token counts and costs in the browser's language. */

/** @import { Retention } from "./context.js" */
/** @import { JobUsage } from "../../../../../docs/api/types" */

const NUMBER = new Intl.NumberFormat();
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
/** @param {number} digits at most, after the point */
const usdFormat = (digits) =>
  new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits });
// Created once: it takes as long as drawing a row of a list.
const [USD, USD_BELOW_A_CENT] = [usdFormat(4), usdFormat(6)];
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How far ahead a server's clock may be, in seconds. */
const AHEAD = 5;

/** @param {number} count */
export function number(count) {
  return NUMBER.format(count);
}

/** @param {string} iso */
export function time(iso) {
  return TIME.format(new Date(iso));
}

/**
 * `3 minutes ago`, `in 2 hours`.
 * @param {string} iso
 * @param {number} [now] milliseconds since 1970
 */
export function ago(iso, now = Date.now()) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return AGO.format(Math.round(seconds / length), unit);
  }
  // The server's clock may be a little ahead: what has just happened is not in the future.
  return AGO.format(seconds > 0 && seconds < AHEAD ? 0 : Math.round(seconds), "second");
}

/**
 * `0.8 s`, `42 s`, `3 min 20 s`.
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * The cost of a job. An amount below one cent has up to 6 decimal places, any other up to 4.
 * @param {number | null} usd
 */
export function cost(usd) {
  if (usd === null) return "unknown price";
  return (usd > 0 && usd < 0.01 ? USD_BELOW_A_CENT : USD).format(usd);
}

/**
 * A number of tokens. With calls that the provider has not reported it is the least that can be true, and 0 is unknown.
 * @param {number} tokens
 * @param {number} unreported calls without a report
 */
export function tokensOf(tokens, unreported) {
  if (unreported === 0) return number(tokens);
  return tokens > 0 ? `at least ${number(tokens)}` : "not reported";
}

/**
 * The cost of a job; with calls that the provider has not reported, the least that it can be.
 * @param {JobUsage} usage
 * @param {{ scriptedModel: boolean }} [config]
 */
export function costOf({ costUsd, unreportedCalls }, { scriptedModel } = { scriptedModel: false }) {
  if (scriptedModel && costUsd === null) return "scripted, no cost";
  return costUsd !== null && unreportedCalls > 0 ? `at least ${cost(costUsd)}` : cost(costUsd);
}

/**
 * What AWS's services cost for a job; with invocations that were killed, the least that it can be.
 * @param {JobUsage} usage
 */
export function awsCostOf({ compute, cost: estimate }) {
  const usd = estimate?.awsUsd ?? null;
  if (usd === null) return "unknown";
  return (compute?.lostInvocations ?? 0) > 0 ? `at least ${cost(usd)}` : cost(usd);
}

/**
 * The cost of a job's model tokens and of AWS together, as far as it is known; null if none of it is.
 * @param {JobUsage} usage
 */
export function totalCostOf({ unreportedCalls, compute, cost: estimate }) {
  const known = [estimate?.modelUsd ?? null, estimate?.awsUsd ?? null].filter((usd) => usd !== null);
  if (known.length === 0) return null;
  const isLeast = known.length < 2 || unreportedCalls > 0 || (compute?.lostInvocations ?? 0) > 0;
  const total = cost(known.reduce((sum, usd) => sum + usd, 0));
  return isLeast ? `at least ${total}` : total;
}

/**
 * `340 bytes`, `1.5 MB`.
 * @param {number} count
 */
export function bytes(count) {
  if (count < 1_000) return `${count} bytes`;
  const [unit, size] = count < 1_000_000 ? ["kB", 1_000] : ["MB", 1_000_000];
  const value = count / size;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/**
 * Say how long this deployment keeps jobs after their end.
 * @param {Retention} retention
 */
export function retentionText({ jobSeconds, failedJobSeconds, archiveDays }) {
  const kept = jobSeconds === failedJobSeconds
    ? `Ended jobs are kept for ${span(jobSeconds)}`
    : `Completed jobs are kept for ${span(jobSeconds)}, failed and cancelled ones for ${span(failedJobSeconds)}`;
  return archiveDays === 0 ? `${kept}.` : `${kept}; afterwards the archive keeps them for ${count(archiveDays, "day")}.`;
}

/**
 * `10 minutes`, `1 hour`, `90 seconds`: the largest unit of which it is a whole number.
 * @param {number} seconds
 */
function span(seconds) {
  const [unit, length] = UNITS.find(([, each]) => seconds % each === 0) ?? ["second", 1];
  return count(seconds / length, unit);
}

/**
 * @param {number} amount
 * @param {string} unit
 */
function count(amount, unit) {
  return `${number(amount)} ${unit}${amount === 1 ? "" : "s"}`;
}
