// That there is no word from the server: then nothing on the page is live, whatever was said last.

import { durationText } from "./clock.js";
import { h, mark, say } from "./elements.js";
import { dismissLost, isCutOff } from "./streamlits.js";

const LOST_MS = 6000;
const CUT_OFF_MS = 3000; // the same, if Streamlit knows that its connection is gone

export class Lost {
  // `root` is marked while there is none.
  constructor(root) {
    this.root = root;
    this.text = h("p", { class: "lost", "data-kind": "error", hidden: true });
    this.element = h("div", { class: "alerts", role: "alert" }, this.text);
  }

  // The last word came at `receivedAt`; the page refreshes every `sec` seconds, and was hidden until
  // `shownAt`.
  draw(receivedAt, shownAt, sec) {
    dismissLost();
    const mostMs = isCutOff() ? CUT_OFF_MS : LOST_MS + 2000 * sec;
    const isLost = Date.now() - Math.max(receivedAt, shownAt) > mostMs;
    mark(this.root, "data-lost", isLost);
    this.text.hidden = !isLost;
    if (!isLost) return;
    const since = durationText((Date.now() - receivedAt) / 1000);
    say(
      this.text,
      `No word from the dashboard's server for ${since}: what is shown is old. It goes on by itself when the server is back.`,
    );
  }
}
