// The package as it is published, in a folder of its own.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * A folder in which the package and a module of ONNX Runtime for browsers are installed.
 * @param {import("node:test").TestContext} context removes it
 * @param {string} [web] the folder that ONNX Runtime comes from
 */
export function installed(context, web = "onnxruntime-web") {
  const folder = mkdtempSync(join(tmpdir(), "edgevoice-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const packed = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { cwd: ROOT, encoding: "utf8" });
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "edgevoice"), { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, packed.trim()), "-C", join(modules, "edgevoice"), "--strip-components=1"]);
  for (const name of ["package.json", "dist/ort.wasm.bundle.min.mjs", "dist/ort.wasm.bundle.min.mjs.map", "dist/ort-wasm-simd-threaded.wasm"]) {
    cpSync(join(ROOT, "node_modules", web, name), join(modules, "onnxruntime-web", name));
  }
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  return folder;
}

/**
 * Code that a page shows.
 * @param {string} language @param {RegExp} about what the wanted snippets contain @param {string} page
 */
export function shown(language, about, page = "README.md") {
  const text = readFileSync(join(ROOT, page), "utf8");
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) => code);
  return found.filter((code) => about.test(code));
}
