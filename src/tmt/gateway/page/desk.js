// The desk's page: asks for the newest snapshot each second and shows it. Text enters only as text.

import { fetchAsPerson } from "/static/session.js";

const ANALYSIS = new Set(["WyckoffEventSeen", "PhaseChanged"]);
const POLL_MS = 1000;
const ANSWER_MS = 4000;
const STALE_SECONDS = 5;

const byId = (id) => document.getElementById(id);

// Numbers arrive as text and are formatted as text, so that no digit is lost on the way.

const money = new Intl.NumberFormat("en", {
  minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "negative",
});
const fraction = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2 });
const count = new Intl.NumberFormat("en");
const digits = new Intl.NumberFormat("en", { useGrouping: false, maximumFractionDigits: 18 });
const brief = new Intl.NumberFormat("en", { useGrouping: false, maximumSignificantDigits: 9 });

const orUnknown = (value, format) => (value === null ? "unknown" : format(value));
const asMoney = (value) => orUnknown(value, (text) => money.format(text).replace("-", "−"));
const asFraction = (value) => orUnknown(value, (text) => fraction.format(text));
const asPrice = (value) => orUnknown(value, (text) => (text.includes("E") ? digits.format(text) : text));
const asQuantity = (value) => digits.format(value).replace("-", "−");
const words = (name) => name.replaceAll("_", " ");
const spaced = (type) => type.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
const asHeading = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const asDate = (ns) => new Date(Math.floor(ns / 1e6));
const asTime = (ns) => asDate(ns).toISOString().slice(0, 19).replace("T", " ");

function asTimeOf(ns, today) {
  const text = asTime(ns);
  return text.slice(0, 10) === today ? text.slice(11) : text;
}

// Cells: a text, or { text, tone, time }. A tone colours what the words say already.

const profit = (value, currency) => ({
  text: value === null ? "unknown" : `${asMoney(value)} ${currency}`,
  tone: value === null || Number(value) === 0 ? "" : Number(value) > 0 ? "good" : "bad",
});
const hasTripped = (breaker) => breaker.state !== "closed";
const when = (ns, today) => ({ text: asTimeOf(ns, today), time: asDate(ns).toISOString() });

const isWanted = (event) => byId("analysis").checked || !ANALYSIS.has(event.type);

function tellKind(type) {
  if (/Denied|Rejected|Opened$|Suspended|Broken|Stale|Stop/.test(type) && type !== "AccountOpened") return "bad";
  return /Filled|PositionClosed|BreakerClosed|Recovered/.test(type) ? "good" : "";
}

const TABLES = {
  accounts: {
    nothing: "No account is open.",
    rows: (desk) => desk.accounts.map((each) => [
      each.account,
      each.account,
      { text: each.equity === null ? "unknown" : `${asMoney(each.equity)} ${each.currency}`, tone: "strong" },
      profit(each.unrealised, each.currency),
      asFraction(each.drawdown_fraction),
      asFraction(each.daily_loss_fraction),
      each.suspended_by ? { text: `SUSPENDED by ${words(each.suspended_by)}`, tone: "bad" } : "may trade",
    ]),
  },
  market: {
    nothing: "No instrument is traded.",
    rows: (desk, today) => desk.market.map((each) => [
      each.instrument,
      each.simulated ? `${each.instrument} (simulated)` : each.instrument,
      each.quote ? asPrice(each.quote.bid) : each.open ? "no quote yet" : "closed",
      each.quote ? asPrice(each.quote.ask) : "",
      each.quote ? when(each.quote.time_ns, today) : "",
      each.bar ? `${each.bar.timeframe} to ${asTimeOf(each.bar.end_ns, today)}` : "no bar yet",
      each.bar ? asPrice(each.bar.close) : "",
      Object.entries(each.phases).map(([where, phase]) => `${where} ${phase}`).join(", ") || "no range",
      each.stale ? { text: "STALE", tone: "bad" } : each.open ? "ok" : "closed",
    ]),
  },
  positions: {
    nothing: "Flat: no position is open.",
    rows: (desk) => desk.positions.map((each) => [
      `${each.account} ${each.instrument}`,
      each.account,
      each.instrument,
      asQuantity(each.quantity),
      orUnknown(each.average_price, (price) => brief.format(price)),
      each.stop_price === null ? { text: "none", tone: "bad" } : asPrice(each.stop_price),
      profit(each.unrealised, each.currency),
    ]),
  },
  orders: {
    nothing: "No order is working.",
    rows: (desk) => desk.orders.map((each) => [
      each.client_order_id,
      each.account,
      each.instrument,
      `${each.side} ${words(each.type)}`,
      asQuantity(each.quantity),
      each.price === null ? "market" : asPrice(each.price),
      words(each.state),
    ]),
  },
  breakers: {
    nothing: "None has tripped: all are closed.",
    rows: (desk, today) => desk.breakers.filter(hasTripped).map((each) => [
      `${each.tier} ${each.scope}`,
      `${each.tier} ${each.scope}`,
      { text: words(each.state).toUpperCase(), tone: "bad" },
      words(each.trigger),
      when(each.since_ns, today),
      words(each.resumes_by),
    ]),
  },
  feed: {
    nothing: "Nothing was delivered yet.",
    rows: (desk) => Object.entries(desk.feed_quality.instruments).map(([symbol, found]) => [
      symbol,
      symbol,
      count.format(found.rows),
      count.format(found.gaps),
      found.longest_gap === null ? "none" : asLength(found.longest_gap),
      tellFindings(found),
    ]),
  },
  agents: {
    nothing: "No agent has reported.",
    rows: (desk, today) => desk.agents.map((each) => [
      each.name,
      words(each.name),
      count.format(each.handled),
      each.last ? when(each.last.time_ns, today) : "",
      each.last ? each.last.text : "nothing yet",
    ]),
  },
  events: {
    nothing: "Nothing but Wyckoff analysis lately.",
    rows: (desk, today) => desk.events.filter(isWanted).map((each) => [
      each.message_id,
      when(each.time_ns, today),
      { text: asHeading(spaced(each.type)), tone: tellKind(each.type) },
      each.text,
      { text: each.message_id.slice(0, 12), tone: "code" },
    ]),
  },
};

const NOT_A_FINDING = new Set(["rows", "quotes", "trades", "gaps"]);

function tellFindings(found) {
  const counted = Object.entries(found).filter(([name, value]) => value > 0 && !NOT_A_FINDING.has(name));
  return counted.map(([name, value]) => `${words(name)} ${count.format(value)}`).join(", ") || "none";
}

function asLength({ from_ns: fromNs, to_ns: toNs }) {
  const seconds = Math.round((toNs - fromNs) / 1e9);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function tallies(desk) {
  const so = (type) => count.format(desk.counts[type] ?? 0);
  const tripped = desk.breakers.filter(hasTripped).length;
  const breakers = tripped === 0 ? ["all closed"] : [`${tripped} of ${desk.breakers.length} TRIPPED`, "bad"];
  return [
    ["Bars", so("BarClosed")],
    ["Signals", so("SignalRaised")],
    ["Denied", so("OrderDenied")],
    ["Sent", so("OrderSubmitted")],
    ["Fills", so("OrderFilled")],
    ["Working", count.format(desk.orders.length)],
    ["Breakers", ...breakers],
  ];
}

// Drawing: only what changed is touched, so that selections, focus and screen readers keep their place.

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fillTable(table, rows, nothing) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const shown = rows.length > 0 ? rows : [["", nothing]];
  shown.forEach(([key, ...cells], index) => {
    const row = known.get(key) ?? newRow(key, rows.length > 0 ? heads : []);
    cells.forEach((cell, column) => fillCell(row.cells[column], typeof cell === "string" ? { text: cell } : cell));
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  while (body.rows.length > shown.length) body.lastElementChild.remove();
}

function newRow(key, heads) {
  const row = document.createElement("tr");
  row.dataset.key = key;
  row.setAttribute("role", "row");
  heads.forEach((head, column) => {
    const cell = document.createElement(column === 0 ? "th" : "td");
    if (column === 0) cell.scope = "row";
    cell.setAttribute("role", column === 0 ? "rowheader" : "cell");
    cell.dataset.label = head.textContent;
    cell.dataset.kind = head.className;
    cell.append(document.createElement("span"));
    row.append(cell);
  });
  if (heads.length === 0) {
    const cell = document.createElement("td");
    cell.colSpan = 99;
    cell.className = "nothing";
    cell.setAttribute("role", "cell");
    cell.append(document.createElement("span"));
    row.append(cell);
  }
  return row;
}

function fillCell(cell, { text, tone = "", time = "" }) {
  const wanted = [cell.dataset.kind, tone].filter(Boolean).join(" ");
  if (cell.dataset.kind !== undefined && cell.className !== wanted) cell.className = wanted;
  let inner = cell.firstElementChild;
  if ((inner.localName === "time") !== (time !== "")) {
    inner.replaceWith((inner = document.createElement(time === "" ? "span" : "time")));
  }
  if (time !== "") inner.dateTime = time;
  setText(inner, text);
}

function fillTallies(list, lines) {
  lines.forEach(([label, text, tone = ""], index) => {
    if (list.children.length <= index) {
      const pair = document.createElement("div");
      pair.append(document.createElement("dt"), document.createElement("dd"));
      list.append(pair);
    }
    const [term, value] = list.children[index].children;
    setText(term, label);
    setText(value, text);
    value.className = tone;
  });
}

function fillNotes(list, notes) {
  const shown = [...list.children].map((each) => each.textContent);
  if (shown.length === notes.length && shown.every((text, index) => text === notes[index])) return;
  list.replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
}

function fillBadge(desk) {
  const text = desk.simulated ? "DEMO · simulated market data" : "REPLAY of recorded data";
  const badge = byId("badge");
  setText(badge, text);
  badge.hidden = false;
  badge.classList.toggle("demo", desk.simulated);
  const title = `${desk.simulated ? "DEMO" : "REPLAY"} · TMT desk`;
  if (document.title !== title) document.title = title;
}

function draw(desk) {
  const now = asTime(desk.time_ns);
  fillBadge(desk);
  setText(byId("clock"), now);
  byId("clock").dateTime = asDate(desk.time_ns).toISOString();
  fillTallies(byId("tallies"), tallies(desk));
  for (const [id, { rows, nothing }] of Object.entries(TABLES)) {
    fillTable(byId(id), rows(desk, now.slice(0, 10)), nothing);
  }
  fillNotes(byId("feed-notes"), desk.feed_quality.notes);
  const closed = desk.breakers.filter((each) => !hasTripped(each)).map((each) => `${each.tier} ${each.scope}`);
  setText(byId("closed"), closed.length > 0 ? `Closed: ${closed.join(", ")}.` : "");
}

// One drawing a frame, of the newest snapshot, however many have come.

let newest = null;
let isDrawingDue = false;

function show(desk) {
  newest = desk;
  if (isDrawingDue || newest === null) return;
  isDrawingDue = true;
  requestAnimationFrame(() => {
    isDrawingDue = false;
    if (newest !== null) draw(newest);
  });
}

// The notice is told once per change, so that a screen reader does not repeat it each second.

const NOTICES = {
  fine: () => "",
  lost: (since) => `Connection lost at ${since} UTC. The figures are the last that came; trying again each second.`,
  stale: (since) => `The desk has stopped reporting (noticed at ${since} UTC). The figures are its last.`,
  starting: () => "The desk is starting.",
};

let condition = "fine";

function tell(found) {
  if (found === condition) return;
  condition = found;
  setText(byId("notice"), NOTICES[found](new Date().toISOString().slice(11, 19)));
  document.body.classList.toggle("past", found !== "fine");
}

async function ask() {
  const answer = await fetchAsPerson("/api/v1/desk", { signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer === null) return "fine";
  if (answer.status === 503) return "starting";
  if (!answer.ok) return "lost";
  show(await answer.json());
  return Number(answer.headers.get("Snapshot-Age-Seconds")) < STALE_SECONDS ? "fine" : "stale";
}

async function poll() {
  tell(await ask().catch(() => "lost"));
  setTimeout(poll, POLL_MS);
}

// On a narrow screen the style sheet lays rows out as cards, which would cost tables their meaning without roles.
for (const table of document.querySelectorAll("table")) {
  table.setAttribute("role", "table");
  for (const group of [table.tHead, ...table.tBodies]) group.setAttribute("role", "rowgroup");
  table.tHead.rows[0].setAttribute("role", "row");
  for (const head of table.tHead.rows[0].cells) head.setAttribute("role", "columnheader");
}
byId("analysis").addEventListener("change", () => show(newest));

// Whoever leaves takes their figures along: the next to log in may not be permitted to see them.
document.addEventListener("left", () => {
  newest = null;
  for (const filled of document.querySelectorAll("tbody, #tallies, #feed-notes, #closed")) filled.replaceChildren();
  tell("fine");
});
poll();
