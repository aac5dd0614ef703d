// One socket per page. The page knows the last event number it shows; after a cut it asks for what came later.
(() => {
  "use strict";
  const body = document.body;
  const HEARTBEAT = 15000, HIDDEN_LIMIT = 300000, LONGEST_WAIT = 30000;
  const NOT_SIGNED_IN = 4401;
  const badge = document.getElementById("live-state");
  const word = badge.querySelector("[data-live-word]");
  let lastId = Number(body.dataset.head), head = lastId;
  let socket = null, tries = 0, offlineSince = null, heartbeat = 0, hiddenTimer = 0, spokenAt = 0, answered = true;
  let queue = [], drawing = false;

  function show(state) {
    badge.dataset.liveState = state;
    if (state === "offline") {
      offlineSince = offlineSince || new Date();
      word.textContent = `offline since ${offlineSince.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
    } else {
      if (state === "live") offlineSince = null;
      word.textContent = state === "catching up" ? `catching up ${Math.max(head - lastId, 0)}` : state;
    }
  }

  function open() {
    clearTimeout(hiddenTimer);
    if (socket) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const query = new URLSearchParams({ after_id: lastId, lists: body.dataset.lists });
    socket = new WebSocket(`${scheme}//${location.host}${body.dataset.socket}?${query}`);
    socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
    socket.addEventListener("close", closed);
    answered = true;
    heartbeat = setInterval(beat, HEARTBEAT);
  }

  function beat() {
    if (!socket || socket.readyState !== WebSocket.OPEN) return;
    if (!answered) { socket.close(); return; }
    answered = false;
    socket.send('{"type":"ping"}');
  }

  function closed(event) {
    clearInterval(heartbeat);
    socket = null;
    if (event.code === NOT_SIGNED_IN) { location.reload(); return; }
    show("offline");
    if (document.hidden && hiddenTimer === -1) return;
    const wait = Math.min(LONGEST_WAIT, 500 * 2 ** tries++) * (0.5 + Math.random() / 2);
    setTimeout(open, wait);
  }

  function receive(message) {
    if (message.type === "pong") { answered = true; return; }
    if (message.type === "resync_required") { location.reload(); return; }
    if (message.type === "ready") {
      tries = 0; head = message.head;
      show(lastId >= head ? "live" : "catching up");
    } else if (message.type === "batch" && message.last_id > lastId) {
      lastId = message.last_id;
      queue.push(message);
      if (!drawing) { drawing = true; requestAnimationFrame(draw); }
      show(lastId >= head ? "live" : "catching up");
    }
  }

  function draw() {
    drawing = false;
    const batches = queue; queue = [];
    for (const batch of batches) {
      for (const row of batch.rows) place(row);
      for (const [id, html] of Object.entries(batch.figures)) replace(document.getElementById(id), fragment(html));
      document.dispatchEvent(new CustomEvent("livebatch", { detail: batch }));
      speak(batch.say);
    }
  }

  function fragment(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  // A control that holds the focus keeps it: the one of the same address in the new row takes over.
  function replace(old, fresh) {
    if (!old) return;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const address = focused && focused.getAttribute("href");
    const label = focused && focused.getAttribute("aria-label");
    old.replaceWith(fresh);
    if (address) {
      const heirs = [...fresh.querySelectorAll(`[href="${CSS.escape(address)}"]`)];
      const heir = heirs.find((one) => one.getAttribute("aria-label") === label) || heirs[0];
      if (heir) heir.focus({ preventScroll: true });
    }
  }

  function fits(list, tags) {
    return Object.entries(list.dataset).every(([name, value]) => {
      if (!name.startsWith("match")) return true;
      return tags[name.slice(5).toLowerCase()] === value;
    });
  }

  function place(row) {
    for (const list of document.querySelectorAll(`[data-list="${row.list}"]`)) {
      const old = list.querySelector(`#${CSS.escape(row.id)}`);
      const wanted = fits(list, row.tags);
      if (old && !wanted) { old.remove(); continue; }
      if (!wanted || (!old && "fixed" in list.dataset)) continue;
      const fresh = fragment(row.html);
      fresh.classList.add("fresh");
      if (old) replace(old, fresh);
      else insert(list, fresh);
    }
  }

  function insert(list, fresh) {
    const empty = list.querySelector("tr.empty");
    if (empty) empty.remove();
    const before = list.getBoundingClientRect().top;
    const height = list.offsetHeight;
    list.prepend(fresh);
    const most = Number(list.dataset.most || 50);
    while (list.children.length > most) list.lastElementChild.remove();
    // Rows above the eye must not push away what is being read.
    if (before < 0 && list.offsetHeight > height) scrollBy(0, list.offsetHeight - height);
  }

  function speak(sentence) {
    if (!sentence || Date.now() - spokenAt < 5000) return;
    spokenAt = Date.now();
    document.getElementById("spoken").textContent = sentence;
  }

  function ago(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (whole >= size) return `${Math.floor(whole / size)} ${unit} ago`;
    return `${whole} s ago`;
  }

  function age() {
    for (const element of document.querySelectorAll("time[data-age]")) {
      const at = new Date(element.dateTime);
      const seconds = (Date.now() - at) / 1000;
      let text = ago(seconds);
      if (element.dataset.age === "figure") {
        const stale = seconds >= 60;
        // The page's title tells the time in the person's zone: "read 2026-11-30 10:01:02 CET, 09:01:02 UTC".
        if (stale) text = `stale since ${element.title.slice(16).split(",")[0]}`;
        element.classList.toggle("stale", stale);
        element.classList.toggle("old", seconds >= 5 && !stale);
      }
      if (element.textContent !== text) element.textContent = text;
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenTimer = setTimeout(() => { hiddenTimer = -1; if (socket) socket.close(); }, HIDDEN_LIMIT);
    } else {
      clearTimeout(hiddenTimer); hiddenTimer = 0; open(); age();
    }
  });
  window.addEventListener("online", open);
  setInterval(age, 1000);
  show("connecting");
  open();
})();
