/** What an application adds to the console, and which application draws the jobs of a pipeline. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { Context } from "./context.js" */
/** @import { IconName } from "./icons.js" */
/** @import { Page } from "./router.js" */

import { sentenceCase } from "./labels.js";
import { jsonOutput } from "./outputs.js";

/** @typedef {{ path: string, label: string, icon?: IconName }} Link a link of the main navigation */
/**
 * An address and its page: `load` imports the page's module when the page is first shown, and returns its function.
 * @typedef {{ pattern: RegExp, load: () => Promise<(context: Context, ...parts: string[]) => Page> }} PageRoute
 */
/**
 * The page on which a user asks for a new job: its link in the navigation, and its card on the home page.
 * @typedef {Link & { title: string, description: string }} Form
 */
/**
 * What a job has produced so far, as an element that follows the job's watch until `stop` is called.
 * @typedef {{ element: HTMLElement, stop: () => void }} Output
 */
/**
 * What an application's `index.js` exports for `apps.js`.
 * @typedef {object} Application
 * @property {string} pipeline the name of its pipeline in the API
 * @property {string} label the name of its jobs in lists, filters and headings
 * @property {readonly string[]} stages the names of the pipeline's stages, in their order; empty if they are unknown
 * @property {Form | null} form null if the console cannot create its jobs
 * @property {readonly Link[]} lists its own lists in the navigation, such as the list of its runs
 * @property {string} [retention] a sentence for the list of jobs: how long the application keeps what jobs leave behind
 * @property {readonly PageRoute[]} routes its own pages, all of which need a signed-in user
 * @property {Record<string, Record<string, string>>} [valueLabels] the labels of the values that fields of an input have, by field
 * @property {(watch: Watch, job: JobDetail) => Output} output draws the output of a job, live or final
 * @property {(runId: string) => string} [runPath] the path of a run's page
 */

/** The applications of this console, in the order of the navigation. */
export class Applications {
  #all;

  /** @param {readonly Application[]} all */
  constructor(all) {
    this.#all = all;
  }

  [Symbol.iterator]() {
    return this.#all[Symbol.iterator]();
  }

  /**
   * Return the application of the pipeline. A pipeline that no application names has its own name as the label, and the
   * output of its jobs is drawn as JSON.
   * @param {string} pipeline
   * @returns {Application}
   */
  of(pipeline) {
    return this.#all.find((each) => each.pipeline === pipeline) ?? unknown(pipeline);
  }

  /** The path of the form that "New job" leads to: the first application's. */
  get defaultFormPath() {
    return this.#all.find(({ form }) => form !== null)?.form?.path ?? "/";
  }
}

/**
 * @param {string} pipeline
 * @returns {Application}
 */
function unknown(pipeline) {
  return {
    ...{ pipeline, label: sentenceCase(pipeline), stages: [], form: null, lists: [], routes: [] },
    output: jsonOutput,
  };
}
