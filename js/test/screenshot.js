// node test/screenshot.js FILE.png: the page of examples/browser after some seconds of speech.
import { fileURLToPath } from "node:url";
import { withPage } from "./browser.js";

const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));
await withPage(speech, ["cae-256", "cae-64"], async (page) => {
  await page.click("#start");
  await page.waitForFunction(() => /latency/.test(document.getElementById("told")?.textContent ?? ""), null, { timeout: 30_000 });
  await page.waitForTimeout(32_000);
  await page.screenshot({ path: process.argv[2] });
});
