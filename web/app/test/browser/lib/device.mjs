// A person at a device: a browser window of its own, and what one does in it.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { PATIENCE_MS, until } from './until.mjs';

export { until };

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const PASSWORD = 'correct horse battery';
export const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** Where it is about noon: no test runs over a midnight that it did not make. */
function noon() {
  const hours = 12 - new Date().getUTCHours();
  return `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;
}

// what goes away by itself: a machine that stands still for a moment would not see it
const FLEETING = ['.note', '.message.flash .text', '.typing-line', '.channel-row .typing', '.people-results'];

/** In the page: what each of them has shown so far. */
function remember(selectors) {
  const shown = (window.fleeting = Object.fromEntries(selectors.map((selector) => [selector, new Set()])));
  new MutationObserver(() => {
    for (const selector of selectors) for (const element of document.querySelectorAll(selector)) shown[selector].add(element.textContent);
  }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ['class'] });
}

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, timeout: 2 * PATIENCE_MS });
}

export class Device {
  /** A window at the page, nobody logged in. */
  static async open(browser, server, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: 'en-GB', timezoneId: noon(), ...options });
    await context.addInitScript(remember, FLEETING);
    const device = new Device(context, await context.newPage(), server);
    await device.page.goto(server.url);
    await device.see('html[data-ready]');
    return device;
  }

  constructor(context, page, server) {
    Object.assign(this, { context, page, server, errors: [] });
    context.setDefaultTimeout(PATIENCE_MS);
    page.on('console', (m) => m.type() === 'error' && this.errors.push(m.text()));
    page.on('pageerror', (e) => this.errors.push(e.stack ?? String(e)));
  }

  find(selector, options) {
    return this.page.locator(selector, options);
  }

  see(selector, options) {
    return this.find(selector, options).first().waitFor({ state: 'visible' });
  }

  /** It was shown since the page was loaded, if only for a moment. */
  saw(selector, words) {
    assert.ok(FLEETING.includes(selector), selector);
    const look = ([name, text]) => [...window.fleeting[name]].some((shown) => shown.includes(text));
    return until(() => this.page.evaluate(look, [selector, words]), `${selector} with ${words}`);
  }

  gone(selector, options) {
    return this.find(selector, options).first().waitFor({ state: 'hidden' });
  }

  button(name, within = 'body') {
    return this.find(within).getByRole('button', { name, exact: typeof name === 'string' }).first();
  }

  async signUp(user, name) {
    this.user = user;
    await this.button('Make an account').click();
    await this.find('[name=user]').fill(user);
    if (name) await this.find('[name=name]').fill(name);
    await this.find('[name=password]').fill(PASSWORD);
    await this.button('Sign up').click();
    await this.see('.shell');
  }

  async logIn(user, password = PASSWORD) {
    this.user = user;
    await this.find('[name=user]').fill(user);
    await this.find('[name=password]').fill(password);
    await this.button('Log in').click();
    await this.see('.shell');
  }

  /** As somebody whom the site's own token names. */
  async useToken(user, ...claims) {
    this.user = user;
    await this.button('Use a token').click();
    await this.find('[name=token]').fill(this.server.token(user, ...claims));
    await this.button('Connect').click();
    // a short one may be over by the time a slow machine has drawn the page
    await this.see('.shell, .entrance .form-note');
  }

  async section(name) {
    const back = this.button('Back to the list');
    if (await back.isVisible()) await back.click();
    await this.find('.nav-button', { hasText: name }).click();
  }

  row(name) {
    return this.find('.channel-row', { has: this.page.locator('.channel-name', { hasText: name }) }).first();
  }

  async open(name) {
    await this.row(name).click();
    await this.see('.conversation-head', { hasText: name });
  }

  async send(text) {
    await this.find('.composer-field').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** The message with this text. */
  message(text) {
    return this.find('.message', { has: this.page.locator('.text', { hasText: text }) }).last();
  }

  async seeMessage(text) {
    await this.message(text).waitFor({ state: 'visible' });
    return this.message(text);
  }

  /** What was typed and not sent. */
  typed(text) {
    return until(async () => (await this.find('.composer-field').inputValue()) === text, `${JSON.stringify(text)} in the field`);
  }

  /** A message at the server, with the pointer on it: what one can do with it is there. */
  async point(text) {
    const message = this.find('.history [role=article]', { has: this.page.locator('.text', { hasText: text }) }).last();
    const more = message.getByRole('button', { name: 'More for this message' });
    // one that moves away under the pointer is followed
    await until(async () => {
      await this.page.mouse.move(0, 0);
      await message.locator('.bubble').hover();
      return more.isVisible();
    }, `the actions of ${text}`);
    return message;
  }

  /** Opens the menu of a message and chooses. */
  async onMessage(text, item) {
    const message = await this.point(text);
    await message.getByRole('button', { name: 'More for this message' }).click();
    await message.getByRole('menuitem', { name: item }).click();
  }

  texts() {
    return this.find('.history .message .text').allInnerTexts();
  }

  /** The rows that the browser's database keeps in the stores of these names, as JSON. */
  kept(names) {
    return this.page.evaluate(async (wanted) => {
      const rows = [];
      for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((done, fail) => {
          const request = indexedDB.open(name);
          request.onsuccess = () => done(request.result);
          request.onerror = () => fail(request.error);
        });
        for (const store of db.objectStoreNames)
          if (wanted.includes(store))
            rows.push(...(await new Promise((done) => (db.transaction(store).objectStore(store).getAll().onsuccess = (e) => done(e.target.result)))));
        db.close();
      }
      return rows.map((row) => JSON.stringify(row));
    }, names);
  }

  /** Nothing went to the console as an error but what the pattern names. */
  clean(expected = /^$/) {
    assert.deepEqual(this.errors.filter((e) => !expected.test(e)), [], `console of ${this.user}`);
  }

  async close() {
    await this.context.close();
  }
}
