import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, withServer } from "./browser.js";

const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));
const skip = missing || (!existsSync("/usr/sbin/nginx") && "nginx is not installed");

test("the server's page, behind a proxy with TLS, sends a microphone and draws what comes back", { skip }, async () => {
  await withServer(speech, "../tests/server/proxied.py", ["--model", "cae-64"], async (page) => {
    const state = (/** @type {RegExp} */ words) =>
      page.waitForFunction((source) => new RegExp(source).test(document.getElementById("state")?.textContent ?? ""), words.source);
    await page.setViewportSize({ width: 375, height: 700 });
    for (const scheme of /** @type {const} */ (["dark", "light"])) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.focus("#token");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter"); // Start
      await state(/^([89]|\d\d) frames, .* latency \d+ ms/);
      for (const name of ["spectrogram", "bottleneck", "error"]) {
        const shades = await page.evaluate((id) => {
          const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById(id));
          return new Set(canvas.getContext("2d")?.getImageData(canvas.width - 80, 0, 80, canvas.height).data).size;
        }, name);
        assert.ok(shades > 15, `${name} has ${shades} shades in its newest columns`);
      }
      if (process.env.SCREENSHOT) await page.screenshot({ path: `${process.env.SCREENSHOT}-${scheme}.png`, fullPage: true });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 375, "the page is wider than the window");
      await page.keyboard.press("Enter"); // Stop
      await state(/^Stopped/);
    }
    await page.fill("#token", "guess");
    await page.click("#start");
    await state(/The server says: .*token/);
  });
});
