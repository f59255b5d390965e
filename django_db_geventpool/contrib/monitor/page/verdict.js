// What is wrong, in sentences: the worst comes first.

import { exhaustedSince, groups, growth, holdersOf, isExhausted, SPAN, sum } from "./figures.js";
import { bound, clock, duration, number, place, plural, processName, who } from "./words.js";

const LEVELS = ["alarm", "warn", "note", "fine"];
// Seconds after which what has failed is the past, and no alarm any more.
const RECENT = 10;
const MINUTES = `the last ${SPAN / 60} minutes`;

/** `[{ level, kind, text }]`; there is always one, and only the first is needed to know. */
export function findings(pools, at) {
  if (!pools.length) {
    return [{ level: "note", kind: "none", text: "No pool has been used yet: the first query opens one." }];
  }
  const found = pools.flatMap((pool) =>
    [connects, exhaustion, timeouts, leaks, waits].flatMap((look) => look(pool, at)).map((each) => ({
      ...each,
      text: pools.length > 1 ? `Pool ${pool.name}: ${each.text[0].toLowerCase()}${each.text.slice(1)}` : each.text,
    })));
  const silent = silence(pools);
  const isFine = !found.some(({ level }) => level === "alarm" || level === "warn");
  if (isFine) found.push(silent.length ? others(pools) : fine(pools));
  found.push(...silent);
  const rank = ({ level, kind }) => (kind === "fine" ? -1 : LEVELS.indexOf(level));
  return found.sort((a, b) => rank(a) - rank(b)); // stable: within a level as above
}

function connects({ members }, at) {
  const { count, last } = growth(members, "failed_connects", SPAN, at);
  if (!count) return [];
  if (at - last > RECENT) {
    const text = `${plural(count, "connect")} failed in ${MINUTES}, the last at ${clock(last)}.`;
    return [{ level: "note", kind: "connects failed", text }];
  }
  const text = `Connects are failing: ${number(count)} in ${MINUTES}, the last at ${clock(last)}. Is the server up?`;
  return [{ level: "alarm", kind: "connects are failing", text }];
}

function exhaustion(pool, at) {
  const { heard } = pool.now;
  const full = heard.filter(({ stats }) => isExhausted(stats));
  if (!full.length) return [];
  const add = (name) => sum(full.map(({ stats }) => stats[name]));
  const parts = [`${add("in_use")} of ${add("size")} connections in use`];
  for (const name of ["opening", "closing"]) if (add(name)) parts.push(`${add(name)} ${name}`);
  parts.push(`${number(add("waiting"))} waiting`);
  const everywhere = full.length === pool.members.length;
  const names = full.length > 3 ? "" : `: ${full.map(({ process }) => processName(process)).join(", ")}`;
  const all = full.length > 1 ? `all ${full.length} processes` : "the only process";
  const where = `${full.length} of ${plural(pool.members.length, "process", "processes")}`;
  const holders = holdersOf({ members: full });
  const longest = holders[0] ? `; the longest holder is ${who(holders[0])} for ${duration(holders[0].seconds)}` : "";
  const first = Math.min(...full.map(exhaustedSince));
  const long = `${duration(Math.max(0, at - first))}${at - first > SPAN - 10 ? " or longer" : ""}`;
  const since = `Since ${clock(first)}, for ${long} by now, in ${everywhere ? all : `${where}${names}`}.`;
  const found = [
    { text: `Exhausted${everywhere ? "" : ` in ${where}`}: ${parts.join(", ")}${longest}.` },
    { text: since },
  ];
  const [most] = groups(holders, who);
  if (most && most.count > 1) {
    const spot = place(most.longest.stack);
    found.push({ text: `${number(most.count)} of ${number(holders.length)} are held by ${most.name}${spot && `, the longest at ${spot}`}.` });
  }
  return found.map((each) => ({ level: "alarm", kind: "exhausted", ...each }));
}

function timeouts({ members }, at) {
  const { count, last } = growth(members, "timeouts", SPAN, at);
  if (!count) return [];
  const text = `${plural(count, "caller")} got a PoolTimeout in ${MINUTES}, the last at ${clock(last)}.`;
  return [{ level: at - last > RECENT ? "note" : "warn", kind: "timeouts", text }];
}

function leaks(pool) {
  const long = holdersOf(pool).filter(({ seconds, member }) =>
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
    const count = sum(waiting.map(({ stats }) => stats.waiting));
    const text = `${number(count)} waiting for a connection, though not all slots are in use: ` +
      `${now.in_use} of ${now.size} are, ${now.opening} opening.`;
    return [{ level: "warn", kind: "waiting", text }];
  }
  const most = Math.max(...past.waiting);
  if (now.waiting || most <= 0) return [];
  const last = past.times[past.waiting.findLastIndex((count) => count > 0)];
  const text = `Nobody waits now; in ${MINUTES} up to ${number(most)} did, the last at ${clock(last)}.`;
  return [{ level: "note", kind: "waited", text }];
}

function silence(pools) {
  const all = new Map(pools.flatMap(({ members }) => members.map((each) => [each.key, each])));
  const silent = [...all.values()].filter(({ isSilent }) => isSilent);
  if (!silent.length) return [];
  const names = silent.slice(0, 3).map(({ process }) => `${processName(process)} for ${duration(process.age)}`);
  if (silent.length > 3) names.push("...");
  const text = `${silent.length} of ${plural(all.size, "process", "processes")} ${silent.length === 1 ? "is" : "are"} silent: ${names.join(", ")}. ` +
    `${silent.length === 1 ? "Its hub is" : "Their hubs are"} blocked, or stopped; what is held there is not known.`;
  return [{ level: "alarm", kind: "silent", text }];
}

const inUse = (pools, size) => {
  const add = (name) => sum(pools.map(({ now }) => now[name]));
  const of = pools.length > 1 ? ` of ${pools.length} pools` : "";
  return `${number(add("in_use"))} of ${number(size(add))} connections${of} in use, nobody is waiting.`;
};

const fine = (pools) =>
  ({ level: "fine", kind: "fine", text: `Fine: ${inUse(pools, (add) => add("size"))}` });

const others = (pools) =>
  ({ level: "note", kind: "others", text: `The others: ${inUse(pools, (add) => add("size") - add("unknown"))}` });
