// Tests of one browser window that build on one another.

/**
 * Runs them one after another and records each; the first failure leaves a picture at the path `failed`
 * and ends them.
 */
export async function inTurn(tests, { page, failed, record }) {
  for (const [title, test] of Object.entries(tests)) {
    const started = Date.now();
    try {
      await test();
      record({ title, ms: Date.now() - started });
    } catch (error) {
      await page.screenshot({ path: failed });
      record({ title, ms: Date.now() - started, error: error.stack });
      return;
    }
  }
}
