"use strict";
const all = (selector) => Array.from(document.querySelectorAll(selector));
const byId = (id) => document.getElementById(id);
const rows = all("#list tbody tr");
const marks = all("[data-e]").filter((one) => !one.matches("tr"));
const numbersOf = (one) => one.dataset.e.split(" ");
const places = new Map();
for (const one of marks) for (const n of numbersOf(one)) places.set(n, (places.get(n) || []).concat(one));
const rowOf = new Map(rows.map((row) => [row.dataset.e, row]));

function light(name, numbers) {
  for (const one of all("." + name)) one.classList.remove(name);
  for (const n of numbers) {
    for (const one of places.get(n) || []) one.classList.add(name);
    if (rowOf.has(n)) rowOf.get(n).classList.add(name);
  }
}
function shownFirst(numbers) {
  return numbers.filter((n) => rowOf.has(n) && !rowOf.get(n).classList.contains("off"));
}
function choose(numbers, from) {
  const n = shownFirst(numbers)[0];
  if (n === undefined) return;
  light("chosen", [n]);
  const row = rowOf.get(n);
  const place = (places.get(n) || [])[0];
  if (from !== "row") row.scrollIntoView({ block: "center" });
  if (from !== "mark" && place) place.scrollIntoView({ block: "center", inline: "nearest" });
  return n;
}
function targetOf(event) {
  return event.target.closest ? event.target.closest("[data-e]") : null;
}
for (const [kind, name] of [["mouseover", "hot"], ["focusin", "hot"]]) {
  document.addEventListener(kind, (event) => {
    const one = targetOf(event);
    light(name, one ? shownFirst(numbersOf(one)).slice(0, 1) : []);
  });
}
document.addEventListener("click", (event) => {
  const one = targetOf(event);
  if (one) choose(numbersOf(one), one.matches("tr") ? "row" : "mark");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { light("chosen", []); return; }
  const one = targetOf(event);
  if (!one) return;
  const isRow = one.matches("tr");
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    const n = choose(numbersOf(one), isRow ? "row" : "mark");
    if (n === undefined) return;
    const other = isRow ? (places.get(n) || [])[0] : rowOf.get(n);
    if (other) other.focus({ preventScroll: true });
  } else if (isRow && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const seen = rows.filter((row) => !row.classList.contains("off"));
    const next = seen[seen.indexOf(one) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { next.focus(); choose(numbersOf(next), "row"); }
  }
});

const off = new Set();
function filter() {
  const words = byId("search").value.toLowerCase();
  let count = 0;
  for (const row of rows) {
    const visible = !off.has(row.dataset.t) && (!words || row.textContent.toLowerCase().includes(words));
    row.classList.toggle("off", !visible);
    if (visible) count += 1;
  }
  for (const one of marks) {
    const hidden = numbersOf(one).every((n) => rowOf.get(n).classList.contains("off"));
    if (one.matches("g")) one.classList.toggle("off", hidden);
    else one.className = one.className.replace(/\bt(\d+|none)\b/, hidden ? "tnone" : "t" + one.dataset.c);
  }
  byId("shown").textContent = count === rows.length ? count + " entities" : count + " of " + rows.length + " entities";
}
for (const chip of all("button.chip")) {
  chip.addEventListener("click", () => {
    const on = off.has(chip.dataset.t);
    if (on) off.delete(chip.dataset.t); else off.add(chip.dataset.t);
    chip.setAttribute("aria-pressed", String(on));
    filter();
  });
}
byId("search").addEventListener("input", filter);
filter();

const pages = all(".page");
const picker = byId("page");
const scroll = byId("scroll");
function go(index) {
  const page = pages[Math.max(0, Math.min(pages.length - 1, index))];
  if (page) scroll.scrollTo({ top: page.offsetTop - scroll.offsetTop - 10 });
}
picker.addEventListener("change", () => go(picker.selectedIndex));
byId("previous").addEventListener("click", () => go(picker.selectedIndex - 1));
byId("next").addEventListener("click", () => go(picker.selectedIndex + 1));
scroll.addEventListener("scroll", () => {
  const middle = scroll.scrollTop + scroll.offsetTop + scroll.clientHeight / 3;
  let index = 0;
  pages.forEach((page, i) => { if (page.offsetTop <= middle) index = i; });
  picker.selectedIndex = index;
});
let zoom = 3;
function resize(by) {
  zoom = Math.max(0, Math.min(5, zoom + by));
  const index = picker.selectedIndex;
  for (const page of pages) page.className = "page z" + zoom;
  go(index);
}
byId("smaller").addEventListener("click", () => resize(-1));
byId("larger").addEventListener("click", () => resize(1));
byId("outlines").addEventListener("change", (event) => document.body.classList.toggle("outlines", event.target.checked));
