// The commands that the palette offers beside symbols and groups, as lines of its list. Pure.

import { opened } from "./panels.js";
import { formOf } from "./pulse.js";

const choose = (changed) => ({ choose: changed, closes: true });

// Those that fit what is chosen; `jumper` is the symbol that a played stress would be of.
export function commandLines({ watch, choices, jumper }) {
  const section = "Commands";
  const command = (key, label, also, does, says = "") => ({
    key,
    section,
    label,
    also,
    does,
    says,
  });
  const lists = [
    ["list", "Show a list", "pulse"],
    ["tiles", "Show tiles", "pulse heat map"],
    ["by class", "Show a list by class", "pulse stocks forex crypto"],
  ];
  return [
    ...(watch.play
      ? [
          command(
            "play",
            "Play a stress",
            "demo simulated event jump",
            { call: "play", closes: true },
            `a stress${jumper && ` in ${jumper}`} within seconds`,
          ),
        ]
      : []),
    ...lists
      .filter(([name]) => name !== formOf(choices))
      .map(([name, label, also]) => command(name, label, also, choose({ lists: name }))),
    choices.at === null
      ? command(
          "pause",
          choices.freeze ? "Go on" : "Pause",
          "freeze hold still live",
          choose({ freeze: !choices.freeze }),
          choices.freeze ? "live again" : "hold the page still; collection goes on",
        )
      : command(
          "now",
          "Back to now",
          "live pause",
          choose({ at: null, freeze: false }),
          "the page shows an earlier moment",
        ),
    choices.kiosk
      ? command("kiosk", "Leave the kiosk", "wall", choose({ kiosk: false }))
      : command("kiosk", "Kiosk", "wall big", choose({ kiosk: true }), "for a wall: big type"),
    command("link", "Copy link", "address share", { call: "copyLink", closes: true }),
    command("alerts", "Alerts", "mute destination", choose(opened("alerts"))),
    command("feeds", "Feeds and status", "details vendor", choose(opened("details"))),
    command(
      "help",
      "Help",
      "how read numbers mean explain",
      { call: "help", closes: true },
      "how to read this page",
    ),
  ];
}
