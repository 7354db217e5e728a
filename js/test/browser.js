// A headless Chromium whose microphone plays a file, on the page of examples/browser.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why no browser can be had, or false. */
export const missing = !existsSync(CHROMIUM) && `${CHROMIUM} is not there: install Chromium, or name it with CHROMIUM`;

/**
 * @param {string} wave what the microphone plays, again and again
 * @param {string[]} models
 * @param {(page: import("playwright-core").Page, origin: string) => Promise<void>} work
 */
export async function withPage(wave, models, work) {
  const python = process.env.PYTHON ?? "python3";
  const program = fileURLToPath(new URL("../../examples/browser/serve.py", import.meta.url));
  const server = spawn(python, [program, "--port", "0", ...models], { stdio: ["ignore", "pipe", "inherit"] });
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  let browser;
  try {
    const address = await new Promise((resolve, reject) => {
      server.stdout.once("data", (line) => resolve(String(line).trim()));
      server.once("exit", (code) => reject(new Error(`serve.py ended with ${code}`)));
    });
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width: 1000, height: 720 },
      permissions: ["microphone"],
      args: [
        ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        ...["--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"],
        ...["--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${wave}`],
      ],
    });
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(`page: ${error}`));
    page.on("console", (message) => message.type() === "error" && console.error(`page: ${message.text()}`));
    await page.goto(address);
    await work(page, new URL(address).origin);
  } finally {
    await browser?.close();
    server.kill("SIGINT");
    rmSync(profile, { recursive: true, force: true });
  }
}
