// The headline: one sentence on the one thing that matters now.

import { h } from "./elements.js";

export class Headline {
  constructor() {
    this.element = h("p", { class: "headline" });
  }

  draw() {}
}
