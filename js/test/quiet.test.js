import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { graph } from "./graphs.js";

const index = fileURLToPath(new URL("../src/node.js", import.meta.url));

test("a process of twelve seconds opens no socket, writes nothing and says nothing", (context) => {
  if (spawnSync("strace", ["-V"]).error) return context.skip("strace is not installed");
  const folder = mkdtempSync(join(tmpdir(), "home-"));
  try {
    const program = `
      import { Stream } from ${JSON.stringify(index)};
      const stream = await Stream.load(${JSON.stringify(graph("cae-64"))});
      const frames = await stream.push(new Float32Array(16000));
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      if (frames.length !== 3) process.exit(1);`;
    const log = join(folder, "..", `${folder.split("/").at(-1)}.log`);
    const trace = ["-f", "-qq", "-o", log, "-e", "trace=socket,connect", process.execPath, "--input-type=module", "--eval", program];
    const { PATH = "" } = process.env;
    const done = spawnSync("strace", trace, { env: { PATH, HOME: folder }, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stdout + done.stderr, "");
    const calls = readFileSync(log, "utf8").split("\n").filter((line) => /AF_INET|AF_NETLINK/.test(line));
    assert.deepEqual(calls, []);
    assert.deepEqual(readdirSync(folder), []);
    rmSync(log);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the package holds its modules and their types, and nothing else", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8" }));
  const names = files.map((/** @type {{path: string}} */ file) => file.path).sort();
  const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "src"], { cwd: root, encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(names.filter((/** @type {string} */ name) => !name.startsWith("types/")), ["README.md", "package.json", ...tracked].sort());
  for (const name of tracked) assert.ok(names.includes(name.replace(/^src/, "types").replace(/\.js$/, ".d.ts")), name);
});
