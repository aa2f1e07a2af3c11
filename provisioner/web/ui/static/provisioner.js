// Makes pages live and comfortable. Every form works without it.

const PATIENCE = 5000; // ms: a server that only restarts is back by then
const TOGETHER = 400; // ms: several changes refresh a panel once

function showTick(tick) {
  for (const place of document.querySelectorAll(`[data-tick="${tick.id}"]`)) {
    if (place.innerHTML.trim() === tick.html) continue;
    const isNew = place.dataset.state !== tick.state;
    place.innerHTML = tick.html; // made by our own server's templates
    place.dataset.state = tick.state;
    if (!isNew) continue;
    place.classList.remove("flash");
    void place.offsetWidth;
    place.classList.add("flash");
  }
}

let waiting = null;
const stale = new Set();

async function refreshPanels() {
  waiting = null;
  const ids = [...stale];
  stale.clear();
  const answer = await fetch(location.href, { headers: { "X-Refresh": "panel" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || old.contains(document.activeElement)) continue;
    old.replaceWith(now);
    enhance(now);
  }
}

function noteChange(topics, devices) {
  for (const panel of document.querySelectorAll("[data-refresh]")) {
    const concerns = panel.dataset.refresh.split(" ").some((topic) => topics.includes(topic));
    const mine = !panel.dataset.device || devices.includes(Number(panel.dataset.device));
    if (concerns && mine && panel.id) stale.add(panel.id);
  }
  if (stale.size && !waiting) waiting = setTimeout(refreshPanels, TOGETHER);
}

let source = null;
let following = "";
let lost = null;

// What is not live must not look like it: ticks go grey, and a sentence says so.
function showLive(isLive) {
  document.body.classList.toggle("is-live", isLive);
  if (isLive) {
    clearTimeout(lost);
    lost = null;
    setStale(false);
  } else if (!lost) {
    lost = setTimeout(() => setStale(true), PATIENCE);
  }
}

function setStale(isStale) {
  document.body.classList.toggle("is-stale", isStale);
  for (const note of document.querySelectorAll("[data-stale]")) note.hidden = !isStale;
}

function follow() {
  const address = document.body.dataset.live;
  const ids = [...new Set([...document.querySelectorAll("[data-tick]")].map((place) => place.dataset.tick))];
  const panels = document.querySelector("[data-refresh]");
  if (!address || (!ids.length && !panels)) return;
  const wanted = `${address}?devices=${ids.join(",")}`;
  if (wanted === following && source && source.readyState !== EventSource.CLOSED) return;
  if (source) source.close();
  following = wanted;
  source = new EventSource(wanted);
  source.addEventListener("tick", (event) => showTick(JSON.parse(event.data)));
  source.addEventListener("changed", (event) => {
    const change = JSON.parse(event.data);
    noteChange(change.topics, change.devices);
  });
  source.addEventListener("reload", () => location.reload());
  source.addEventListener("over", () => { source.close(); location.reload(); });
  source.addEventListener("open", () => showLive(true));
  source.addEventListener("error", () => {
    showLive(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 10000);
  });
}

function showActiveTab() {
  const tab = document.querySelector(".tabs-row [aria-current]");
  const row = tab && tab.closest(".tabs-row");
  if (row) row.scrollLeft = tab.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

function enhance(root) {
  for (const button of root.querySelectorAll("[data-copy], [data-print]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-print]");
  if (!button) return;
  if (button.matches("[data-print]")) return window.print();
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const value = button.parentElement.querySelector(".value");
    getSelection().selectAllChildren(value);
    return;
  }
  const before = button.innerHTML;
  button.textContent = document.body.dataset.copied;
  setTimeout(() => { button.innerHTML = before; }, 1500);
});

document.addEventListener("htmx:afterSettle", (event) => { enhance(event.target); follow(); });
addEventListener("pagehide", () => source && source.close());
addEventListener("pageshow", follow);
enhance(document);
showActiveTab();
follow();
