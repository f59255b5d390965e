// The two formulas of docs/sizing.md, to be tried out. Nothing is loaded, sent or kept.
"use strict";

const number = (name, label, value) => ({ name, label, value });

const CALCULATORS = [
  {
    title: "Does the server have room?",
    fields: [
      number("max-conns", "MAX_CONNS, summed over the aliases", 20),
      number("workers", "Worker processes on a machine", 4),
      number("machines", "Machines", 3),
      number("generations", "Generations of workers at a time: 2 in a deploy", 2),
      number("limit", "max_connections of the server", 100),
      number("reserved", "Reserved connections of the server", 3),
      number("others", "Needed by others", 10),
    ],
    answer(given) {
      const processes = given.workers * given.machines * given.generations;
      const most = given["max-conns"] * processes;
      const room = given.limit - given.reserved - given.others;
      const fits = processes ? Math.floor(room / processes) : 0;
      const sum = `The pools may open ${most} connections, and there is room for ${Math.max(room, 0)}. `;
      if (most <= room) return `${sum}It fits.`;
      if (fits < 1) return `${sum}Not even one for each process fits: fewer processes, or a larger server.`;
      return `${sum}It does not fit; MAX_CONNS ${fits} does.`;
    },
  },
  {
    title: "How many does a process need?",
    fields: [
      number("rate", "Requests per second in the process", 50),
      number("held", "Milliseconds for which each holds a connection", 40),
    ],
    answer(given) {
      const busy = (given.rate * given.held) / 1000;
      const enough = Math.max(1, Math.ceil(busy + 2 * Math.sqrt(busy)));
      const average = busy.toLocaleString("en", { maximumFractionDigits: 1 });
      return `On average ${average} are held; MAX_CONNS ${enough} has room for peaks.`;
    },
  },
];

/** What is in the fields, or null where one has no whole number from 0 on. */
function read(form) {
  const given = {};
  for (const input of form.querySelectorAll("input")) {
    if (!/^\d{1,9}$/.test(input.value.trim())) return null;
    given[input.name] = Number(input.value);
  }
  return given;
}

function build({ title, fields, answer }) {
  const form = document.createElement("form");
  form.className = "calculator";
  const heading = document.createElement("p");
  heading.className = "calculator-title";
  heading.textContent = title;
  form.append(heading);
  for (const { name, label, value } of fields) {
    const row = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { name, value, type: "text", inputMode: "numeric", autocomplete: "off" });
    row.append(`${label} `, input);
    form.append(row);
  }
  const output = document.createElement("output");
  form.append(output);
  const show = () => {
    const given = read(form);
    output.textContent = given ? answer(given) : "Whole numbers, please.";
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
  return form;
}

document.getElementById("calculator")?.append(...CALCULATORS.map(build));
