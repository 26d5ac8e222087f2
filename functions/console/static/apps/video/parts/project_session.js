/**
 * A project as the page knows it. The channel tells of every revision, whatever has made it: another tab, another computer,
 * or a client of the API. A message that another tab of this browser sends is followed in this one too.
 */

/** @import { ProjectDetail, ProjectMessage, RevisionDetail } from "../../../../../../docs/api/types" */
/** @import { Millrace, Watch } from "../../../millrace.js" */
/** @import { JobView } from "../../../millrace/view.js" */
/** @import { Film } from "./film.js" */
/** @import { Sent } from "./talk.js" */

import { filmOf, withDrafts } from "./film.js";

const MESSAGES = 50;
const REVISIONS = 50;
/** How often the project is read again while no channel tells of its revisions, in milliseconds. */
const POLL = 5_000;
/** Tabs of this browser tell each other here which project was sent a message. A frame of scenes has another origin, so it hears nothing. */
const TABS = "millrace.projects";

/**
 * @typedef {object} ProjectState
 * @property {ProjectDetail} project
 * @property {Film} film with the drafts of the running job
 * @property {readonly ProjectMessage[]} messages the oldest first
 * @property {boolean} hasOlder whether the chat has messages before them
 * @property {readonly RevisionDetail[]} revisions the newest first
 * @property {JobView | null} job the running one
 */

export class ProjectSession {
  /** @type {ProjectState} */
  state;
  #millrace;
  #show;
  #fail;
  /** @type {Film} */
  #saved;
  /** @type {Map<string, ProjectMessage>} those that were read, by their id */
  #messages = new Map();
  /** @type {string | null | undefined} where the messages before them begin; null without such, undefined before the first read */
  #older;
  /** @type {Watch | null} */
  #watch = null;
  #stopped = false;
  #refreshing = false;
  #again = false;
  #timer = 0;
  #unsubscribe = () => {};
  #tabs = new BroadcastChannel(TABS);
  #onReturn = () => {
    if (!document.hidden) void this.refresh();
  };

  /**
   * @param {Millrace} millrace
   * @param {ProjectDetail} project with its code
   * @param {{ show: (state: ProjectState) => unknown, fail: (error: unknown) => unknown }} listeners
   */
  constructor(millrace, project, { show, fail }) {
    this.#millrace = millrace;
    this.#show = show;
    this.#fail = fail;
    this.#saved = filmOf(project);
    this.state = { project, film: this.#saved, messages: [], hasOlder: false, revisions: [], job: null };
  }

  get id() {
    return this.state.project.projectId;
  }

  async start() {
    document.addEventListener("visibilitychange", this.#onReturn);
    addEventListener("focus", this.#onReturn);
    this.#tabs.onmessage = ({ data }) => {
      if (data === this.id) void this.refresh();
    };
    this.#unsubscribe = this.#millrace.channel.subscribe(`project:${this.id}`, {
      after: this.state.project.revision,
      onEvents: () => this.refresh(),
      onSnapshot: () => this.refresh(),
      onBehind: () => this.refresh(),
      onOpen: () => this.#poll(false),
      onBlocked: () => this.#poll(true),
      onError: () => this.#poll(true),
    });
    await this.#attempt(async () => {
      await this.#complete();
      await this.#readLists();
    });
  }

  stop() {
    this.#stopped = true;
    document.removeEventListener("visibilitychange", this.#onReturn);
    removeEventListener("focus", this.#onReturn);
    this.#unsubscribe();
    this.#tabs.close();
    this.#poll(false);
    this.#watch?.stop();
  }

  /** Read the project again if it has changed. Several calls at once are one reading, and one more behind it. */
  async refresh() {
    this.#again = true;
    if (this.#refreshing) return;
    this.#refreshing = true;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#attempt(async () => {
        const project = await this.#millrace.projects.getIfChanged(this.id, this.state.project.revision);
        if (project !== null) await this.#take(project);
        await this.#readLists();
      });
    }
    this.#refreshing = false;
  }

  /**
   * Send a message, and follow the job that answers it.
   * @param {Sent & { selectedSceneId?: string | null }} message
   */
  async send(message) {
    const { jobId } = await this.#millrace.projects.send(this.id, message);
    this.#follow(jobId);
    this.#tabs.postMessage(this.id);
    await this.refresh();
  }

  /**
   * Return to a revision; with `sceneId`, of that scene only.
   * @param {number} revision
   * @param {string} [sceneId]
   */
  async goBack(revision, sceneId) {
    const seen = this.state.project.revision;
    await this.#take(await this.#millrace.projects.revert(this.id, revision, { seen, ...(sceneId !== undefined && { sceneId }) }));
    await this.refresh();
  }

  /**
   * Return the film as it was at a revision.
   * @param {number} revision
   */
  async filmAt(revision) {
    return filmOf(await this.#millrace.projects.get(this.id, { code: true, revision }));
  }

  cancel() {
    return this.#watch?.cancel();
  }

  /**
   * Read the project again and again, or stop that.
   * @param {boolean} wanted
   */
  #poll(wanted) {
    clearInterval(this.#timer);
    this.#timer = wanted && !this.#stopped ? setInterval(() => !document.hidden && void this.refresh(), POLL) : 0;
  }

  /** @param {ProjectDetail} project maybe without its code */
  async #take(project) {
    const isWhole = project.scenes.every(({ code }) => code !== null);
    const found = isWhole ? project : await this.#millrace.projects.get(this.id, { code: true });
    if (found.revision < this.state.project.revision) return; // a newer one was read meanwhile
    this.#saved = filmOf(found);
    this.#change({ project: found });
    await this.#complete();
  }

  /** Read the scenes whose code was too large for the project's response. */
  async #complete() {
    const missing = this.#saved.scenes.filter(({ code }) => code === null);
    const found = await Promise.all(missing.map(({ id }) => this.#millrace.projects.scene(this.id, id)));
    const code = new Map(found.map((each) => [each.sceneId, each]));
    const { project } = this.state;
    if (found.length === 0) return this.#change({});
    const scenes = project.scenes.map((scene) => ({ ...scene, code: scene.code ?? code.get(scene.sceneId) ?? null }));
    this.#saved = filmOf(/** @type {ProjectDetail} */ ({ ...project, scenes }));
    this.#change({});
  }

  async #readLists() {
    const [messages, revisions] = await Promise.all([
      this.#millrace.projects.messages(this.id, { limit: MESSAGES }),
      this.#millrace.projects.revisions(this.id, { limit: REVISIONS }),
    ]);
    if (this.#older === undefined) this.#older = messages.cursor;
    this.#change({ ...this.#with(messages.messages), revisions: revisions.revisions });
    const running = messages.messages.find(({ role, status }) => role === "user" && status === "running");
    if (running && this.#watch === null) this.#follow(running.jobId);
  }

  /** Read the messages before those that are shown. */
  async showOlder() {
    if (!this.#older) return;
    const page = await this.#millrace.projects.messages(this.id, { limit: MESSAGES, cursor: this.#older });
    this.#older = page.cursor;
    this.#change(this.#with(page.messages));
  }

  /**
   * Keep these messages with those that were read before, which a newer page no longer has. Ids sort by time.
   * @param {readonly ProjectMessage[]} read
   */
  #with(read) {
    for (const each of read) this.#messages.set(each.messageId, each);
    const messages = [...this.#messages.values()].sort((one, other) => (one.messageId < other.messageId ? -1 : 1));
    return { messages, hasOlder: Boolean(this.#older) };
  }

  /** @param {string} jobId */
  #follow(jobId) {
    if (this.#stopped || this.#watch?.view.jobId === jobId) return;
    this.#watch?.stop();
    const watch = this.#millrace.watch(jobId);
    this.#watch = watch;
    watch.subscribe(() => {
      if (this.#watch !== watch || this.#stopped) return;
      this.#change({ job: watch.view });
      if (watch.live || watch.state === "idle") return;
      this.#watch = null;
      void this.#end(watch);
    });
  }

  /** @param {Watch} watch whose job has ended, or which cannot be followed */
  async #end(watch) {
    watch.stop();
    if (watch.problem !== null && watch.view.outcome === null) this.#fail(new Error(watch.problem.message));
    // The drafts stay until the project is read again: its scenes are the same, so nothing flickers.
    await this.refresh();
    if (this.#watch === null) this.#change({ job: null });
  }

  /** @param {Partial<ProjectState>} changed */
  #change(changed) {
    const state = { ...this.state, ...changed };
    this.state = { ...state, film: state.job === null ? this.#saved : withDrafts(this.#saved, state.job.items, state.project.revision) };
    if (!this.#stopped) this.#show(this.state);
  }

  /** @param {() => Promise<unknown>} act */
  async #attempt(act) {
    try {
      await act();
    } catch (error) {
      if (!this.#stopped) this.#fail(error);
    }
  }
}
