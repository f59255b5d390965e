// What status.json says, added up: by second, by pool, at this moment.

/** Seconds of the charts, as many as are kept; how old a sample counts; when a process is silent. */
export const SPAN = 300, FRESH = 2.5, SILENT = 5;

const STATES = ["in_use", "idle", "opening", "closing", "waiting"];
const RATES = ["checkouts", "waits", "timeouts", "failed_connects"];
// An exhausted pool that serves now and then is exhausted all the same.
const BREATH = 5;

export const sum = (values) => values.reduce((all, each) => all + each, 0);

/** The pools of a status by alias, "default" first, each with its part of every process. */
export function poolsOf(status) {
  const names = Object.keys(status.totals);
  names.sort((a, b) => (b === "default") - (a === "default") || a.localeCompare(b));
  const pools = names.map((name) => {
    const partsOf = (processes) => processes.filter((process) => name in process.pools)
      .map((process) => part(process, name, status.columns));
    const [members, ended] = [partsOf(status.processes), partsOf(status.ended)];
    const { stats, reuse_conns, min_conns } = status.totals[name];
    const [present, lately] = [now(members), past([...members, ...ended], status.at)];
    return { name, members, ended, stats, reuse_conns, min_conns, now: present, past: lately };
  });
  // What the server counts is of all pools.
  const server = (pools.length === 1 && status.server) || { samples: [] };
  for (const { past } of pools) {
    past.server = serverPast(server, past).map((row) => (row ? sum(row.slice(1)) : null));
  }
  return pools;
}

/** A process's part of a pool; of one that has ended, `size` is what it had. */
const part = (process, name, columns) => ({
  process,
  key: `${process.host} ${process.pid} ${process.started}`,
  isSilent: process.age > SILENT,
  size: process.pools[name].stats.size,
  ...process.pools[name],
  samples: process.pools[name].samples.map((row) =>
    Object.fromEntries(columns.map((column, place) => [column, row[place]]))),
});

/** The rows of samples that the server's own count has for the seconds of the charts. */
export const serverPast = ({ samples }, { times }) =>
  times.map((time) => samples.findLast(([at]) => at <= time && time - at <= FRESH));

/** The sums of those who have been heard of; what the others hold is not known. */
function now(members) {
  const heard = members.filter((each) => !each.isSilent);
  const sums = Object.fromEntries(
    STATES.map((name) => [name, sum(heard.map(({ stats }) => stats[name]))]));
  const size = sum(members.map(({ stats }) => stats.size));
  const checkouts = sum(heard.map((each) => currentRate(each, "checkouts")));
  return { ...sums, checkouts, size, unknown: size - sum(heard.map(({ stats }) => stats.size)), heard };
}

/** For each second the sums over the processes, of each its last sample; null where there is none. */
function past(members, at) {
  const times = Array.from({ length: SPAN }, (_, place) => Math.ceil(at) - SPAN + 1 + place);
  const names = [...STATES, ...RATES, "changing", "unknown", "size"];
  const sums = Object.fromEntries(names.map((name) => [name, Array(SPAN).fill(null)]));
  for (const { samples, size, process } of members) {
    const end = "found_at" in process ? samples.at(-1).at + FRESH : Infinity; // it has ended
    let last = -1;
    times.forEach((time, place) => {
      const add = (name, value) => (sums[name][place] += value);
      while (last + 1 < samples.length && samples[last + 1].at <= time) last += 1;
      if (last < 0 || time > end) return;
      const [sample, before] = [samples[last], samples[last - 1]];
      const isFresh = Math.min(time, at) - sample.at <= FRESH;
      add("size", size);
      add("unknown", isFresh ? 0 : size);
      STATES.forEach((name) => add(name, isFresh ? sample[name] : 0));
      add("changing", isFresh ? sample.opening + sample.closing : 0);
      if (before) RATES.forEach((name) => add(name, isFresh ? perSecond(before, sample, name) : 0));
    });
  }
  return { times, ...sums };
}

const perSecond = (before, sample, name) =>
  Math.max(0, sample[name] - before[name]) / (sample.at - before.at);

export const currentRate = ({ samples }, name) =>
  samples.length > 1 ? perSecond(samples.at(-2), samples.at(-1), name) : 0;

/** No slot is left, and somebody waits for one. */
export const isExhausted = (stats, size = stats.size) =>
  stats.waiting > 0 && stats.in_use + stats.opening + stats.closing >= size;

/** Since when, if it is so now: the Unix time. */
export function exhaustedSince({ samples, stats, process }) {
  let since = process.at;
  for (const sample of [...samples].reverse()) {
    if (since - sample.at > BREATH) break;
    if (isExhausted(sample, stats.size)) since = sample.at;
  }
  return since;
}

/** How much a counter has grown in the last seconds, over all processes, and when it last did. */
export function growth({ members, ended }, name, seconds, at) {
  let count = 0, last = null;
  for (const { samples } of [...members, ...ended]) {
    samples.forEach((sample, place) => {
      if (place === 0 || sample.at < at - seconds) return;
      const more = Math.max(0, sample[name] - samples[place - 1][name]);
      count += more;
      if (more > 0) last = Math.max(last, sample.at);
    });
  }
  return { count, last };
}

/** Everyone who holds a connection of the pool, whoever has held it for longest first. */
export function holdersOf({ members }) {
  const all = members.flatMap((member) => member.holders.map((holder) => ({ ...holder, member })));
  return all.sort((a, b) => b.seconds - a.seconds);
}

/** What each request or greenlet holds: first who has most, connections times seconds. */
export function groups(holders, nameOf) {
  const found = new Map();
  for (const holder of holders) {
    const group = found.get(nameOf(holder)) ?? { name: nameOf(holder), count: 0, seconds: 0, longest: holder };
    const [count, seconds] = [group.count + 1, group.seconds + holder.seconds];
    found.set(group.name, { ...group, count, seconds });
  }
  return [...found.values()].sort((a, b) => b.seconds - a.seconds);
}

/** The end of the bucket in which that part of all has been reached; Infinity for the last one. */
export function percentile(counts, bounds, part) {
  let left = Math.ceil(sum(counts) * part);
  const place = counts.findIndex((count) => (left -= count) <= 0);
  return bounds[place] ?? Infinity;
}

/** What has happened since an earlier look at the same pool. */
export function since(before, stats) {
  const less = (a, b) => Math.max(0, a - b);
  return Object.fromEntries(Object.entries(stats).map(([name, value]) => {
    const old = before[name];
    if (typeof value === "number") return [name, less(value, old)];
    if (name === "discards") {
      return [name, Object.fromEntries(
        Object.entries(value).map(([reason, count]) => [reason, less(count, old[reason] ?? 0)]))];
    }
    return [name, {
      counts: value.counts.map((count, place) => less(count, old.counts[place])),
      total: less(value.total, old.total),
    }];
  }));
}
