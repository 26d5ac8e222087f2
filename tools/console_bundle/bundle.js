/**
 * Bundle the console: `node bundle.js STATIC` writes `STATIC/bundle/` with a page, a style sheet and the modules.
 *
 * Prints for each file its size in bytes, plain and compressed. Exits with 1 if a module cannot be resolved.
 */

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";

import { transform } from "esbuild";
import { rolldown } from "rolldown";

const FILES_AT = "/console/static/";
/**
 * The entry has all modules that a first visit needs. A second chunk has those that a signed-in user needs first: the home page
 * with all that it imports. A third one has what at least two of the other pages need.
 */
const ENTRY = "main";
const SIGNED_IN = "signed_in";
const SHARED_BY_PAGES = "shared_by_pages";
const OF_SIGNED_IN = ["core/pages/home.js"];
const TARGET = "es2022";

/** The modules of the first two chunks, by the path of their files. */
const first = new Set();
const signedIn = new Set();
const folder = resolve(process.argv[2] ?? "");
const bundle = join(folder, "bundle");
rmSync(bundle, { recursive: true, force: true });
mkdirSync(bundle, { recursive: true });
const page = readFileSync(join(folder, "index.html"), "utf8");

const chunks = await bundleModules();
write("style.css", await bundleStyleSheets());
writeFileSync(join(bundle, "index.html"), bundledPage());
for (const { fileName, code } of chunks) report(fileName, code);

/** Bundle `main.js` and all that it imports, and return the chunks. A warning is an error. */
async function bundleModules() {
  const build = await rolldown({
    input: { [ENTRY]: join(folder, "main.js") },
    platform: "browser",
    transform: { target: TARGET },
    onLog: (level, log) => {
      if (level === "warn") throw new Error(log.message);
    },
    plugins: [{ name: "addresses-of-modules", transform: withModuleAddress }, { name: "first-modules", buildEnd: findFirst }],
  });
  const { output } = await build.write({
    ...{ dir: bundle, format: "es", minify: true, comments: { legal: true } },
    ...{ entryFileNames: "[name].js", chunkFileNames: "[name].js" },
    codeSplitting: {
      groups: [
        { name: ENTRY, priority: 2, test: (id) => first.has(id) },
        { name: SIGNED_IN, priority: 1, test: (id) => signedIn.has(id) },
        { name: SHARED_BY_PAGES, minShareCount: 2, test: (id) => !first.has(id) && !signedIn.has(id) },
      ],
    },
  });
  return output.filter((each) => each.type === "chunk");
}

/** Find the modules of the first two chunks: what they import, without what is imported when another page is shown. */
function findFirst() {
  const importsOf = (names, into, without) => {
    const found = [...names];
    for (const id of found) {
      if (into.has(id) || without.has(id)) continue;
      into.add(id);
      found.push(...this.getModuleInfo(id).importedIds);
    }
  };
  importsOf([join(folder, "main.js")], first, new Set());
  importsOf(OF_SIGNED_IN.map((name) => join(folder, name)), signedIn, first);
}

/**
 * Keep the address that a module has of itself, from which it finds files such as libraries in `vendor/`.
 * @param {string} code
 * @param {string} id the path of the module's file
 */
function withModuleAddress(code, id) {
  const address = `new URL("../${relative(folder, id)}", import.meta.url).href`;
  return code.includes("import.meta.url") ? code.replaceAll("import.meta.url", address) : null;
}

/**
 * Join the style sheets: first those that the page links, in its order, then the applications', as the site does
 * (`shared/web/site.py`).
 */
async function bundleStyleSheets() {
  const linked = [...page.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map(([, path]) => path.slice(FILES_AT.length));
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && each.name.endsWith(".css"))
    .map((each) => relative(folder, join(each.parentPath, each.name)))
    .filter((name) => !/^(vendor|bundle)\//.test(name) && !linked.includes(name))
    .sort();
  const all = [...linked, ...found].map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  if (/@import|url\((?!["']?data:)/.test(all)) throw new Error("a style sheet names another file, which would not be found");
  const { code, warnings } = await transform(all, { loader: "css", minify: true, target: TARGET });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join("\n"));
  return code;
}

/** Return the page with links to the bundle's files. The chunk that the entry imports is fetched together with it. */
function bundledPage() {
  const entry = chunks.find(({ isEntry }) => isEntry);
  const links = [
    `<link rel="stylesheet" href="${FILES_AT}bundle/style.css">\n`,
    ...entry.imports.map((name) => `<link rel="modulepreload" href="${FILES_AT}bundle/${name}">\n`),
  ];
  const without = page.replace(/<link rel="stylesheet"[^>]*>\n?/g, "");
  const main = `"${FILES_AT}main.js"`;
  if (!without.includes(main)) throw new Error(`index.html does not have ${main}`);
  return without.replace(main, `"${FILES_AT}bundle/${entry.fileName}"`).replace("</head>", `${links.join("")}</head>`);
}

/**
 * @param {string} name
 * @param {string} text
 */
function write(name, text) {
  writeFileSync(join(bundle, name), text);
  report(name, text);
}

/**
 * @param {string} name
 * @param {string} text
 */
function report(name, text) {
  console.log(`${String(Buffer.byteLength(text)).padStart(8)} ${String(gzipSync(text).length).padStart(7)}  ${name}`);
}
