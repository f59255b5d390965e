// Without this the page works as well: buttons open the details by themselves. It adds that the
// arrow keys go from cell to cell, and that the address names the cell that is open.
"use strict";
const cells = [...document.querySelectorAll("button.cell")];
const isOpen = (cell) => cell.popoverTargetElement.matches(":popover-open");

function neighbour(cell, key) {
  const down = key === "ArrowDown" || key === "ArrowUp";
  const sign = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
  const from = cell.getBoundingClientRect();
  let best = null, least = Infinity;
  for (const other of cells) {
    const to = other.getBoundingClientRect();
    const x = (to.left + to.width / 2) - (from.left + from.width / 2);
    const y = (to.top + to.height / 2) - (from.top + from.height / 2);
    const [along, aside] = down ? [sign * y, Math.abs(x)] : [sign * x, Math.abs(y)];
    if (along > 1 && aside < (down ? from.width : from.height) / 2 && along < least) {
      [best, least] = [other, along];
    }
  }
  return best;
}

document.addEventListener("keydown", (event) => {
  const cell = document.activeElement.closest("button.cell");
  const next = cell && event.key.startsWith("Arrow") && neighbour(cell, event.key);
  if (!next) return;
  event.preventDefault();
  const open = isOpen(cell);
  next.focus();
  if (open) next.popoverTargetElement.showPopover();
});

for (const cell of cells) {
  cell.popoverTargetElement.addEventListener("toggle", (event) => {
    if (event.newState === "open") history.replaceState(null, "", "#" + cell.id);
    else if (location.hash === "#" + cell.id) history.replaceState(null, "", location.pathname);
  });
}

function openNamed() {
  const cell = cells.find((each) => "#" + each.id === location.hash);
  if (!cell) return;
  cell.focus();
  cell.popoverTargetElement.showPopover();
}
addEventListener("hashchange", openNamed);
openNamed();
