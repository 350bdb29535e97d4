// Streamlit's own words for a lost server: the board has its own, which cover nothing.

const CUT_OFF =
  '[data-testid="stApp"][data-test-connection-state]:not([data-test-connection-state="CONNECTED"])';
// Its dialog, and none of those that the page opens: these hold blocks of the page.
const DIALOG = '[data-testid="stDialog"]:not(:has([data-testid="stVerticalBlock"]))';

// Whether Streamlit knows that it has no connection.
export function isCutOff() {
  return document.querySelector(CUT_OFF) !== null;
}

// The dialog is hidden by controls.css; closed, it lets the page be read aloud, and does not come
// again before the connection is back.
export function dismissLost() {
  if (isCutOff()) document.querySelector(`${DIALOG} button[aria-label="Close"]`)?.click();
}
