
"use strict";
// Asks for the status every two seconds and shows it. Everything that comes is written as text, never as markup: names
// come from packages and callers.

const EVERY_MS = 2000;
const POINTS_MAX = 60; // of a sparkline: two minutes
const STORED = "outpost-token";
const byId = (id) => document.getElementById(id);

// The token of the address's fragment, which no browser sends, or the one that this tab was given.
let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem(STORED);
if (location.hash) history.replaceState(null, "", location.pathname);

const past = new Map(); // points of sparklines, by deployment
const cards = new Map(); // what shows a deployment, by id
let last = null; // the status that is shown
let timer = 0;

// --- writing

/** An element with classes and children; a text is written as text. */
function make(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children.filter((child) => child !== null));
  return element;
}

function entry(name, value, classes) {
  return make("div", "", make("dt", "", name), make("dd", classes ?? "", value));
}

/** Three digits that say something, or a dash where there is no number. */
function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(size < 0.001 ? 1 : 3).replace(/\.?0+$/, "");
}

const count = (value, word) => `${number(value)} ${word}${value === 1 ? "" : "s"}`;
const ms = (value) => (value === null ? "–" : `${number(value)} ms`);
const percent = (share) => `${number(share * 100)} %`;

function bytes(count) {
  for (const unit of ["B", "KiB", "MiB"]) {
    if (count < 1024) return `${number(count)} ${unit}`;
    count /= 1024;
  }
  return `${number(count)} GiB`;
}

function age(seconds) {
  if (seconds === null) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

const ago = (at) => `${age((Date.now() - Date.parse(at)) / 1000)} ago`;
const short = (digest) => digest.replace(/^sha256:/, "").slice(0, 12);

function digest(value) {
  const code = make("code", "", short(value));
  code.title = value;
  return code;
}

function badge(text, classes) {
  return make("span", `badge ${classes ?? ""}`, text);
}

// --- sparklines

function spark(values, label, latest) {
  const figure = make("figure", "");
  const svg = byId("spark").content.firstElementChild.cloneNode(true);
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 0) || 1;
  const step = 120 / (POINTS_MAX - 1);
  const from = POINTS_MAX - values.length;
  const points = values.map((value, at) =>
    value === null ? "" : `${((from + at) * step).toFixed(1)},${(27 - (value / top) * 26).toFixed(1)}`);
  svg.firstElementChild.setAttribute("points", points.join(" "));
  svg.setAttribute("aria-label", `${label}, the last two minutes; now ${latest}`);
  figure.append(make("figcaption", "soft", label), svg);
  return figure;
}

function remember(deployment) {
  const points = past.get(deployment.id) ?? { rate: [], p99: [] };
  points.rate.push(deployment.requestsPerSecond);
  points.p99.push(deployment.p99Ms);
  for (const list of [points.rate, points.p99]) if (list.length > POINTS_MAX) list.shift();
  past.set(deployment.id, points);
}

// --- deployments

function packageOf(kind, title, found, ...more) {
  const faults = [];
  for (const [name, count] of [["declined", found.declined], ["broken", found.broken], ["late", found.late]]) {
    if (count) faults.push(badge(`${number(count)} ${name}`, name === "declined" ? "warn" : "bad"));
  }
  return make("div", `package ${kind}`,
    make("div", "head", make("b", "", title), `${found.name} ${found.version}`, digest(found.digest), ...faults),
    make("p", "soft", `for ${age((Date.now() - Date.parse(found.since)) / 1000)}, ${count(found.rows, "row")}, call p50 ${ms(found.p50Ms)}, p99 ${ms(found.p99Ms)}`,
      found.signedBy ? `, signed by ${found.signedBy}` : ""),
    ...more.filter((part) => part !== null));
}

function compared(comparison) {
  if (!comparison.requests && !comparison.failed) return make("p", "soft", "not compared with the champion yet");
  return make("p", "soft",
    `against the champion on ${count(comparison.rows, "row")}: mean difference ${number(comparison.meanDifference)}, ` +
    `largest ${number(comparison.largestDifference)}, ${ms(comparison.meanMs)} against ${ms(comparison.championMeanMs)}` +
    (comparison.failed ? `, failed ${number(comparison.failed)}` : ""));
}

/** Who answers how much, drawn. */
function shares(canary) {
  const bar = make("div", "share");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `the champion answers ${percent(1 - canary)}, the canary ${percent(canary)}`);
  for (const [kind, share] of [["champion", 1 - canary], ["canary", canary]]) {
    const part = make("div", kind);
    part.style.flexGrow = share * 100;
    bar.append(part);
  }
  return bar;
}

function watched(watch) {
  if (!watch) return null;
  const meter = document.createElement("meter");
  meter.max = Math.max(watch.window, 1);
  meter.value = watch.requests;
  const text = `watched: ${number(watch.requests)} of ${number(watch.window)} requests, ${count(watch.faults, "fault")}`;
  meter.setAttribute("aria-label", text);
  return make("div", "", make("p", "soft", text), meter);
}

function fill(card, deployment) {
  const { champion, canary, challengers, previous } = deployment;
  const points = past.get(deployment.id);
  const title = make("h3", "", deployment.name === deployment.id ? deployment.id : `${deployment.name} (${deployment.id})`);
  const state = deployment.draining ? badge("draining", "warn") : champion ? badge("serving", "good") : badge("nothing loaded", "bad");
  const parts = [make("div", "head", title, state, deployment.isDefault ? badge("default") : null)];
  parts.push(make("dl", "numbers",
    entry("req/s", number(deployment.requestsPerSecond)),
    entry("p50 ms", number(deployment.p50Ms)),
    entry("p99 ms", number(deployment.p99Ms)),
    entry("errors", number(deployment.errors), deployment.errors ? "bad" : "")));
  parts.push(make("div", "sparks",
    spark(points.rate, "requests/s", number(deployment.requestsPerSecond)),
    spark(points.p99, "p99", ms(deployment.p99Ms))));
  if (canary) parts.push(shares(canary.share));
  if (champion) {
    const share = canary ? `champion, ${percent(1 - canary.share)}` : "champion";
    parts.push(packageOf("champion", share, champion, watched(deployment.watch)));
  }
  if (canary) {
    parts.push(packageOf("canary", `canary, ${percent(canary.share)}`, canary.package, watched(canary.watch), compared(canary.comparison)));
  }
  for (const challenger of challengers) {
    const shed = challenger.shed ? make("p", "soft", `left out ${count(challenger.shed, "request")}: its time was used up`) : null;
    parts.push(packageOf("challenger", `challenger ${challenger.name}`, challenger.package, compared(challenger.comparison), shed));
  }
  const before = previous ? ["; rollback brings ", `${previous.name} ${previous.version} `, digest(previous.digest)] : [];
  parts.push(make("p", "soft", `${count(deployment.requests, "request")} since the start, made by ${deployment.madeBy}`, ...before));
  card.replaceChildren(...parts);
}

function words(deployment) {
  const packages = [deployment.champion, deployment.canary?.package, ...deployment.challengers.map((one) => one.package)];
  const names = packages.filter(Boolean).flatMap((found) => [found.name, found.version, found.digest]);
  return [deployment.id, deployment.name, ...names].join("\n").toLowerCase();
}

function showDeployments(deployments) {
  const wanted = byId("filter").value.trim().toLowerCase();
  const list = byId("deployments");
  const shown = [];
  for (const deployment of deployments) {
    if (wanted && !words(deployment).includes(wanted)) continue;
    let card = cards.get(deployment.id);
    if (!card) cards.set(deployment.id, card = make("article", "card"));
    card.setAttribute("aria-label", deployment.id);
    fill(card, deployment);
    shown.push(card);
  }
  // Only what has changed places is moved, so that a reader's place is kept.
  if (shown.length !== list.children.length || shown.some((card, at) => list.children[at] !== card)) {
    list.replaceChildren(...shown);
  }
  for (const id of cards.keys()) {
    if (!deployments.some((deployment) => deployment.id === id)) {
      cards.delete(id);
      past.delete(id);
    }
  }
  byId("count").textContent = wanted ? `${shown.length} of ${deployments.length}` : `${deployments.length}`;
  byId("none").textContent = deployments.length ? "No deployment fits the filter." : "There is no deployment yet.";
  byId("none").hidden = shown.length > 0;
}

// --- the rest

function showTotals(status) {
  const sum = (value) => status.deployments.reduce((all, deployment) => all + value(deployment), 0);
  const worst = Math.max(...status.deployments.map((deployment) => deployment.p99Ms ?? -1));
  const errors = sum((deployment) => deployment.errors);
  const channels = status.channels;
  const waiting = Math.max(0, ...channels.map((channel) => channel.waitingRecords));
  byId("totals").replaceChildren(
    entry("deployments", number(status.deployments.length)),
    entry("requests/s", number(sum((deployment) => deployment.requestsPerSecond))),
    entry("worst p99", ms(worst < 0 ? null : worst)),
    entry("errors", number(errors), errors ? "bad" : ""),
    entry("records waiting", channels.length ? number(waiting) : "–"),
    entry("up", age(status.uptimeSeconds)));
}

function showOutbox({ outbox, channels }) {
  const parts = [];
  if (outbox) {
    parts.push(entry("state", outbox.healthy ? "healthy" : "in trouble", outbox.healthy ? "" : "bad"));
    parts.push(entry("on disk", bytes(outbox.storedBytes)));
    parts.push(entry("queued", number(outbox.queuedRecords)));
    parts.push(entry("refused", number(outbox.refused), outbox.refused ? "bad" : ""));
  }
  byId("outbox").replaceChildren(...parts);
  const lines = channels.map((channel) => make("li", "",
    make("div", "head", make("b", "", channel.name),
      channel.paused === null ? badge("running", "good") : badge("paused", "bad")),
    make("p", "", channel.waitingRecords
      ? `${count(channel.waitingRecords, "record")} waiting, the oldest for ${age(channel.oldestAgeSeconds)}`
      : "no records waiting"),
    channel.paused === null ? null : make("p", "soft", channel.paused),
    channel.lastError === null ? null : make("p", "soft", `last failure: ${channel.lastError}`)));
  if (outbox?.trouble) lines.unshift(make("li", "bad", outbox.trouble));
  if (!outbox) lines.push(make("li", "soft", "There is no outbox: nothing is recorded."));
  else if (!channels.length) lines.push(make("li", "soft", "No channel drains it."));
  byId("channels").replaceChildren(...lines);
}

function showEvents(events) {
  byId("events").replaceChildren(...events.map((event) => {
    const at = make("time", "soft", ago(event.at));
    at.dateTime = at.title = event.at;
    const change = [];
    if (event.from !== null) change.push(" from ", digest(event.from));
    if (event.to !== null) change.push(event.done ? " to " : " refused ", digest(event.to));
    return make("li", "", at, make("div", "",
      make("div", "head", badge(event.action, event.done ? "" : "bad"), make("b", "", event.deployment ?? "gateway"),
        make("span", "soft", `by ${event.by}`)),
      make("p", "", ...(change.length ? [change[0].trimStart(), ...change.slice(1)] : [])),
      event.message === null ? null : make("p", "soft", event.message)));
  }));
  if (!events.length) byId("events").append(make("li", "soft", "Nothing has changed since the start."));
}

function show(status) {
  byId("version").textContent = status.version;
  const state = byId("state");
  state.textContent = status.draining ? "draining" : status.ready ? "ready" : "not ready";
  state.className = `badge ${status.draining ? "warn" : status.ready ? "good" : "bad"}`;
  byId("notes").replaceChildren(
    ...status.reasons.map((text) => make("li", "bad", text)),
    ...status.warnings.map((text) => make("li", "warn", text)));
  showTotals(status);
  showDeployments(status.deployments);
  showOutbox(status);
  showEvents(status.events);
}

function complain(text) {
  byId("trouble").textContent = text ?? "";
  byId("trouble").hidden = text === null;
}

function askForToken(wrong) {
  token = null;
  sessionStorage.removeItem(STORED);
  document.querySelector("main").hidden = true;
  byId("login").hidden = false;
  byId("state").textContent = "locked";
  byId("state").className = "badge";
  complain(wrong ? "The gateway does not know this token." : null);
  byId("token").focus();
}

async function ask() {
  const sent = token;
  try {
    const headers = sent ? { Authorization: `Bearer ${sent}` } : {};
    const answer = await fetch("/api/v1/status", { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) return askForToken(sent !== null);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    if (sent) sessionStorage.setItem(STORED, sent);
    last = body;
    last.deployments.forEach(remember);
    byId("login").hidden = true;
    document.querySelector("main").hidden = false;
    complain(null);
    show(last);
  } catch (error) {
    byId("state").textContent = "no answer";
    byId("state").className = "badge bad";
    complain(`The gateway gives no status: ${error.message}` + (last ? ". What is shown is old." : ""));
  }
  timer = setTimeout(ask, EVERY_MS);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  byId("token").value = "";
  clearTimeout(timer);
  ask();
});
byId("filter").addEventListener("input", () => last && showDeployments(last.deployments));
// A page that nobody sees asks for nothing.
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && byId("login").hidden) ask();
});
ask();
