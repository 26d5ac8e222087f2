/** The commands that do with cURL what the console does. They contain a variable instead of a token. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */

/** The shell variable that the user sets to a token. */
const TOKEN = '-H "Authorization: Bearer $MILLRACE_TOKEN"';

/**
 * @param {Pick<JobDetail, "pipeline" | "input" | "links" | "statusUrl" | "streamUrl">} job
 * @param {string} origin of the API
 * @returns {{ create: string, get: string, stream: string }}
 */
export function curlOf({ pipeline, input, links, statusUrl, streamUrl }, origin) {
  const known = Object.fromEntries(Object.entries(links).filter(([, value]) => value !== null));
  const body = { pipeline, input, ...(Object.keys(known).length > 0 && { links: known }) };
  const json = '-H "Content-Type: application/json"';
  const key = '-H "Idempotency-Key: $(uuidgen)"';
  return {
    create: lines(`curl -sS -X POST ${quoted(`${origin}/jobs`)}`, TOKEN, json, key, `--data-raw ${quoted(JSON.stringify(body))}`),
    get: lines(`curl -sS ${quoted(new URL(statusUrl, origin).href)}`, TOKEN),
    stream: lines(`curl -sSN ${quoted(new URL(streamUrl, origin).href)}`, TOKEN, '-H "Accept: text/event-stream"'),
  };
}

/** @param {...string} parts */
function lines(...parts) {
  return parts.join(" \\\n  ");
}

/**
 * Quote a word for a POSIX shell: nothing in it is expanded.
 * @param {string} word
 */
export function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * The pages of AWS's console about the job; null where the deployment is not on AWS, or where the job has none.
 * @param {Pick<JobDetail, "executionArn" | "traceId">} job
 * @param {string | null | undefined} awsConsole the origin of AWS's console in the deployment's region
 * @returns {{ execution: string | null, trace: string | null }}
 */
export function awsLinks({ executionArn, traceId }, awsConsole) {
  if (!awsConsole) return { execution: null, trace: null };
  return {
    execution: executionArn && `${awsConsole}/states/home#/v2/executions/details/${encodeURIComponent(executionArn)}`,
    trace: traceId && `${awsConsole}/cloudwatch/home#xray:traces/${encodeURIComponent(traceId)}`,
  };
}
