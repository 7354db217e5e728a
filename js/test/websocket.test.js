import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, withServer } from "./browser.js";

const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));

test("the example's client sends a microphone through a WebSocket, and draws the frames that come back", { skip: missing }, async () => {
  await withServer(speech, "websocket_server.py", ["--model", "cae-64"], async (page) => {
    await page.click("#start");
    await page.waitForFunction(() => /^([89]|\d\d) frames/.test(document.getElementById("state")?.textContent ?? ""));
    const shades = await page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("errors"));
      return new Set(canvas.getContext("2d")?.getImageData(canvas.width - 2, 0, 1, canvas.height).data).size;
    });
    assert.ok(shades > 20, `shades in the newest column: ${shades}`);
    await page.evaluate(() => (location.hash = "#guess"));
    await page.reload();
    await page.click("#start");
    await page.waitForFunction(() => /token is wrong/.test(document.getElementById("state")?.textContent ?? ""));
  });
});
