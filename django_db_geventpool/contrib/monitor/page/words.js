// Numbers, times and names as a person reads them.

export const number = (value) => value.toLocaleString("en");

export function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const [minutes, hours, days] = [60, 3600, 86400].map((each) => Math.floor(whole / each));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${minutes} min ${whole % 60} s`;
  if (whole < 86400) return `${hours} h ${minutes % 60} min`;
  return `${days} d ${hours % 24} h`;
}

/** An end of a histogram's bucket: it is exact. */
export const bound = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds} s`);

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const ZONE = new Intl.DateTimeFormat("en-GB", { timeStyle: "long" });
export const zonedClock = (time) => ZONE.format(time * 1000);
export const clock = (time) => CLOCK.format(time * 1000);
export const minute = (time) => clock(time).slice(0, 5);

export const rate = (value) =>
  (value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : number(Math.round(value)));

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export const processName = (process) => `${process.program || "python"} ${process.pid}`;

export const who = (holder) => holder.request || holder.name;

// Where a stack is in a site's own code: below that are the driver, Django and the hub.
const FRAME = /^ {2}File "(.*)", line (\d+), in (.*)$/gm;
const NOT_THE_SITE = /[\\/](site-packages|dist-packages|django_db_geventpool|lib[\\/](python|pypy)[^\\/]*)[\\/]|^</;

export function place(stack) {
  const frames = [...stack.matchAll(FRAME)];
  const own = frames.filter(([, path]) => !NOT_THE_SITE.test(path)).at(-1) ?? frames.at(-1);
  if (!own) return "";
  const [, path, line, name] = own;
  return `${path.split(/[\\/]/).slice(-3).join("/")}:${line} in ${name}`;
}
