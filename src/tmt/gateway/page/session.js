// Who looks: logs in and keeps the tokens in memory alone, so that closing the page forgets them.

const SESSIONS = "/api/v1/sessions";
const REFRESH_MS = 60_000;

const byId = (id) => document.getElementById(id);

let session = null;
let refreshing = null;

async function send(path, method, body, token) {
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: `Bearer ${token}` }) };
  return fetch(path, { method, headers, cache: "no-store", body: body && JSON.stringify(body) });
}

async function problemOf(answer) {
  const wait = answer.headers.get("Retry-After");
  const { detail } = await answer.json().catch(() => ({ detail: "the desk did not say why" }));
  return wait ? `${detail} (try again in ${wait} s)` : detail;
}

// What is on the screen: the log-in, the change of a first password, or the desk.

function show(what) {
  for (const id of ["log-in", "change", "desk"]) byId(id).hidden = id !== what;
  byId("who").hidden = what !== "desk";
  if (what !== "desk") byId(what).querySelector("input:not([hidden])").focus();
}

function leave() {
  session = null;
  byId("password").value = "";
  byId("totp").value = "";
  document.dispatchEvent(new Event("left"));
  show("log-in");
}

async function enter(answer, name) {
  session = { ...(await answer.json()), name };
  byId("who-name").textContent = name;
  byId("change-name").value = name;
  show(session.must_change_password ? "change" : "desk");
}

// One refresh at a time: a refresh token is good once, and a second use ends the session.

async function refreshed() {
  if (session.expires_at_ns / 1e6 - Date.now() > REFRESH_MS) return;
  refreshing ??= send(`${SESSIONS}/refresh`, "POST", { refresh_token: session.refresh_token })
    .then((answer) => (answer.ok ? enter(answer, session.name) : leave()))
    .finally(() => { refreshing = null; });
  await refreshing;
}

/** The answer to a GET as whoever has logged in; null while nobody has. */
export async function fetchAsPerson(path, options = {}) {
  if (session === null || session.must_change_password) return null;
  await refreshed();
  if (session === null) return null;
  const headers = { Authorization: `Bearer ${session.access_token}` };
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.status !== 401) return answer;
  leave();
  byId("log-in-problem").textContent = "Your session has ended. Log in again.";
  return null;
}

async function tried(form, problem, act) {
  const button = form.querySelector("button");
  byId(problem).textContent = "";
  button.disabled = true;
  try {
    byId(problem).textContent = (await act()) ?? "";
  } catch {
    byId(problem).textContent = "The desk does not answer. Is it running?";
  } finally {
    button.disabled = false;
  }
}

byId("log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("name").value;
  const totp = byId("totp").value || null;
  tried(event.target, "log-in-problem", async () => {
    const answer = await send(SESSIONS, "POST", { name, password: byId("password").value, totp });
    return answer.ok ? enter(answer, name) : problemOf(answer);
  });
});

byId("change").addEventListener("submit", (event) => {
  event.preventDefault();
  const passwords = { current: byId("password").value, new: byId("new-password").value };
  tried(event.target, "change-problem", async () => {
    const answer = await send("/api/v1/me/password", "PUT", passwords, session.access_token);
    if (!answer.ok) return problemOf(answer);
    byId("new-password").value = "";
    return leave();
  });
});

byId("log-out").addEventListener("click", async () => {
  const { access_token: token } = session;
  leave();
  await send(`${SESSIONS}/current`, "DELETE", null, token).catch(() => null);
});

show("log-in");
