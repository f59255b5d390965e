// What is wrong, in sentences: the worst comes first.

import { exhaustedSince, groups, growth, holdersOf, isExhausted, SPAN, sum } from "./figures.js";
import { bound, clock, duration, number, place, plural, processName, who } from "./words.js";

const LEVELS = ["alarm", "warn", "note", "fine"];
// Seconds after which what has failed is the past, and no alarm any more.
const RECENT = 10;
// The same for a process that was killed, from when that was found: somebody asks why.
const MOURNING = 60;
const MINUTES = `the last ${SPAN / 60} minutes`;

/** `[{ level, kind, text }]`; there is always one, and only the first is needed to know. */
export function findings(pools, { at, trouble }) {
  const incomplete = trouble ? [alone(trouble)] : [];
  if (!pools.length) {
    const text = "No pool has been used yet: the first query opens one.";
    return [...incomplete, { level: "note", kind: "none", text }];
  }
  const found = pools.flatMap((pool) =>
    [connects, exhaustion, timeouts, leaks, waits].flatMap((look) => look(pool, at))
      .map((each) => ({ ...each, text: pools.length > 1 ? ofPool(pool, each.text) : each.text })));
  found.push(...incomplete, ...ends(pools, at));
  const silent = silence(pools);
  const isFine = !found.some(({ level }) => level === "alarm" || level === "warn");
  if (isFine) found.push(silent.length ? others(pools) : fine(pools));
  found.push(...silent);
  const rank = ({ level, kind }) => (["fine", "nobody"].includes(kind) ? -1 : LEVELS.indexOf(level));
  return found.sort((a, b) => rank(a) - rank(b)); // stable: within a level as above
}

const ofPool = ({ name }, text) => `Pool ${name}: ${text[0].toLowerCase()}${text.slice(1)}`;

function connects(pool, at) {
  const { count, last } = growth(pool, "failed_connects", SPAN, at);
  if (!count) return [];
  if (at - last > RECENT) {
    const text = `${plural(count, "connect")} failed in ${MINUTES}, the last at ${clock(last)}.`;
    return [{ level: "note", kind: "connects failed", text }];
  }
  const text = `Connects are failing: ${number(count)} in ${MINUTES}, the last at ${clock(last)}. ` +
    "Is the server up?";
  return [{ level: "alarm", kind: "connects are failing", text }];
}

function exhaustion({ members, now }, at) {
  const full = now.heard.filter(({ stats }) => isExhausted(stats));
  if (!full.length) return [];
  const isEverywhere = full.length === members.length;
  const where = `${full.length} of ${plural(members.length, "process", "processes")}`;
  const holders = holdersOf({ members: full });
  const texts = [
    `Exhausted${isEverywhere ? "" : ` in ${where}`}: ${taken(full)}${longest(holders)}.`,
    `Since ${span(Math.min(...full.map(exhaustedSince)), at)}, in ${
      isEverywhere ? all(full) : `${where}${names(full)}`}.`,
    ...most(holders),
  ];
  return texts.map((text) => ({ level: "alarm", kind: "exhausted", text }));
}

function taken(full) {
  const add = (name) => sum(full.map(({ stats }) => stats[name]));
  const moving = ["opening", "closing"].filter(add).map((name) => `${add(name)} ${name}, `);
  return `${number(add("in_use"))} of ${number(add("size"))} connections in use, ${moving.join("")}` +
    `${number(add("waiting"))} waiting`;
}

const longest = ([first]) =>
  (first ? `; the longest holder is ${who(first)} for ${duration(first.seconds)}` : "");

function span(since, at) {
  const isAll = at - since > SPAN - 10; // as far back as is known
  return `${clock(since)}, for ${duration(Math.max(0, at - since))} ${isAll ? "or longer" : "by now"}`;
}

const all = (full) => (full.length > 1 ? `all ${full.length} processes` : "the only process");

const names = (members) =>
  (members.length > 3 ? "" : `: ${members.map(({ process }) => processName(process)).join(", ")}`);

function most(holders) {
  const [group] = groups(holders, who);
  if (!group || group.count < 2) return [];
  const spot = place(group.longest.stack);
  return [`${number(group.count)} of ${number(holders.length)} are held by ${group.name}${
    spot && `, the longest at ${spot}`}.`];
}

function timeouts(pool, at) {
  const { count, last } = growth(pool, "timeouts", SPAN, at);
  if (!count) return [];
  const text = `${plural(count, "caller")} got a PoolTimeout in ${MINUTES}, the last at ${clock(last)}.`;
  return [{ level: at - last > RECENT ? "note" : "warn", kind: "timeouts", text }];
}

function leaks({ now }) {
  const long = holdersOf({ members: now.heard }).filter(({ seconds, member }) =>
    member.leak_threshold !== null && seconds >= member.leak_threshold);
  if (!long.length) return [];
  const [{ seconds, member }] = long;
  const text = `${plural(long.length, "connection")} held for longer than LEAK_THRESHOLD ` +
    `(${bound(member.leak_threshold)}): ${who(long[0])} for ${duration(seconds)}.`;
  return [{ level: "warn", kind: "leaks", text }];
}

function waits({ now, past }) {
  const waiting = now.heard.filter(({ stats }) => stats.waiting > 0 && !isExhausted(stats));
  if (waiting.length) {
    const count = (name) => number(sum(waiting.map(({ stats }) => stats[name])));
    const text = `${count("waiting")} waiting for a connection, though not all slots are in use: ` +
      `${count("in_use")} of ${count("size")} are, ${count("opening")} opening.`;
    return [{ level: "warn", kind: "waiting", text }];
  }
  const most = Math.max(...past.waiting);
  if (now.waiting || most <= 0) return [];
  const last = past.times[past.waiting.findLastIndex((count) => count > 0)];
  const text = `Nobody waits now; in ${MINUTES} up to ${number(most)} did, the last at ${clock(last)}.`;
  return [{ level: "note", kind: "waited", text }];
}

/** Processes that have ended. One that did so without a last word was killed, or has crashed. */
function ends(pools, at) {
  const every = new Map();
  for (const { key, process, samples } of pools.flatMap(({ ended }) => ended)) {
    const { in_use, waiting } = every.get(key) ?? { in_use: 0, waiting: 0 }, last = samples.at(-1);
    every.set(key, { process, in_use: in_use + last.in_use, waiting: waiting + last.waiting });
  }
  const wasBusy = ({ process, in_use, waiting }) => !process.is_last && in_use + waiting > 0;
  const found = [...every.values()].sort((a, b) => b.process.at - a.process.at);
  const busy = found.filter(wasBusy), others = found.filter((each) => !wasBusy(each));
  const texts = busy.slice(0, 3).map(({ process, in_use, waiting }) => ({
    level: at - process.found_at > MOURNING ? "note" : "warn",
    kind: "killed",
    text: `${processName(process)} ended without a last word; when last heard of, at ` +
      `${clock(process.at)}, it had ${plural(in_use, "connection")} in use and ` +
      `${number(waiting)} waiting. Was it killed?`,
  }));
  if (busy.length > 3) {
    texts.push({ ...texts[2], text: `So did ${plural(busy.length - 3, "other process", "other processes")}.` });
  }
  if (!others.length) return texts;
  const text = `${plural(others.length, "process", "processes")} ended in ${MINUTES}, ` +
    `the last at ${clock(others[0].process.at)}${names(others)}.`;
  return [...texts, { level: "note", kind: "ended", text }];
}

function silence(pools) {
  const every = new Map(pools.flatMap(({ members }) => members.map((each) => [each.key, each])));
  const silent = [...every.values()].filter(({ isSilent }) => isSilent);
  if (!silent.length) return [];
  const told = silent.slice(0, 3).map(({ process }) =>
    `${processName(process)} for ${duration(process.age)}`);
  const [are, hubs] = silent.length > 1 ? ["are", "Their hubs are"] : ["is", "Its hub is"];
  const text = `${silent.length} of ${plural(every.size, "process", "processes")} ${are} silent: ` +
    `${told.join(", ")}${silent.length > 3 ? ", ..." : ""}. ` +
    `${hubs} blocked, or stopped; what is held there is not known.`;
  return [{ level: "alarm", kind: "silent", text }];
}

const alone = (trouble) => ({
  level: "warn", kind: "alone",
  text: `Not every process may be shown: they cannot tell each other what they have (${trouble}).`,
});

const added = (pools, name) => sum(pools.map(({ now }) => now[name]));

function inUse(pools, size) {
  const of = pools.length > 1 ? ` of ${pools.length} pools` : "";
  return `${number(added(pools, "in_use"))} of ${number(size)} connections${of} in use, nobody is waiting.`;
}

const fine = (pools) => (pools.some(({ members }) => members.length)
  ? { level: "fine", kind: "fine", text: `Fine: ${inUse(pools, added(pools, "size"))}` }
  : { level: "note", kind: "nobody", text: "Every process that had a pool has ended." });

function others(pools) {
  const size = added(pools, "size") - added(pools, "unknown");
  return { level: "note", kind: "others", text: `The others: ${inUse(pools, size)}` };
}
