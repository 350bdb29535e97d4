// What Streamlit calls: the board in its style, which both come in one file.

import { board } from "./board.js";
import { STYLE } from "./style.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

export default function entry(component) {
  const root = component.parentElement.getRootNode();
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  return board(component);
}
