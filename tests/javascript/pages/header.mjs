/** The header of every page, drawn in a document without a browser: its navigation, and the choice of colors. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { textOf } from "../document.mjs";

const STATIC = "../../../functions/console/static";
const { applications } = await import(`${STATIC}/apps.js`);
const { Applications } = await import(`${STATIC}/core/app/applications.js`);
const { showHeader } = await import(`${STATIC}/core/app/header.js`);
const { showTheme } = await import(`${STATIC}/core/app/themes.js`);

const root = document.documentElement;
const [nav, user] = [document.createElement("nav"), document.createElement("div")];
document.body.append(nav, user);
const header = (path) => showHeader({ applications: new Applications(applications), session: { signedIn: true, user: "Ada" } }, path, { nav, user });
const item = (label) => [...user.querySelectorAll(".menu-list button")].find((each) => textOf(each) === label);
const pressed = () => [...user.querySelectorAll('[aria-pressed="true"]')].map(textOf);

beforeEach(() => {
  localStorage.clear();
  showTheme();
});

test("the colors that the user chooses are shown at once, marked in the menu, and kept for the next page", () => {
  header("/console/jobs");
  assert.deepEqual([pressed(), root.dataset.theme], [["System colors"], undefined]);
  item("Dark colors").click();
  assert.deepEqual([pressed(), root.dataset.theme], [["Dark colors"], "dark"]);
  assert.equal(document.activeElement, user.querySelector(".menu-button"));

  delete root.dataset.theme; // a reload: nothing but the storage is left
  showTheme();
  header("/console/jobs");
  assert.deepEqual([pressed(), root.dataset.theme], [["Dark colors"], "dark"]);
  item("Light colors").click();
  assert.equal(root.dataset.theme, "light");
  item("System colors").click();
  assert.deepEqual([pressed(), root.dataset.theme, localStorage.length], [["System colors"], undefined, 0]);
});

test("colors that no version of the console knows, and a browser without storage, are those of the system", () => {
  localStorage.setItem("millrace.theme", "sepia");
  showTheme();
  header("/console/jobs");
  assert.deepEqual([pressed(), root.dataset.theme], [["System colors"], undefined]);

  const kept = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => { throw new Error("denied"); } });
  try {
    item("Dark colors").click(); // for this page only
    assert.deepEqual([pressed(), root.dataset.theme], [["System colors"], "dark"]);
  } finally {
    Object.defineProperty(globalThis, "localStorage", kept);
  }
});

test("the navigation marks the page that is shown, and its menu lists every form", () => {
  header("/console/agents/agt_1");
  assert.deepEqual([...nav.querySelectorAll("[aria-current]")].map(textOf), ["Agents"]);
  const forms = applications.flatMap(({ form }) => form ?? []).map(({ title }) => title);
  assert.deepEqual([...nav.querySelectorAll(".menu-list a")].map(textOf), forms);
});
