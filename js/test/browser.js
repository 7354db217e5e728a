// A headless Chromium whose microphone plays a file, on the page that one of the examples serves.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why no browser can be had, or false. */
export const missing = !existsSync(CHROMIUM) && `${CHROMIUM} is not there: install Chromium, or name it with CHROMIUM`;

/**
 * @param {string} wave what the microphone plays, again and again
 * @param {string[]} words models, and options of the example
 * @param {(page: import("playwright-core").Page, origin: string) => Promise<void>} work
 */
export function withPage(wave, words, work) {
  return withServer(wave, "browser/serve.py", words, work);
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
  try {
    const address = await new Promise((resolve, reject) => {
      server.stdout.once("data", (line) => resolve(String(line).trim()));
      server.once("exit", (code) => reject(new Error(`${example} ended with ${code}`)));
    });
    await withBrowser(wave, address, work);
  } finally {
    server.kill("SIGINT");
  }
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

/**
 * @param {string} wave what the microphone plays, again and again
 * @param {string} folder what a server gives out, beginning with its index.html
 * @param {(page: import("playwright-core").Page, origin: string) => Promise<void>} work
 */
export async function withFolder(wave, folder, work) {
  const server = createServer((asked, answer) => {
    const path = join(folder, new URL(asked.url ?? "/", "http://localhost").pathname.replace(/\/$/, "/index.html"));
    const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(path))] ?? "application/octet-stream";
    if (existsSync(path)) answer.writeHead(200, { "content-type": type }).end(readFileSync(path));
    else answer.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    await withBrowser(wave, `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/`, work);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/**
 * @param {string} wave what the microphone plays, again and again
 * @param {string} address of the page
 * @param {(page: import("playwright-core").Page, origin: string) => Promise<void>} work
 */
export async function withBrowser(wave, address, work) {
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  let browser;
  try {
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width: 1000, height: 720 },
      ignoreHTTPSErrors: true,
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
    rmSync(profile, { recursive: true, force: true });
  }
}
