// What makes a form that works by itself better: each answer is kept at once, none is lost with the connection.
const form = document.querySelector("form[data-key]");
if (form) answering(form);
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
for (const once of document.querySelectorAll("form:not([data-key])")) {
  let sent = false; // a second click would begin or finish a second time
  once.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  addEventListener("pageshow", () => { sent = false; });
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch { // without encryption there is no clipboard to ask for
    if (!document.execCommand("copy")) return;
  }
  document.getElementById(`${field.id}-said`).textContent = button.dataset.done;
}

function answering(form) {
  const FIRST_WAIT = 1000, LONGEST_WAIT = 15000, GIVE_UP = 12000, TYPING = 800;
  const words = form.dataset;
  const place = `pomey:${words.key}`;
  const status = document.getElementById("status");
  const bar = document.getElementById("progress");
  const questions = new Map([...form.querySelectorAll("[data-item]")].map((one) => [one.dataset.item, one]));
  const known = new Map(); // what the server holds, as far as this page knows
  const unfinished = new Set(); // questions with something on them that cannot be kept yet
  const typing = new Map();
  let memory = {}, remembered = true; // where the browser lets us keep nothing, the page itself must
  let busy = false, doubtful = false, wait = FIRST_WAIT, again = 0, leaving = false, turning = null, changes = 0;

  for (const hint of document.querySelectorAll("[data-with-script]")) hint.textContent = hint.dataset.withScript;
  for (const [item, question] of questions) known.set(item, said(question));
  for (const [item, entry] of Object.entries(waiting())) if (questions.has(item)) show(item, entry);
  document.getElementById("errors")?.focus();

  // What waits to be sent, by question; the other tabs see it too.

  function waiting() {
    if (!remembered) return memory;
    try {
      return JSON.parse(localStorage.getItem(place)) ?? {};
    } catch {
      return memory;
    }
  }

  function remember(queue) {
    memory = queue;
    try {
      if (Object.keys(queue).length) localStorage.setItem(place, JSON.stringify(queue));
      else localStorage.removeItem(place);
      remembered = true;
    } catch {
      remembered = false;
    }
  }

  function forget(item, stamp) {
    const queue = waiting();
    if (queue[item]?.stamp !== stamp) return; // changed meanwhile: that is still to be sent
    delete queue[item];
    remember(queue);
  }

  // The page

  function part(question, name) {
    return question.querySelector(`[name="${name}-${question.dataset.item}"]`);
  }

  function said(question) {
    const answer = question.querySelector("input[type=radio]:checked")?.value ?? "";
    return { answer, reason: answer === "na" ? part(question, "w").value.trim() : "", comment: part(question, "c").value.trim() };
  }

  function same(one, other) {
    return one.answer === other.answer && one.reason === other.reason && one.comment === other.comment;
  }

  function show(item, { answer, reason, comment }) {
    const question = questions.get(item);
    for (const radio of question.querySelectorAll("input[type=radio]")) radio.checked = radio.value === answer;
    if (answer === "na" || !answer) part(question, "w").value = reason;
    part(question, "c").value = comment;
    if (comment) question.querySelector("details").open = true;
  }

  function fault(question, text) {
    document.getElementById(`f-${question.dataset.item}`).textContent = text;
    question.classList.toggle("faulty", Boolean(text));
  }

  function tell(text, tone = "") {
    status.className = tone;
    if (status.textContent !== text) status.textContent = text;
  }

  function tellSaved({ answer, at }) {
    const time = new Date(at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (unfinished.size) tell(words.unfinished, "wait");
    else tell(answer ? words.saved.replace("{time}", time) : words.cleared);
  }

  function tellProgress(facts) {
    bar.max = facts.total;
    bar.value = facts.done;
    document.getElementById("progress-text").textContent = facts.progress;
  }

  function learn(item, fact) {
    known.set(item, { answer: fact.answer, reason: fact.reason, comment: fact.comment });
    const question = questions.get(item);
    if (question) part(question, "was").value = fact.was;
  }

  // A change

  function changed(question) {
    const item = question.dataset.item, now = said(question);
    clearTimeout(typing.get(item));
    typing.delete(item);
    const why = now.answer === "na" && !now.reason ? words.na : now.comment && !now.answer ? words.alone : "";
    fault(question, "");
    if (why) {
      unfinished.add(item);
      tell(why, "wait");
      return;
    }
    unfinished.delete(item);
    put(item, now);
  }

  function put(item, now) {
    const queue = waiting(), before = queue[item];
    if (same(now, before ?? known.get(item))) {
      if (!before) tell("");
      return;
    }
    changes += 1;
    const base = before?.base ?? known.get(item);
    queue[item] = { ...now, base, sent: before?.sent ?? [], at: Date.now(), stamp: Math.random() };
    remember(queue);
    if (!doubtful) tell(""); // so that the same words are read out again
    send();
  }

  // Sending

  async function ask(address, options = {}) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), GIVE_UP);
    try {
      const response = await fetch(address, { signal: stop.signal, ...options });
      if (response.status === 429 || response.status >= 500) throw new Error(response.status);
      return [response.ok, await response.json()];
    } finally {
      clearTimeout(timer);
    }
  }

  function letter(item, { answer, reason, comment }) {
    const body = JSON.stringify({ item, answer, reason, comment });
    return { method: "POST", headers: { "Content-Type": "application/json" }, body };
  }

  async function send() {
    if (busy) return;
    busy = true;
    clearTimeout(again);
    const slow = setTimeout(() => tell(words.saving), 500);
    try {
      if (doubtful) await compare();
      while (!leaving) {
        const [item] = Object.keys(waiting());
        if (item) await deliver(item);
        else if (turning) await turn();
        else break;
      }
      doubtful = false;
      wait = FIRST_WAIT;
    } catch {
      doubtful = true;
      tell(turning ? words.hold : words.offline, "wait");
      again = setTimeout(send, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    } finally {
      clearTimeout(slow);
      busy = false;
    }
  }

  async function deliver(item) {
    const queue = waiting(), entry = queue[item];
    const { answer, reason, comment, stamp } = entry;
    entry.sent.push({ answer, reason, comment }); // kept before it leaves: the reply may never come
    remember(queue);
    const [ok, reply] = await ask(words.answer, letter(item, entry));
    forget(item, stamp);
    if (!ok) {
      tell(words.refused.replace("{why}", reply.text), "wait");
      unfinished.add(item);
      if (questions.has(item)) fault(questions.get(item), reply.text);
      return;
    }
    learn(item, reply);
    tellProgress(reply);
    if (!Object.keys(waiting()).length) tellSaved(reply);
  }

  // After a silence, what waits here may be older than what was said elsewhere: then the newer stands.
  async function compare() {
    const asked = Date.now();
    const state = await stored();
    const ahead = Date.parse(state.now) - asked; // at most: in doubt, what is said here is the newer
    for (const [item, entry] of Object.entries(waiting())) {
      const there = state.answers[item];
      const ours = there && [entry.base, ...entry.sent].some((one) => same(one, there));
      if (there && !ours && Date.parse(there.at) > entry.at + ahead) forget(item, entry.stamp);
    }
    adopt(state);
  }

  async function stored() {
    const [ok, state] = await ask(words.answers);
    if (!ok) { // the link no longer opens: nothing can be sent with it any more
      remember({});
      leaving = true;
      location.reload();
    }
    return state;
  }

  function adopt(state) {
    const queue = waiting(), nothing = { answer: "", reason: "", comment: "" };
    let other = false;
    for (const [item, question] of questions) {
      const there = state.answers[item] ?? { ...nothing, was: "" };
      if (queue[item] || unfinished.has(item) || typing.has(item)) continue;
      if (!same(there, said(question))) {
        show(item, there);
        other = true;
      }
      if (state.answers[item] || !same(nothing, known.get(item))) learn(item, there);
    }
    tellProgress(state);
    if (other) tell(words.adopted);
  }

  async function refresh() {
    if (busy || leaving) return;
    if (Object.keys(waiting()).length) {
      send();
      return;
    }
    const before = changes;
    try {
      const state = await stored();
      if (changes === before) adopt(state); // else it is older than what was just said here
    } catch { // nothing waits, so nothing need be said
    }
  }

  // Turning the page: only when everything is kept and the server is there to answer.

  async function turn() {
    await stored();
    if (leaving || Object.keys(waiting()).length) return;
    leaving = true;
    const wish = document.createElement("input");
    Object.assign(wish, { type: "hidden", name: turning.name, value: turning.value });
    form.append(wish);
    form.submit();
  }

  form.addEventListener("change", (event) => changed(event.target.closest("[data-item]")));
  form.addEventListener("input", (event) => {
    if (event.target.tagName !== "TEXTAREA") return;
    const question = event.target.closest("[data-item]");
    clearTimeout(typing.get(question.dataset.item));
    typing.set(question.dataset.item, setTimeout(() => changed(question), TYPING));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter ?? { name: "go", value: "next" };
    if (button.name === "clear") {
      const question = questions.get(button.value), nothing = { answer: "", reason: "", comment: "" };
      show(button.value, nothing);
      changed(question);
      question.querySelector("input[type=radio]").focus();
      return;
    }
    settle();
    if (button.value !== "here") turning = button; // Enter in a question: it is kept already
    send();
  });

  function settle() {
    for (const item of [...typing.keys()]) changed(questions.get(item));
  }

  addEventListener("online", () => { wait = FIRST_WAIT; send(); });
  addEventListener("focus", refresh);
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      leaving = false;
      turning = null;
      refresh();
    }
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? settle() : refresh()));
  addEventListener("pagehide", () => {
    settle();
    const queue = waiting();
    for (const [item, entry] of Object.entries(queue)) {
      const { answer, reason, comment } = entry;
      entry.sent.push({ answer, reason, comment });
      fetch(words.answer, { ...letter(item, entry), keepalive: true }).catch(() => {});
    }
    remember(queue);
  });
  addEventListener("beforeunload", (event) => {
    settle();
    if (leaving || !(unfinished.size || Object.keys(waiting()).length)) return;
    event.preventDefault();
    event.returnValue = true; // for browsers before 2024
  });
  if (Object.keys(waiting()).length) {
    doubtful = true;
    send();
  }
}
