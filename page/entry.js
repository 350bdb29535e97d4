// What Streamlit calls: the board in its style, which both come in one file.

import { board } from "./board.js";
import { STYLE } from "./style.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

export default function entry(component) {
  const { parentElement } = component;
  dress(parentElement);
  const close = board(component);
  const drawn = parentElement.querySelector(".market-pulse").board;
  // The settings have a place for the board's own switches; put there again they would lose the focus.
  globalThis.marketPulse.lend = (place) => {
    dress(place);
    if (drawn.menu.parentNode !== place) place.append(drawn.menu);
  };
  return close;
}

// Have the style apply where an element is.
function dress(element) {
  const root = element.getRootNode();
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}
