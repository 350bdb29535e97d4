// What the palette offers for what is typed, in its order, and which line the keys lead to. Pure.

import { commandLines } from "./commands.js";

const GUESSES = ["near", "form"]; // found by being alike, or only well spelled
const PAGE = 8;
const FIXED = "From the settings: change it in their file, and restart.";

export const ROOT = { kind: "root" };

// What may stand before a symbol: what is to be done with it.
const VERBS = {
  open: "open",
  add: "add",
  watch: "add",
  remove: "remove",
  unwatch: "remove",
  delete: "remove",
  group: "group",
};

// What is typed, as a verb, if it begins with one, and what that is of.
function parsed(text) {
  const [, word, rest] = text.trim().match(/^(\S+)\s+(.*)$/s) ?? [];
  const verb = Object.hasOwn(VERBS, word?.toLowerCase() ?? "") ? VERBS[word.toLowerCase()] : "";
  return verb ? { verb, name: rest } : { verb: "", name: text };
}

// What symbols are looked for by if `text` is typed at a stage.
export function sought(stage, text) {
  return stage === ROOT ? parsed(text).name : text;
}

// The lines for `text` at a `stage`: at the root, or at what is done with one symbol or one group.
//
// `known` has what the server said: `lines` of symbols, `watch` (a `WatchCard`); what is chosen,
// `choices`; and `jumper`, the symbol that a played stress would be of. Each line has a `key`, the
// `section` it stands in, a `label`, `says` beside it, `why` below it; what is done about it, `does`,
// and under which name, `verb`: null if that is not possible; and the stage it `leads` to.
export function offers(stage, text, known) {
  if (stage.kind === "symbol") return aboutSymbol(stage.symbol, text, known);
  if (stage.kind === "group") return aboutGroup(stage.name, text, known);
  if (stage.kind === "name") return [naming(stage, text)];
  const { verb, name } = parsed(text);
  if (verb === "group") return grouping(name, known);
  if (verb === "remove") return removing(name, known);
  const symbols = known.lines.map((line) => symbolLine(line, name, known));
  const groups = groupLines(known).filter((line) => matches(line, text));
  const commands = commandLines(known).filter((line) => matches(line, text));
  const others = [...groups, ...commands];
  if (!text) return [...commands, ...groups, ...symbols];
  const isSure = (line) => !GUESSES.includes(line.by);
  // What was meant for sure comes before a command, and a guess after it.
  return [
    ...symbols.filter(isSure),
    ...others,
    ...symbols.filter((line) => !isSure(line)).map((line) => ({ ...line, section: "Perhaps" })),
  ];
}

// What a stage asks for, and what its field is called.
export function asksFor({ kind, symbol, name, from }) {
  if (kind === "symbol") return `${symbol}: what to do?`;
  if (kind === "group") return `${name}: a symbol to put in or take out`;
  if (kind === "name") return from ? `Another name for ${from}` : "A name for the new group";
  return "A symbol, a group or a command";
}

// Whether a stage looks for symbols by what is typed.
export function finds({ kind }) {
  return kind === "root" || kind === "group";
}

// The line that a key leads to from the one that is `active`: the first, if that is gone.
export function moved(active, keys, key) {
  const at = keys.indexOf(active);
  const last = keys.length - 1;
  if (key === "ArrowDown") return keys[at === last ? 0 : at + 1];
  if (key === "ArrowUp") return keys[at <= 0 ? last : at - 1];
  if (key === "PageDown") return keys[Math.min(last, Math.max(at, 0) + PAGE)];
  if (key === "PageUp") return keys[Math.max(0, at - PAGE)];
  return keys[Math.max(at, 0)];
}

// Whether a key calls the palette; typing in a field does not.
export function isCall({ key, ctrlKey, metaKey, altKey }, isTyping) {
  if (isTyping || altKey) return false;
  const isHeld = ctrlKey || metaKey;
  return isHeld ? key.toLowerCase() === "k" : key === "/";
}

const choose = (changed) => ({ choose: changed, closes: true });
const ask = (...wishes) => ({ asks: wishes });

function matches({ label, also = "" }, text) {
  const within = `${label} ${also}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => within.includes(word));
}

// Symbols.

function symbolLine({ symbol, asset, kind, vendor, watched, room, by, why, note }, text, known) {
  const line = {
    key: `symbol ${symbol} ${asset}`,
    section: "Symbols",
    // Another spelling is told beside the usual one.
    label: by === "spelling" ? `${text.toUpperCase()} → ${symbol}` : symbol,
    by,
    says: [kind, vendor].filter(Boolean).join(" · "),
    why: by === "spelling" ? "" : why,
    isOn: watched,
  };
  if (watched)
    return {
      ...line,
      on: "watched",
      verb: "Open",
      does: { open: symbol, closes: true },
      leads: { kind: "symbol", symbol },
    };
  const against = known.watch.fixed || note;
  return room && !against
    ? { ...line, verb: "Add", does: ask({ ask: "add", asset, symbol }) }
    : { ...line, why: against, verb: "", does: null };
}

function aboutSymbol(symbol, text, { watch, choices }) {
  const section = symbol;
  const own = { key: "remove", section, label: "Watch it no longer", verb: "Remove" };
  const lines = [
    choices.symbol === symbol
      ? null
      : { key: "open", section, label: `Open ${symbol}`, does: { open: symbol, closes: true } },
    watch.fixed
      ? { ...own, why: watch.fixed, does: null }
      : { ...own, does: { ...ask({ ask: "remove", symbol }), leads: ROOT } },
    ...watch.groups.map((group) => membership(group, symbol, `Group ${group.name}`, "Groups")),
    {
      key: "new group",
      section: "Groups",
      label: `New group with ${symbol}…`,
      does: { leads: { kind: "name", symbols: [symbol] } },
    },
  ];
  return lines.filter((line) => line && matches(line, text));
}

// Symbols to remove, and groups to delete.
function removing(name, known) {
  const { watch } = known;
  const symbols = known.lines.map((line) => {
    const found = { ...symbolLine(line, name, known), leads: undefined };
    if (!line.watched) return { ...found, why: "It is not watched.", verb: "", does: null };
    if (watch.fixed) return { ...found, why: watch.fixed, verb: "", does: null };
    return { ...found, verb: "Remove", does: ask({ ask: "remove", symbol: line.symbol }) };
  });
  const groups = watch.groups
    .filter((group) => matches({ label: group.name }, name))
    .flatMap((group) => {
      const own = aboutGroup(group.name, "", known).find(({ key }) => key === "delete");
      return [{ ...own, key: `delete ${group.name}`, section: "Groups", label: group.name }];
    });
  return [...symbols, ...groups];
}

// Groups of a name, a new one of that name, and the symbols that could be put into one.
function grouping(name, known) {
  const groups = groupLines(known).filter((line) => line.leads && matches(line, name));
  const isTaken = known.watch.groups.some((group) => group.name === name);
  const made = { ...naming({ symbols: [] }, name), section: "Groups", says: "a new group" };
  const symbols = known.lines
    .filter(({ watched }) => watched)
    .map((line) => {
      const { leads, ...found } = symbolLine(line, name, known);
      return { ...found, verb: "Groups…", does: { leads } };
    });
  return [...groups, ...symbols, ...(isTaken ? [] : [made])];
}

// Whether a symbol is in a group, and how to change that.
function membership({ name, symbols, fixed }, symbol, label, section, before = []) {
  const isIn = symbols.includes(symbol);
  const line = { key: `in ${name} ${symbol}`, section, label, isOn: isIn, on: "in it" };
  if (fixed) return { ...line, why: FIXED, verb: "", does: null };
  return {
    ...line,
    verb: isIn ? "Take out" : "Put in",
    does: ask(...(isIn ? [] : before), { ask: isIn ? "take" : "put", name, symbol }),
  };
}

// Groups.

function groupLines({ watch, choices }) {
  const section = "Groups";
  const whole = {
    key: "all",
    section,
    label: "All symbols",
    says: `not only ${choices.group}`,
    verb: "Show",
    does: choose({ group: "" }),
  };
  const groups = watch.groups.map(({ name, symbols, fixed }) => ({
    key: `group ${name}`,
    section,
    label: name,
    also: "group",
    says: [count(symbols.length), fixed ? "from the settings" : ""].filter(Boolean).join(" · "),
    isOn: choices.group === name,
    on: "shown",
    verb: "Show",
    does: choose({ group: name }),
    leads: { kind: "group", name },
  }));
  const another = {
    key: "new group",
    section,
    label: "New group…",
    says: "a list of symbols to show alone",
    does: { leads: { kind: "name", symbols: [] } },
  };
  return [...(choices.group ? [whole] : []), ...groups, another];
}

function aboutGroup(name, text, known) {
  const group = known.watch.groups.find((one) => one.name === name);
  if (!group) return [];
  const section = `Group ${name}`;
  const own = (line) => (group.fixed ? { ...line, why: FIXED, verb: "", does: null } : line);
  const lines = [
    { key: "show", section, label: `Show ${name} alone`, does: choose({ group: name }) },
    own({
      key: "rename",
      section,
      label: "Rename it…",
      does: { leads: { kind: "name", from: name } },
    }),
    own({
      key: "delete",
      section,
      label: "Delete it",
      says: "its symbols stay watched",
      verb: "Delete",
      does: {
        ...ask({ ask: "delete group", name }),
        ...(known.choices.group === name ? { choose: { group: "" } } : {}),
        leads: ROOT,
      },
    }),
  ].filter((line) => matches(line, text));
  const member = (symbol) => membership(group, symbol, symbol, "Symbols");
  if (!text) return [...lines, ...group.symbols.map(member)];
  const symbols = known.lines.map((line) => {
    const { symbol, asset, watched, room, note } = line;
    const says = [line.kind, line.vendor].filter(Boolean).join(" · ");
    if (watched || group.symbols.includes(symbol)) return { ...member(symbol), says };
    const against = known.watch.fixed || note;
    const key = `in ${name} ${symbol}`;
    if (against || !room)
      return { key, section: "Symbols", label: symbol, says, why: against, does: null };
    // Only what is watched can be in a group.
    const added = membership(group, symbol, symbol, "Symbols", [{ ask: "add", asset, symbol }]);
    return { ...added, says, verb: group.fixed ? "" : "Add and put in" };
  });
  return [...symbols, ...lines];
}

function naming({ symbols, from }, text) {
  const name = text.trim();
  const wish = from
    ? { ask: "rename group", name: from, to: name }
    : { ask: "make group", name, symbols };
  return {
    key: "name",
    section: from ? `Group ${from}` : "New group",
    label: name || "Type a name",
    says: from ? "" : count(symbols.length),
    why: name ? "" : "Letters and digits, up to 32.",
    verb: name ? (from ? "Rename" : "Make") : "",
    does: name ? { ...ask(wish), leads: { kind: "group", name } } : null,
  };
}

function count(symbols) {
  if (!symbols) return "no symbol yet";
  return symbols === 1 ? "1 symbol" : `${symbols} symbols`;
}
