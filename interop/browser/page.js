// The page's side of package browser: it fetches commands, runs them, and posts
// what came of them. It is served with each page, before anything else.
"use strict";
(() => {
  const load = Math.random().toString(36).slice(2); // names this load of the page
  const AsyncFunction = (async () => {}).constructor;

  // What JSON has no word for. Bytes are base64 on both sides, as []byte is in Go.
  const encode = (_, v) => {
    if (v instanceof ArrayBuffer) v = new Uint8Array(v);
    if (v instanceof Uint8Array) {
      let s = "";
      for (let i = 0; i < v.length; i += 8192) s += String.fromCharCode(...v.subarray(i, i + 8192));
      return btoa(s);
    }
    return typeof v === "bigint" ? v.toString() : v;
  };
  globalThis.bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  // camera is getUserMedia where the machine has much to do: Chromium gives up after ten seconds in which
  // its camera, which is a process, has not come up.
  globalThis.camera = async (constraints) => {
    for (let tries = 0; ; tries++) {
      try {
        return await navigator.mediaDevices.getUserMedia(constraints);
      } catch (e) {
        if (tries === 5 || !["AbortError", "NotReadableError"].includes(e.name)) throw e;
        console.warn("the camera does not start", e);
        await new Promise((done) => setTimeout(done, 500));
      }
    }
  };

  const post = async (path, body) => {
    for (let tries = 0; ; tries++) {
      try {
        return await fetch("/.harness/" + path, {method: "POST", body});
      } catch (e) {
        if (tries === 5) throw e;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  };

  // Console lines, in order, as soon as they are written.
  let lines = [], posting = false;
  const log = async (level, text) => {
    lines.push({level, text, ms: Math.round(performance.now())});
    if (posting) return;
    posting = true;
    while (lines.length) {
      const body = JSON.stringify(lines);
      lines = [];
      await post("console", body).catch(() => {});
    }
    posting = false;
  };
  const words = (v) => {
    if (v instanceof Error) return v.stack || String(v);
    if (typeof v === "string") return v;
    try {
      return JSON.stringify(v, encode) ?? String(v);
    } catch {
      return String(v);
    }
  };
  for (const level of ["debug", "log", "info", "warn", "error"]) {
    const was = console[level].bind(console);
    console[level] = (...args) => {
      was(...args);
      log(level, args.map(words).join(" "));
    };
  }
  addEventListener("error", (e) => log("uncaught", `${e.message} (${e.filename}:${e.lineno}:${e.colno})`));
  addEventListener("unhandledrejection", (e) => log("uncaught", "in a promise: " + words(e.reason)));

  const run = async ({id, js, args}) => {
    let result;
    try {
      const value = await new AsyncFunction("args", js)(args);
      result = JSON.stringify({load, id, value: value === undefined ? null : value}, encode);
    } catch (e) {
      result = JSON.stringify({load, id, error: {
        name: e?.name || "Error", message: String(e?.message ?? e), stack: String(e?.stack ?? ""),
      }});
    }
    await post("result", result);
  };

  const poll = async () => {
    for (;;) {
      try {
        const response = await fetch("/.harness/next?load=" + load);
        if (response.status === 410) return; // another load of the page took over
        if (response.status === 205) return close();
        if (response.status === 200) for (const command of await response.json()) run(command);
      } catch {
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  };
  // Commands may use what the page's own scripts define.
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", poll) : poll();
})();
