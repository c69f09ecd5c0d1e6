"use strict";
// Without this script the page is whole; it adds the search and the view on the whole screen.
const byId = (id) => document.getElementById(id);
const KINDS = "[data-verdict], [data-figure]";
const articles = [...document.querySelectorAll("article[data-verdict]")];
const groups = [...document.querySelectorAll("nav section, section.lecture")].filter((group) => group.querySelector(KINDS));
const texts = new Map(articles.map((one) => [one, one.textContent.toLowerCase()]));

function shows(article, words, lecture, verdict) {
  return words.every((word) => texts.get(article).includes(word))
    && (!lecture || article.dataset.lectures.split(" ").includes(lecture))
    && (!verdict || article.dataset.verdict === verdict);
}

function filter() {
  const words = byId("find.words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Set();
  for (const one of articles) {
    one.hidden = !shows(one, words, byId("find.lecture").value, byId("find.verdict").value);
    if (!one.hidden) found.add(one.id);
  }
  for (const card of document.querySelectorAll("[data-figure]")) card.hidden = !found.has(card.dataset.figure);
  for (const group of groups) group.hidden = !group.querySelector(`:is(${KINDS}):not([hidden])`);
  byId("find.count").textContent = found.size === articles.length ? "" : `${found.size} of ${articles.length}`;
}

for (const id of ["find.words", "find.lecture", "find.verdict"]) byId(id).addEventListener("input", filter);
document.querySelector(".finder").hidden = false;
filter(); // a browser may have kept what was typed before a reload

for (const still of document.fullscreenEnabled ? document.querySelectorAll("img.still") : []) {
  const toggle = () => (document.fullscreenElement ? document.exitFullscreen() : still.requestFullscreen());
  const button = still.nextElementSibling;
  for (const one of [still, button]) one.addEventListener("click", toggle);
  button.hidden = false;
}
