import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { missing, withFolder } from "./browser.js";
import { Stream } from "../src/node.js";
import { graph, headsOf } from "./graphs.js";
import { installed, ROOT, shown } from "./package.js";

const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));
const snippets = shown("js", /from "edgevoice"/);
const [live, ...offline] = [...snippets.filter((code) => /microphone/.test(code)), ...snippets.filter((code) => !/microphone/.test(code))];

test("what the README shows for Node runs", async (context) => {
  const folder = installed(context);
  symlinkSync(join(ROOT, "node_modules", "onnxruntime-node"), join(folder, "node_modules", "onnxruntime-node"));
  cpSync(graph("cae-256"), join(folder, "cae-256.onnx"));
  const { metadata } = await Stream.load(graph("cae-256"));
  headsOf(metadata, [], 7, folder);
  renameSync(join(folder, "classes.onnx"), join(folder, "sex.onnx"));
  const given = "const recording = Float32Array.from({ length: 88_200 }, (_, n) => 0.1 * Math.sin(n * n));\n";
  assert.ok(offline.length);
  for (const code of offline) {
    writeFileSync(join(folder, "program.js"), given + code);
    const told = execFileSync(process.execPath, ["program.js"], { cwd: folder, encoding: "utf8" });
    assert.match(told, /Head/.test(code) ? /^0 2 (low|middle|high) / : /Float32Array/);
  }
});

test("what the documentation shows of a sidecar process runs", (context) => {
  const folder = installed(context);
  const [code] = shown("js", /sidecar/, "../docs/other-languages.md");
  const sidecar = process.env.PYTHON?.replace(/[^/]*$/, "edgevoice") ?? "edgevoice";
  const use = "\npush(Float32Array.from({ length: 16_000 }, (_, n) => 0.1 * Math.sin(n * n)));\nchild.stdin.end();";
  writeFileSync(join(folder, "program.js"), `const sidecar = ${JSON.stringify(sidecar)};\n${code}${use}`);
  const lines = execFileSync(process.execPath, ["program.js"], { cwd: folder, encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(lines.map((line) => line.replace(/ -[\d.]+ /, " dB ")).sort(), ["0.5 dB 64", "0.75 dB 64", "1 dB 64", "ended 0"]);
});

test("what the README shows for browsers runs", { skip: missing }, async (context) => {
  const folder = installed(context);
  mkdirSync(join(folder, "dist"));
  writeFileSync(join(folder, "main.js"), live);
  writeFileSync(join(folder, "dist", "index.html"), '<link rel="icon" href="data:,"><script type="module" src="main.js"></script>');
  cpSync(graph("cae-256"), join(folder, "dist", "cae-256.onnx"));
  await esbuild.build({ absWorkingDir: folder, entryPoints: ["main.js"], bundle: true, format: "esm", outfile: join(folder, "dist", "main.js") });
  for (const command of shown("sh", /^cp /m)) execFileSync("sh", ["-ec", command], { cwd: folder });
  await withFolder(speech, join(folder, "dist"), async (page) => {
    const line = await page.waitForEvent("console", (message) => /Float32Array/.test(message.text()));
    assert.ok(Number(line.text().split(" ")[0]) >= 0.5);
  });
});
