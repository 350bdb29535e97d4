// A heading explained: what its figures are, with those of one row. Shown while the pointer or the focus
// is on the heading, and never under either.

import { h, mark, say } from "./elements.js";

export class Tip {
  constructor() {
    this.name = h("b");
    this.help = h("span");
    this.own = h("span", { class: "own" });
    const parts = [this.name, this.help, this.own];
    this.element = h(
      "div",
      { class: "explanation", id: "explanation", role: "tooltip", hidden: true },
      ...parts,
    );
  }

  // Have `heading` explained by what `explain` returns whenever it is shown: name, help and example.
  over(heading, explain) {
    const show = () => this.show(heading, explain);
    const hide = () => {
      if (!heading.querySelector(":focus-visible")) this.hide(heading);
    };
    const onkeydown = ({ key }) => key === "Escape" && this.hide(heading);
    const handlers = { pointerenter: show, focusin: show, pointerleave: hide, focusout: hide };
    for (const [name, handler] of Object.entries(handlers)) heading.addEventListener(name, handler);
    heading.addEventListener("keydown", onkeydown);
  }

  show(heading, explain) {
    Object.assign(this, { heading, explain });
    mark(heading.querySelector("button"), "aria-describedby", "explanation");
    this.element.hidden = false;
    this.draw();
    const frame = this.element.offsetParent.getBoundingClientRect();
    const { left, bottom } = heading.getBoundingClientRect();
    const most = frame.width - this.element.offsetWidth - 8;
    this.element.style.setProperty("left", `${Math.max(0, Math.min(left - frame.left, most))}px`);
    this.element.style.setProperty("top", `${bottom - frame.top + 2}px`);
  }

  hide(heading) {
    if (heading !== this.heading) return;
    mark(heading.querySelector("button"), "aria-describedby", null);
    this.heading = null;
    this.element.hidden = true;
  }

  draw() {
    if (!this.heading) return;
    if (!this.heading.isConnected) return this.hide(this.heading);
    const { name, help, own } = this.explain();
    say(this.name, name);
    say(this.help, help);
    say(this.own, own);
    this.own.hidden = !own;
  }
}
