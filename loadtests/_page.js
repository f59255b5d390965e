// One cursor for all panels: the pointer moves it, or the slider below them.
"use strict";
const { begin, end, panels } = JSON.parse(document.getElementById("data").textContent);
const slider = document.querySelector(".charts input");
const figures = [...document.querySelectorAll(".charts figure")];

const near = (points, second) => {
  let best = null;
  for (const [at, value] of points) {
    if (Math.abs(at - second) <= 1 && (best === null || Math.abs(at - second) < Math.abs(best[0] - second))) best = [at, value];
  }
  return best === null ? "" : String(Math.round(best[1] * 10) / 10);
};

const show = (second) => {
  document.getElementById("second").textContent = second;
  figures.forEach((figure, index) => {
    const cursor = figure.querySelector(".cursor");
    cursor.style.display = "block";
    cursor.style.left = `${((second - begin) / (end - begin)) * 100}%`;
    const outputs = figure.querySelectorAll("output");
    panels[index].forEach((points, line) => { outputs[line].textContent = near(points, second); });
  });
};

slider.addEventListener("input", () => show(Number(slider.value)));
for (const plot of document.querySelectorAll(".plot")) {
  plot.addEventListener("pointermove", (event) => {
    const { left, width } = plot.getBoundingClientRect();
    slider.value = Math.round(begin + ((event.clientX - left) / width) * (end - begin));
    show(Number(slider.value));
  });
}
