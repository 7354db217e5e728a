import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Stream } from "../src/node.js";
import { missing, withPage } from "./browser.js";
import { graph, headsOf } from "./graphs.js";
import { installed } from "./package.js";

const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));

test("the example's page draws frames, changes its model, and stops", { skip: missing }, async (context) => {
  const folder = installed(context);
  const { metadata } = await Stream.load(graph("cae-64"));
  headsOf(metadata, [], 3, folder);
  const modules = `${folder}/node_modules`;
  const words = ["cae-64", "rae-64", "--head", `${folder}/classes.onnx`, "--package", `${modules}/edgevoice`, "--runtime", `${modules}/onnxruntime-web`];
  await withPage(speech, words, async (page, origin) => {
    for (const path of ["js/package.json", ".git/config", "../../README.md", "examples/browser/serve.py", "graphs/../serve.py"]) {
      assert.equal((await fetch(`${origin}/${path}`)).status, 404);
    }
    const says = (/** @type {RegExp} */ what, id = "told") =>
      page.waitForFunction(([name, text]) => new RegExp(text).test(document.getElementById(name)?.textContent ?? ""), [id, what.source]);
    for (const [model, decision] of /** @type {[string, RegExp][]} */ ([["cae-64", /^(low|middle|high) \d+ %, /], ["rae-64", /fitted with cae-64/]])) {
      await page.selectOption("#model", model);
      await page.click("#start");
      await says(/latency/);
      await page.waitForTimeout(1500);
      const shades = await page.evaluate(() =>
        ["bottleneck", "error"].map((id) => {
          const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById(id));
          const column = canvas.getContext("2d")?.getImageData(canvas.width - 4, 0, 1, canvas.height).data ?? [];
          return new Set(column).size;
        }),
      );
      assert.ok(shades.every((count) => count > 20), `shades in the newest columns: ${shades}`);
      assert.ok((await page.$$("#device option")).length > 1, "microphones are listed");
      await says(decision, "decision");
      await page.click("#start");
      await says(/stopped/);
    }
  });
});
