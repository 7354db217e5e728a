// A headless Chromium whose microphone plays a file, on the page that one of the examples serves.
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
export function withPage(wave, models, work) {
  return withServer(wave, "browser/serve.py", models, work);
}

/**
 * @param {string} wave what the microphone plays, again and again
 * @param {string} example a program in examples that prints the address of its page
 * @param {string[]} words what it is called with
 * @param {(page: import("playwright-core").Page, origin: string) => Promise<void>} work
 */
export async function withServer(wave, example, words, work) {
  const python = process.env.PYTHON ?? "python3";
  const program = fileURLToPath(new URL(`../../examples/${example}`, import.meta.url));
  const server = spawn(python, [program, "--port", "0", ...words], { stdio: ["ignore", "pipe", "inherit"] });
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  let browser;
  try {
    const address = await new Promise((resolve, reject) => {
      server.stdout.once("data", (line) => resolve(String(line).trim()));
      server.once("exit", (code) => reject(new Error(`${example} ended with ${code}`)));
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
