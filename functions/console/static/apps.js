/** The applications of the console, in the order of the navigation; "New job" leads to the form of the first. */

/** @import { Application } from "./core/app/applications.js" */

import { ideation } from "./apps/ideation/index.js";
import { sheets } from "./apps/sheets/index.js";
import { suggestions } from "./apps/suggestions/index.js";
import { render, video } from "./apps/video/index.js";

/** @type {readonly Application[]} */
export const applications = [suggestions, ideation, ...sheets, video, render];
