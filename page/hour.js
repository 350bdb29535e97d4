// The line of the hour: how much stress it had, its events, and the second that is shown.

import { DAY_SEC, durationText } from "./clock.js";
import { h, mark, s, say } from "./elements.js";
import { HourPlot } from "./hour_plot.js";
import { Player } from "./player.js";

const HOUR_SEC = 3600;
const CLICK_PX = 4; // a press that moves further is a drag
const STEPS = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowDown: -10,
  ArrowUp: 10,
  PageDown: -60,
  PageUp: 60,
};
const KEYS = "Arrows left and right go by a second, up and down by ten, page keys by a minute";
const TYPED = "As 14:32, 14:32:05, Mon 14:32 or 24 Nov 14:32";
const PLAY = "M4 2.5v11l9-5.5z";
const PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z";

export class Hour {
  // `lookAt` chooses a second, null for live; `refuse` says why a time that was typed has none;
  // `choose` freezes; `show` opens what an event is of.
  constructor({ lookAt, refuse, choose, show }) {
    Object.assign(this, { refuse, choose, show });
    this.lookAt = (second, isPassing) => {
      this.player.stop();
      lookAt(second, isPassing);
    };
    this.player = new Player((second) => lookAt(second, true));
    this.plot = new HourPlot();
    this.slider = this.secondSlider();
    this.track = h("div", { class: "track" }, this.plot.element, this.slider, this.plot.tip);
    this.earlier = this.stepButton("An hour earlier", "‹", -1);
    this.later = this.stepButton("An hour later", "›", 1);
    this.field = this.timeField();
    this.moment = h("span", { class: "moment" });
    this.sign = s("path");
    this.playing = h(
      "button",
      { type: "button", class: "chip play", onclick: () => this.togglePlaying() },
      s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, this.sign),
    );
    this.speed = h("button", { type: "button", class: "chip speed", onclick: () => this.turn() });
    this.live = h(
      "button",
      { type: "button", class: "live", onclick: () => this.lookAt(null) },
      "Now",
    );
    this.more = h(
      "button",
      {
        type: "button",
        class: "chip more",
        "aria-label": "More of this line",
        "aria-expanded": "false",
        onclick: () => this.unfold(this.more.getAttribute("aria-expanded") !== "true"),
      },
      "⋯",
    );
    this.controls = h(
      "div",
      { class: "moments" },
      h("div", { class: "typed" }, this.field, this.moment),
      ...[this.playing, this.speed, this.live, this.more],
    );
    this.element = h(
      "div",
      { class: "hour", role: "group", "aria-label": "The hour" },
      ...[this.earlier, this.track, this.later, this.controls],
    );
    this.sizes = new ResizeObserver(([{ contentRect }]) => this.plot.resize(contentRect));
    this.sizes.observe(this.track);
  }

  secondSlider() {
    const slider = h("input", {
      type: "range",
      step: "1",
      "aria-label": "Look back",
      "aria-description": KEYS,
      oninput: () => this.lookAt(Number(slider.value), true),
      // The hand rests: a step of its own to go back to.
      onchange: () => this.lookAt(Number(slider.value)),
      onkeydown: (event) => this.onKey(event),
      onpointerdown: ({ clientX }) => {
        this.pressedAt = clientX;
      },
      onpointermove: (event) => this.plot.point(event.clientX, event.pointerType),
      onpointerleave: () => this.plot.unpoint(),
      onclick: (event) => this.onClick(event),
    });
    return slider;
  }

  timeField() {
    // Browsers report every digit as a change: what counts is the time that is left standing.
    const field = h("input", {
      type: "text",
      inputmode: "numeric",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "24",
      "aria-label": "Look back at this time",
      title: TYPED,
      oninput: () => {
        this.isTyped = true;
      },
      onfocus: () => field.select(),
      onkeydown: (event) => {
        if (event.key === "Enter") this.chooseTyped();
      },
      onblur: () => this.chooseTyped(),
    });
    return field;
  }

  close() {
    this.player.stop();
    this.sizes.disconnect();
  }

  stepButton(name, sign, way) {
    const title = `${name}; with shift a day`;
    const onclick = (event) => this.step(way * (event.shiftKey ? DAY_SEC : HOUR_SEC));
    return h("button", { type: "button", class: "step", "aria-label": name, title, onclick }, sign);
  }

  // On a phone what is chosen on it more rarely is a second row, which lies over what is below.
  unfold(isOpen) {
    mark(this.more, "aria-expanded", String(isOpen));
    mark(this.element, "data-more", isOpen);
  }

  step(seconds) {
    this.lookAt(this.shown + seconds);
  }

  onKey(event) {
    const [oldest, newest] = this.line;
    if (event.key === " ") this.togglePlaying();
    else if (event.key === "Home") this.lookAt(oldest);
    else if (event.key === "End") this.lookAt(newest);
    else if (event.key in STEPS) this.step(STEPS[event.key]);
    else return;
    event.preventDefault();
  }

  // A press on a mark opens its event.
  onClick({ clientX }) {
    if (Math.abs(clientX - this.pressedAt) > CLICK_PX) return;
    const [event] = this.plot.near(clientX);
    if (event) this.show(event);
  }

  chooseTyped() {
    const typed = this.field.value.trim();
    if (!this.isTyped || !typed) return;
    this.isTyped = false;
    const [oldest, newest] = this.payload.reach;
    const second = this.clock.at(typed, oldest, newest);
    if (second !== null) {
      this.lookAt(second);
      // In the form of every time here, whatever it was typed as.
      this.field.value = this.clock.full(this.shown, newest);
      return;
    }
    const begin = this.clock.moment(oldest, newest);
    this.refuse(
      this.clock.reads(typed)
        ? `${typed} is not between ${begin} and now.`
        : `${typed} is no time: expected one as 14:32, 14:32:05 or 24 Nov 14:32.`,
    );
  }

  // Playing.

  togglePlaying() {
    if (this.player.isPlaying) this.lookAt(this.shown);
    else if (this.isLive) this.choose({ freeze: true });
    else this.play();
  }

  play() {
    this.player.play(this.shown, performance.now());
    this.choose({ freeze: false, at: this.shown }, true);
    const advance = (now) => {
      this.player.advance(now, this.payload.reach[1], this.board.isAnswered);
      if (!this.player.isPlaying) return;
      this.plot.move(this.player.reached(now));
      requestAnimationFrame(advance);
    };
    requestAnimationFrame(advance);
  }

  turn() {
    this.player.turn(performance.now());
    this.drawPlaying();
  }

  // Whatever is touched but what plays, it stops there. A key of the line has done what it does.
  onGesture(event) {
    const touched = event.composedPath();
    const isOwn = event.defaultPrevented && touched.includes(this.slider);
    if (!this.player.isPlaying || isOwn) return;
    if ([this.playing, this.speed].some((one) => touched.includes(one))) return;
    this.lookAt(this.shown);
  }

  // Drawing.

  draw(payload, { clock }) {
    const { line, reach, at } = payload;
    const first = Math.min(line[0], at ?? line[0]);
    this.line = [first, Math.max(first + 1, line[1])];
    mark(this.slider, "min", first);
    mark(this.slider, "max", this.line[1]);
    this.plot.draw(payload, this.line, clock);
    mark(this.element, "data-past", line[1] !== reach[1]);
  }

  // The moment that is chosen, which may be ahead of the one that is drawn.
  drawMoment(payload, board) {
    const { choices, clock } = board;
    Object.assign(this, { payload, board, clock });
    const [oldest, newest] = payload.reach;
    const at = choices.freeze && choices.at === null ? payload.at : choices.at;
    this.shown = at ?? newest;
    this.isLive = at === null && !choices.freeze;
    if (this.slider.value !== String(this.shown)) this.slider.value = this.shown;
    // What is newest may be old: no second comes.
    const still = payload.still_sec;
    const liveText = still ? `${durationText(still)} old` : "live";
    mark(this.slider, "aria-valuetext", this.isLive ? liveText : clock.moment(this.shown, newest));
    if (!this.player.isPlaying) this.plot.move(this.shown);
    mark(this.element, "data-live", this.isLive);
    if (this.field.getRootNode().activeElement !== this.field) {
      const text = clock.full(this.shown, newest);
      if (this.field.value !== text) this.field.value = text;
    }
    say(this.moment, this.isLive ? liveText : `${durationText(newest - this.shown)} ago`);
    this.earlier.disabled = this.shown <= oldest;
    this.later.disabled = this.shown >= newest;
    this.live.disabled = this.isLive;
    mark(this.live, "data-live", this.isLive && !still);
    this.drawPlaying();
  }

  drawPlaying() {
    const { isPlaying, speed } = this.player;
    const isMoving = isPlaying || this.isLive;
    const name = isPlaying
      ? "Stop here"
      : this.isLive
        ? "Hold the page still"
        : "Play on from here to now";
    mark(this.sign, "d", isMoving ? PAUSE : PLAY);
    mark(this.playing, "aria-label", name);
    mark(this.playing, "title", name);
    mark(this.playing, "data-playing", isPlaying);
    say(this.speed, `×${speed}`);
    mark(this.speed, "aria-label", `Speed ×${speed}`);
    mark(this.speed, "title", "How fast the past is played on: ×1, ×10 or ×30");
  }
}
