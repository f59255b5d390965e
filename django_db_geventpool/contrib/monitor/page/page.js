// Asks for the figures about once a second, one request at a time, and shows them.

import { element, keep, say, set, sign } from "./dom.js";
import { poolsOf } from "./figures.js";
import { poolSection } from "./pool.js";
import { serverSection } from "./server.js";
import { findings } from "./verdict.js";
import { duration, number, plural, zonedClock } from "./words.js";

// Milliseconds: from one answer to the next question, the same while nobody looks, how long to
// wait for an answer: from a worker whose hub is blocked there will be none.
const EVERY = 1000, UNSEEN = 10000, PATIENCE = 5000;
const LATE = 3; // seconds
const TITLES = { paused: "Paused", away: "No answer", login: "Log in again" };
const $ = (id) => document.getElementById(id);

let timer = 0, isAsking = false, isPaused = false;
let status = null, answeredAt = performance.now(), trouble = null, announced = "", title = "";

class LoggedOut extends Error {}

async function ask() {
  clearTimeout(timer);
  if (isAsking || isPaused) return;
  isAsking = true;
  const found = await answer().then((status) => ({ status }), (error) => ({ error }));
  isAsking = false;
  if (isPaused) return;
  timer = setTimeout(ask, document.hidden || found.error instanceof LoggedOut ? UNSEEN : EVERY);
  trouble = found.error ?? null;
  if (!trouble) {
    status = found.status;
    answeredAt = performance.now();
    show();
  }
  state();
}

async function answer() {
  const response = await fetch("status.json",
    { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
  // A site whose middleware asks for a login sends to its page.
  if (response.type === "opaqueredirect" || [401, 403].includes(response.status)) throw new LoggedOut();
  if (!response.ok) throw new Error(`HTTP ${response.status}`, { cause: await words(response) });
  return await response.json();
}

/** What an answer says itself of what is wrong, if that is meant to be read. */
async function words(response) {
  return response.headers.get("Content-Type")?.startsWith("text/plain") ? (await response.text()).trim() : "";
}

function show() {
  const pools = poolsOf(status);
  const found = findings(pools, status);
  verdict(found);
  keep($("tiles"), pools, ({ name }) => name, tile);
  $("tiles").hidden = pools.length < 2;
  keep($("pools"), pools.map((pool) => ({ pool, status })),
    ({ pool }) => pool.name, ({ pool }) => poolSection(pool, anchor(pool.name)));
  const servers = status.server && pools.length ? [{ server: status.server, pools }] : [];
  keep($("server"), servers, () => "server", serverSection);
  const hosts = [...new Set(status.processes.map(({ host }) => host))];
  say($("where"), ` of ${plural(status.processes.length, "process", "processes")} on ${
    hosts.length === 1 ? hosts[0] : `${hosts.length} hosts`}`);
}

function verdict([first, ...others]) {
  $("verdict").className = first.level;
  set($("verdict").querySelector("h1 use"), { href: `#${first.level}` });
  say($("headline"), first.text);
  keep($("findings"), others, ({ level, kind }) => `${level} ${kind}`, ({ level }) => {
    const text = element("span");
    const node = element("li", { className: level }, sign(level), text);
    return { node, update: (each) => say(text, each.text) };
  });
  announce(first.kind, first.text);
  title = first.text.split(/[;.]/)[0];
}

const anchor = (name) => `pool ${name}`.replaceAll(/\s/g, "-");

function tile({ name }) {
  const text = element("span");
  const href = `#${encodeURIComponent(anchor(name))}`;
  const node = element("a", { href }, element("b", { textContent: name }), " ", text);
  const update = ({ now }) => say(text,
    `${number(now.in_use)} of ${number(now.size)} in use, ${number(now.waiting)} waiting`);
  return { node, update };
}

/** Whether what is shown is of now; if not, why. */
function state() {
  const silence = (performance.now() - answeredAt) / 1000;
  const kind = isPaused ? "paused" : trouble instanceof LoggedOut ? "login"
    : trouble || (isAsking && silence > LATE) ? "away" : status ? "live" : "starting";
  document.body.className = kind;
  say($("clock"), status ? `${kind === "live" ? "live" : "figures of"} ${zonedClock(status.at)}` : "");
  document.title = [TITLES[kind], title, "Connection pools"].filter(Boolean).join(" · ");
  say($("pause"), isPaused ? "Go on" : "Pause");
  set($("pause"), { "aria-pressed": isPaused });
  $("trouble").hidden = kind !== "away" && kind !== "login";
  const kept = status ? "the last figures are kept." : "there are no figures yet.";
  const why = trouble?.message.startsWith("HTTP") ? ` but ${trouble.message}` : "";
  const told = trouble?.cause ? `${trouble.cause} ` : "";
  say($("complaint"), kind === "login" ? `The site does not show them any more; ${kept}`
    : `${told}No answer${why} for ${duration(Math.floor(silence))}; ${kept}`);
  $("login").hidden = kind !== "login";
  if (!$("trouble").hidden) announce(kind, $("complaint").textContent);
}

/** Read aloud, when something else is the matter than before; not with each number. */
function announce(kind, text) {
  if (announced === kind) return;
  announced = kind;
  say($("announcement"), text);
}

$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  state();
  ask();
});
document.addEventListener("visibilitychange", () => document.hidden || ask());
setInterval(state, 1000);
ask();
