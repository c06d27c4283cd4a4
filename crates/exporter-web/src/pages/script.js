// Puts new parts in their places, and sends what a person does. Every page can be read without it.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { token, tree, events } = document.body.dataset;
  const KEYS = { space: " ", "ctrl-c": "\u0003", escape: "\u001b", tab: "\t" };
  const MOST_LINES = 2000;
  let stream = null;
  let from = null; // the next line of the console
  let tab = "";
  let lineState = "free";
  let said = null; // what was announced last

  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;

  const say = (text, isProblem = true) => {
    const message = byId("message");
    message.textContent = text;
    message.hidden = text === "";
    message.classList.toggle("note", !isProblem);
  };

  // Sends an action, and gives the answer; what went wrong is shown.
  const act = async (address, body, more = {}) => {
    try {
      const headers = { "x-token": token, "x-tab": tab, ...more };
      const answer = await fetch(address, { method: "POST", body, headers });
      if (answer.ok) return answer;
      say((await answer.text()).trim() || `the exporter answered ${answer.status}`);
    } catch {
      say("The exporter does not answer.");
    }
    return null;
  };

  // A new part replaces the old one; what had the keyboard's focus keeps it.
  const replace = (part, html) => {
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = html;
    if (focused) byId(focused)?.focus();
  };

  const addLines = (html) => {
    const lines = byId("lines");
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 20;
    lines.insertAdjacentHTML("beforeend", html);
    while (lines.childElementCount > MOST_LINES) lines.firstElementChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  };

  const showLine = (state) => {
    lineState = state;
    if (!byId("line")) return;
    const isOurs = state === "yours";
    const hadFocus = byId("typing").contains(document.activeElement);
    byId("typing").hidden = !isOurs;
    byId("take").hidden = isOurs;
    byId("line-state").textContent =
      isOurs ? "This page has the line. It is let go when you leave." : state === "taken" ? "Another page has the line." : "";
    if (!isOurs && hadFocus) byId("take").focus();
  };

  const live = (text, isLost) => {
    const shown = byId("live");
    if (!shown || shown.textContent === text) return;
    shown.textContent = text;
    shown.classList.toggle("lost", isLost);
  };

  // A page that was closed out (the passphrase is asked for again, or the board is gone) is loaded again.
  const again = async () => {
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
    } catch {}
    if (!document.hidden) connect();
  };

  const connect = () => {
    if (stream || !events) return;
    const address = from === null ? events : events.replace(/from=\d+/, `from=${from}`);
    stream = new EventSource(address);
    stream.onopen = () => live("live", false);
    stream.onerror = () => {
      showLine("free");
      live("no connection; trying again", true);
      if (stream.readyState !== EventSource.CLOSED) return;
      stream = null;
      setTimeout(again, 2000);
    };
    stream.addEventListener("hello", (event) => {
      const hello = JSON.parse(event.data);
      if (hello.tree !== tree) return location.reload();
      tab = hello.tab;
    });
    for (const id of ["boards", "status", "job"]) {
      stream.addEventListener(id, (event) => byId(id) && replace(byId(id), event.data));
    }
    stream.addEventListener("lines", (event) => {
      from = event.lastEventId;
      addLines(event.data);
    });
    stream.addEventListener("unfinished", (event) => (byId("unfinished").textContent = event.data));
    stream.addEventListener("line", (event) => showLine(event.data));
    stream.addEventListener("announce", (event) => {
      // What was so when the page was loaded is on it, and needs no word.
      if (said !== null && said !== event.data) byId("announce").textContent = event.data;
      said = event.data;
    });
  };

  // A page that is not seen needs no connection, of which a browser has few. One that has the line keeps it.
  const follow = () => {
    if (!document.hidden) return connect();
    if (!stream || lineState === "yours") return;
    stream.close();
    stream = null;
  };

  const send = (file, address) =>
    new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("POST", address);
      request.setRequestHeader("x-token", token);
      request.upload.onprogress = (event) =>
        say(`Sending ${file.name}: ${Math.floor((100 * event.loaded) / Math.max(event.total, 1))} %`, false);
      request.onload = () => done(request.status < 300 ? "" : request.responseText.trim());
      request.onerror = () => done("The image could not be sent to its end.");
      request.send(file);
    });

  const flash = async (form, order) => {
    const file = byId("file").files[0];
    if (file) {
      order.delete("url");
      order.set("name", file.name);
      order.set("length", file.size);
    }
    const answer = await act(form.action, order);
    if (!answer || !file) return;
    say(await send(file, await answer.text()));
    form.reset();
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("act" in form.dataset || "flash" in form.dataset)) return;
    event.preventDefault();
    say("");
    const button = event.submitter;
    const body = new URLSearchParams(new FormData(form, button)); // a button that is disabled has no value
    if (button) button.disabled = true;
    if ("flash" in form.dataset) await flash(form, body);
    else await act(form.action, body);
    if (button) {
      button.disabled = false;
      if (document.activeElement === document.body) button.focus();
    }
  });

  if (byId("line")) {
    const { path } = byId("line").dataset;
    let typing = Promise.resolve(); // one after the other, in the order of the keys
    const type = (text) => (typing = typing.then(() => act(`${path}/line/write`, text, { "content-type": "text/plain" })));
    byId("take").addEventListener("click", async () => {
      say("");
      if (await act(`${path}/line/take`, "")) {
        showLine("yours");
        byId("typed").focus();
      }
    });
    byId("release").addEventListener("click", () => act(`${path}/line/release`, ""));
    byId("type").addEventListener("submit", (event) => {
      event.preventDefault();
      type(`${byId("typed").value}\r`);
      byId("typed").value = "";
    });
    for (const key of document.querySelectorAll("[data-send]")) {
      key.addEventListener("click", () => type(KEYS[key.dataset.send]));
    }
  }

  const lines = byId("lines");
  if (lines) lines.scrollTop = lines.scrollHeight;
  document.addEventListener("visibilitychange", follow);
  follow();
})();
