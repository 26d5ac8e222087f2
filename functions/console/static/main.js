/** Starts the console with its applications; the only module that knows both. */

import { applications } from "./apps.js";
import { start } from "./core/app/start.js";

start(applications);
