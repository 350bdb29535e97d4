// The line under the feeds: an hour with its events, on which a second is chosen.

import { DAY_SEC, durationText } from "./clock.js";
import { h, keyed, mark, s, say } from "./elements.js";

const HOUR_SEC = 3600;

export class Rewind {
  // `lookAt` chooses a second, null for live; `refuse` says why a time that was typed has none.
  constructor({ lookAt, refuse }) {
    Object.assign(this, { lookAt, refuse });
    this.slider = h("input", {
      type: "range",
      step: "1",
      "aria-label": "Look back",
      oninput: () => this.lookAt(Number(this.slider.value)),
    });
    // Browsers report every digit as a change: what counts is the time that is left standing.
    this.field = h("input", {
      type: "time",
      step: "1",
      "aria-label": "Look back at this time",
      oninput: () => {
        this.isTyped = true;
      },
      onkeydown: (event) => {
        if (event.key === "Enter") this.chooseTyped();
      },
      onblur: () => this.chooseTyped(),
    });
    this.hour = h("span", { class: "label" });
    this.earlier = this.stepButton("An hour earlier", "‹", -1);
    this.later = this.stepButton("An hour later", "›", 1);
    this.moment = h("span", { class: "moment" });
    this.live = h(
      "button",
      { type: "button", class: "live", onclick: () => this.lookAt(null) },
      "Live",
    );
    this.marks = s("svg", {
      class: "marks",
      preserveAspectRatio: "none",
      viewBox: "0 0 1000 10",
      "aria-hidden": "true",
    });
    this.element = h(
      "div",
      { class: "rewind", role: "group", "aria-label": "Rewind" },
      h("div", { class: "steps" }, this.earlier, this.hour, this.later),
      h("div", { class: "track" }, this.marks, this.slider),
      this.field,
      this.moment,
      this.live,
    );
  }

  stepButton(name, sign, way) {
    const title = `${name}; with shift a day`;
    const onclick = (event) => this.step(way * (event.shiftKey ? DAY_SEC : HOUR_SEC));
    return h("button", { type: "button", class: "step", "aria-label": name, title, onclick }, sign);
  }

  step(seconds) {
    this.lookAt((this.choices.at ?? this.payload.reach[1]) + seconds);
  }

  chooseTyped() {
    const typed = this.field.value;
    if (!this.isTyped || !typed) return;
    this.isTyped = false;
    const [oldest, newest] = this.payload.reach;
    const second = this.clock.at(typed, oldest, newest);
    if (second !== null) this.lookAt(second);
    else
      this.refuse(
        `${typed.replace("T", " ")} is not between ${this.clock.moment(oldest, newest)} and now.`,
      );
  }

  draw({ line, reach, marks, at, live_now }, { clock }) {
    const [oldest, newest] = line;
    const first = Math.min(oldest, at ?? oldest);
    mark(this.slider, "min", first);
    mark(this.slider, "max", Math.max(first + 1, newest));
    say(this.hour, newest === reach[1] ? "Last hour" : clock.hour(oldest, newest + 1, live_now));
    const span = Math.max(1, newest - first);
    const inside = marks.filter(([ts]) => ts >= first);
    keyed(
      this.marks,
      inside,
      ([, , id]) => id,
      () => s("path"),
      (stroke, [ts, severity]) => {
        const x = ((ts - first) / span) * 1000;
        mark(stroke, "d", `M${x.toFixed(1)} 0V10`);
        mark(stroke, "data-severity", severity);
      },
    );
  }

  // The moment that is chosen, which may be ahead of the one that is drawn.
  drawMoment(payload, { choices, clock }) {
    Object.assign(this, { payload, choices, clock });
    const [oldest, newest] = payload.reach;
    const { freeze } = payload.view;
    const at = freeze ? payload.at : choices.at;
    const shown = at ?? newest;
    if (this.slider.value !== String(shown)) this.slider.value = shown;
    mark(this.slider, "aria-valuetext", at === null ? "live" : clock.moment(shown, newest));
    this.drawField(shown, newest - oldest >= DAY_SEC || !clock.isSameDay(shown, newest));
    say(this.moment, at === null ? "" : `${durationText(newest - at)} ago`);
    this.slider.disabled = this.field.disabled = freeze;
    this.earlier.disabled = freeze || shown <= oldest;
    this.later.disabled = freeze || at === null;
    this.live.disabled = at === null || freeze;
    mark(this.live, "data-live", at === null);
  }

  // The field in which a moment is typed: with its date if the time alone may not tell it.
  drawField(shown, needsDate) {
    if (this.field.getRootNode().activeElement === this.field) return;
    const type = needsDate && this.clock.isDated ? "datetime-local" : "time";
    mark(this.field, "type", type);
    const text = type === "time" ? this.clock.text(shown) : this.clock.field(shown);
    if (this.field.value !== text) this.field.value = text;
  }
}
