// Connects this page to the plainrtc program that served it, and shows how. Its media
// is in media.js.
// No build step, no library: this is the file that runs.
"use strict";

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const now = () => performance.now();

const SETUP_LIMIT = 20000; // ms until a set-up that has not ended is called failed
const GATHERING_LIMIT = 2000; // ms to wait for this browser's candidates
const MEASURE_TIME = 3000; // ms of throughput test in each direction
const PIECE = 65536; // bytes of one message of the throughput test

let pc, id; // the connection, and the program's name for it
let clips = []; // the files that the program can play
let start = 0; // when the set-up started: zero of the timeline
let ready = false; // the set-up has ended and the echo check passed
let over = false; // nothing more is to be shown: failed, closed or left

// ---- State -----------------------------------------------------------------

// Tests read it as document.documentElement.dataset.state.
function setState(state, text) {
  root.dataset.state = state;
  $("state-text").textContent = text;
}

function trouble(title, text, todo, state = "failed") {
  if (over) return;
  over = true;
  root.dataset.trouble = title;
  setState(state, state === "closed" ? "Connection lost" : "Not connected");
  $("trouble-title").textContent = title;
  $("trouble-text").textContent = text;
  $("trouble-todo").replaceChildren(...todo.map((t) => element("li", { textContent: t })));
  $("trouble").hidden = false;
  for (const control of ["measure", "message", "send"]) $(control).disabled = true;
  endMedia();
  leave();
}

const serverGone = () =>
  trouble(
    "The plainrtc program does not answer",
    `Nothing answers at ${location.origin} any more.`,
    ["Is the program still running? It prints this address when it starts.", "Start it again with: plainrtc serve", "Then try again."],
    root.dataset.state === "connected" ? "closed" : "failed",
  );

async function serverAnswers() {
  try {
    return (await fetch("/", { method: "HEAD", cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function element(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// ---- Timeline --------------------------------------------------------------

const rows = []; // {ms, item, mark}, in order of time
let setupEnd = 0; // ms when the channel opened; 0 until then

function tell(who, what, detail, at = now() - start) {
  if (over) return;
  const mark = element("span", { className: "mark" });
  const item = element(
    "li",
    { className: who },
    element("span", { className: "ms", textContent: `${at.toFixed(at < 100 ? 1 : 0)} ms` }),
    element("span", { className: "track", ariaHidden: "true" }, mark),
    element(
      "span",
      { className: "what" },
      element("span", { className: "hidden", textContent: who === "server" ? "plainrtc: " : "browser: " }),
      typeof what === "string" ? what : element("b", { textContent: what[0] }),
      typeof what === "string" ? "" : " " + what[1],
    ),
  );
  if (detail) explain(item, detail);

  let i = rows.length;
  while (i > 0 && rows[i - 1].ms > at) i--;
  $("timeline").insertBefore(item, i < rows.length ? rows[i].item : null);
  rows.splice(i, 0, { ms: at, item, mark });

  const scale = setupEnd || rows.at(-1).ms || 1;
  for (const row of rows) row.mark.style.left = `${Math.max(0, Math.min(1, row.ms / scale)) * 100}%`;
  return item;
}

// Adds a line of detail to a row.
function explain(item, detail) {
  item?.lastChild.append(element("small", { textContent: detail }));
}

const landmarks = {}; // rows that getStats adds detail to: pair, dtls
const serverEvents = { seen: 0, offset: 0, all: [] };

// Fetches what the program has noted about this connection since the last time.
// Its clock starts when our offer arrives; offset maps it onto ours.
async function fetchServerEvents() {
  try {
    const response = await fetch(`/connections/${id}/events?from=${serverEvents.seen}`, { cache: "no-store" });
    if (!response.ok) return;
    const { events } = await response.json();
    serverEvents.seen += events.length;
    serverEvents.all.push(...events);
    for (const e of events) tell("server", [e.layer.toUpperCase(), e.text], e.detail, e.ms + serverEvents.offset);
  } catch {
    // The connection's own events say so if the program has gone.
  }
}

// ---- Set-up ----------------------------------------------------------------

async function connect() {
  start = now();
  $("again").onclick = async () => {
    $("again").disabled = true;
    if (await serverAnswers()) location.reload();
    else $("trouble-text").textContent = `Still no answer at ${location.origin}.`;
    $("again").disabled = false;
  };
  if (!window.RTCPeerConnection) {
    return trouble("This browser has no WebRTC", "The page needs RTCPeerConnection, and this browser does not offer it.", [
      "It may be switched off by a setting, an extension or a policy: in Firefox, media.peerconnection.enabled in about:config.",
      "Or open this address in Chrome, Firefox, Safari or Edge.",
    ]);
  }

  setState("connecting", "Connecting");
  pc = new RTCPeerConnection();
  const channels = {
    echo: pc.createDataChannel("echo"),
    // Late measurements are worthless: lost ones are not sent again.
    rtt: pc.createDataChannel("rtt", { ordered: false, maxRetransmits: 0 }),
    throughput: pc.createDataChannel("throughput"),
  };
  for (const channel of Object.values(channels)) channel.binaryType = "arraybuffer";

  const watched = new Set();
  const watch = (object, event, f) => {
    if (!object || watched.has(object)) return;
    watched.add(object);
    object.addEventListener(event, f);
  };
  // The transports appear as negotiation proceeds; Firefox has fewer of them.
  const watchTransports = () => {
    const { sctp } = pc;
    watch(sctp, "statechange", () => tell("browser", ["SCTP", sctp.state], sctp.state === "connected" ? `${sctp.maxChannels} streams, messages up to ${bytes(sctp.maxMessageSize)}` : ""));
    watch(sctp?.transport, "statechange", () => (landmarks.dtls = tell("browser", ["DTLS", sctp.transport.state])));
    watch(sctp?.transport?.iceTransport, "selectedcandidatepairchange", () => {
      const pair = sctp.transport.iceTransport.getSelectedCandidatePair?.();
      landmarks.pair = tell("browser", ["ICE", "nominated pair"], pair && `${endpoint(pair.local)} ↔ ${endpoint(pair.remote)}`);
    });
  };

  pc.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate?.candidate) tell("browser", ["ICE", "candidate"], `${candidate.type} ${candidate.protocol} ${endpoint(candidate)}`);
  });
  pc.addEventListener("iceconnectionstatechange", () => tell("browser", ["ICE", pc.iceConnectionState]));
  pc.addEventListener("connectionstatechange", connectionStateChanged);
  const opened = Promise.all(Object.values(channels).map((c) => new Promise((resolve) => c.addEventListener("open", resolve))));
  opened.then(() => connected(channels));
  setTimeout(() => setupEnd || pathFailed(`It has not connected within ${SETUP_LIMIT / 1000} seconds.`), SETUP_LIMIT);

  try {
    await pc.setLocalDescription(await pc.createOffer());
    tell("browser", ["SDP", "offer made"]);
    watchTransports();
    await gathered();
    const sent = now();
    tell("browser", ["SDP", "offer sent"], candidateCount(pc.localDescription.sdp));
    const answer = await postOffer();
    if (!answer) return;
    id = answer.id;
    clips = answer.clips;
    // The program's clock, placed so that both ways of the exchange took the same time.
    serverEvents.offset = sent - start + (now() - sent - answer.took_ms) / 2;
    tell("browser", ["SDP", "answer received"], candidateCount(answer.sdp));
    await pc.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    watchTransports();
  } catch (error) {
    return trouble("The browser refused the connection", `${error.name}: ${error.message}`, ["This is a fault of plainrtc or of the browser: please report it with this sentence."]);
  }
  while (!setupEnd && !over) {
    await fetchServerEvents();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function gathered() {
  return new Promise((resolve) => {
    const look = () => pc.iceGatheringState === "complete" && resolve();
    pc.addEventListener("icegatheringstatechange", look);
    setTimeout(resolve, GATHERING_LIMIT);
    look();
  });
}

async function postOffer() {
  let response;
  try {
    response = await fetch("/offer", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "offer", sdp: pc.localDescription.sdp }),
    });
  } catch {
    return void serverGone();
  }
  if (!response.ok) {
    return void trouble("plainrtc refused the offer", (await response.text()).trim(), ["Close other pages that are connected to it, or try another browser, then try again."]);
  }
  return response.json();
}

async function connected(channels) {
  setupEnd = now() - start;
  tell("browser", ["DCEP", "channels open"], Object.keys(channels).join(", "));
  await showFacts();
  await checkEcho(channels.echo);
  if (over) return;
  ready = true;
  setState("connected", `Connected in ${setupEnd.toFixed(0)} ms`);
  startEcho(channels.echo);
  startRoundTrips(channels.rtt);
  startThroughput(channels.throughput);
  offerMedia();
  for (const channel of Object.values(channels)) channel.addEventListener("close", connectionLost);
  await fetchServerEvents();
  setTimeout(fetchServerEvents, 1000);
}

function connectionStateChanged() {
  if (pc.connectionState === "failed") {
    if (ready) connectionLost();
    else pathFailed("");
  } else if (pc.connectionState === "disconnected" && ready) {
    setState("connected", "Connection interrupted");
    serverAnswers().then((ok) => ok || serverGone());
  } else if (pc.connectionState === "connected" && ready) {
    setState("connected", "Connected");
  }
}

// Says why there is no connection; late is a sentence if the reason is that it took too long.
async function pathFailed(late) {
  if (over) return;
  if (id) await fetchServerEvents();
  const { iceConnectionState: ice } = pc;
  if (ice === "connected" || ice === "completed") {
    const { state } = pc.sctp?.transport || {};
    const where = state === "connected" ? "DTLS agreed on keys, but the channels did not open." : "A path was found, but the two did not agree on keys: DTLS did not come to its end.";
    return trouble("The set-up stopped after ICE", `${where} ${late}`, [
      "The timeline shows the last step that worked.",
      "Start the program with --trace FILE.pcapng, try again, and open the file in Wireshark.",
    ]);
  }
  if (!(await serverAnswers())) return serverGone();
  const arrived = serverEvents.all.some((e) => e.text === "check received");
  const seen = arrived ? "Checks of this browser reached the program, but its answers did not come back." : "No packet of this browser reached the program.";
  trouble("No path for UDP between browser and program", `${late || "ICE found no path that works in both directions."} ${seen}`, [
    "A firewall or a VPN may drop UDP between the two: allow it for the program, or try without the VPN.",
    "If the program runs on another machine, start it there with --addr and an address of that machine that this browser reaches, such as: plainrtc serve --addr :8080",
    "Start the program with --trace FILE.pcapng to see which checks arrive.",
  ]);
}

async function connectionLost() {
  if (over) return;
  if (!(await serverAnswers())) return serverGone();
  trouble("The connection was lost", "The program still answers over HTTP, but the WebRTC connection to it has ended.", ["Did the network change, or the machine sleep? Try again."], "closed");
}

// ---- Facts -----------------------------------------------------------------

async function showFacts() {
  const stats = await pc.getStats();
  const of = (type) => [...stats.values()].filter((s) => s.type === type);
  const transport = of("transport")[0] || {};
  const pair = stats.get(transport.selectedCandidatePairId) || of("candidate-pair").find((p) => p.nominated && p.state === "succeeded");
  const local = pair && stats.get(pair.localCandidateId);
  const remote = pair && stats.get(pair.remoteCandidateId);
  const pairs = of("candidate-pair");
  const sum = (field) => pairs.reduce((n, p) => n + (p[field] || 0), 0);
  const version = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3" }[transport.tlsVersion] || "DTLS";

  const facts = [
    ["Path", local && remote && `${endpoint(local)} (${local.candidateType}) ↔ ${endpoint(remote)} (${remote.candidateType})`],
    ["Checks", pairs.length && `${sum("requestsSent")} sent, ${sum("responsesReceived")} answered, on ${pairs.length} ${pairs.length === 1 ? "pair" : "pairs"}`],
    ["ICE role", transport.iceRole && `${transport.iceRole}; plainrtc is ${transport.iceRole === "controlling" ? "controlled" : "controlling"}`],
    [version, transport.dtlsCipher || (pc.sctp && pc.sctp.transport.state)],
    ["DTLS role", transport.dtlsRole && `${transport.dtlsRole}; plainrtc is ${transport.dtlsRole === "client" ? "server" : "client"}`],
    ["SCTP", pc.sctp && `${pc.sctp.maxChannels || "?"} streams, messages up to ${bytes(pc.sctp.maxMessageSize)}`],
  ];
  for (const [name, value] of facts) {
    if (value) $("facts").append(element("dt", { textContent: name }), element("dd", { textContent: value }));
  }

  // A browser that has no event for these gets its row now.
  if (pair) landmarks.pair ||= tell("browser", ["ICE", "pair in use"], facts[0][1], setupEnd);
  landmarks.dtls ||= tell("browser", ["DTLS", "connected"], "", setupEnd);
  if (facts[1][1]) explain(landmarks.pair, `checks: ${facts[1][1]}`);
  if (transport.dtlsCipher) explain(landmarks.dtls, `${version}, ${transport.dtlsCipher}`);
}

// ---- Echo ------------------------------------------------------------------

// Resolves with the next message of a channel; rejects if none comes in time.
function nextMessage(channel, limit) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer came back in time")), limit);
    channel.addEventListener("message", ({ data }) => (clearTimeout(timer), resolve(data)), { once: true });
  });
}

// Checks by itself that text and binary come back as they were sent. Tests read
// the result as document.documentElement.dataset.echo.
async function checkEcho(channel) {
  const text = "plainrtc ✓ 平易 🙂";
  const binary = new Uint8Array(PIECE).map((_, i) => (i * 31) >> 3);
  try {
    channel.send(text);
    if ((await nextMessage(channel, 10000)) !== text) throw new Error("the text came back changed");
    channel.send(binary);
    const back = await nextMessage(channel, 10000);
    if (!(back instanceof ArrayBuffer)) throw new Error("binary came back as text");
    const got = new Uint8Array(back);
    if (got.length !== binary.length || !got.every((b, i) => b === binary[i])) throw new Error("the bytes came back changed");
    root.dataset.echo = "ok";
    $("echo-check").textContent = "checked: comes back unchanged";
    tell("browser", ["Echo", "a text and 65,536 bytes came back unchanged"]);
  } catch (error) {
    root.dataset.echo = "failed";
    trouble("The echo check failed", `The channel opened, but ${error.message}.`, ["Start the program with --trace FILE.pcapng, try again, and open the file in Wireshark."]);
  }
}

function startEcho(channel) {
  const waiting = []; // when each message that is not back yet was sent
  $("message").disabled = $("send").disabled = false;
  $("echo").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("message").value;
    if (!text || channel.readyState !== "open") return;
    waiting.push(now());
    channel.send(text);
    $("message").value = "";
  });
  channel.addEventListener("message", ({ data }) => {
    const took = now() - (waiting.shift() || now());
    $("messages").prepend(element("li", {}, element("span", { textContent: data }), element("span", { textContent: `${took.toFixed(1)} ms` })));
    while ($("messages").children.length > 50) $("messages").lastChild.remove();
  });
}

// ---- Round trips -----------------------------------------------------------

function startRoundTrips(channel) {
  const kept = 60;
  const times = [];
  setInterval(() => channel.readyState === "open" && channel.send(String(now())), 250);
  channel.addEventListener("message", ({ data }) => {
    const took = now() - Number(data);
    times.push(took);
    if (times.length > kept) times.shift();
    const sorted = [...times].sort((a, b) => a - b);
    $("rtt").textContent = took.toFixed(took < 10 ? 2 : 1);
    $("rtt-range").textContent = `min ${sorted[0].toFixed(1)} · median ${sorted[sorted.length >> 1].toFixed(1)} · max ${sorted.at(-1).toFixed(1)}`;
    const top = Math.max(sorted.at(-1) * 1.15, 1);
    const points = times.map((t, i) => `${((kept - times.length + i) / (kept - 1)) * 240},${55 - (t / top) * 52}`);
    $("chart-line").setAttribute("points", points.join(" "));
    $("chart-area").setAttribute("points", `${points[0].split(",")[0]},55 ${points.join(" ")} 240,55`);
  });
}

// ---- Throughput ------------------------------------------------------------

// The program's side is in throughput.go: "download MS" makes it send for that
// long and then say {"end":true}; after "upload" it counts what we send, and
// answers "end" with {"end":true,"received":BYTES}.
function startThroughput(channel) {
  $("measure").disabled = false;
  $("measure").onclick = async () => {
    $("measure").disabled = true;
    $("measure").textContent = "Measuring";
    for (const direction of ["down", "up"]) {
      $(direction).value = 0;
      $(`${direction}-text`).textContent = "–";
    }
    try {
      root.dataset.download = show("down", await download(channel));
      root.dataset.upload = show("up", await upload(channel));
    } catch (error) {
      if (!over) $("up-text").textContent = error.message;
    }
    $("measure").textContent = "Measure";
    $("measure").disabled = over;
  };
}

// Shows a rate, {bytes, ms, done: 0 to 1}, and returns it in megabytes a second.
function show(direction, { bytes, ms, done }) {
  const rate = bytes / 1e6 / (ms / 1e3);
  $(direction).value = done;
  $(`${direction}-text`).textContent = `${rate.toFixed(rate < 10 ? 2 : 1)} MB/s`;
  return rate.toFixed(2);
}

function whenEnded(channel, onBinary) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("took too long")), MEASURE_TIME * 5);
    const end = (f, value) => {
      clearTimeout(timer);
      channel.removeEventListener("message", listen);
      f(value);
    };
    const listen = ({ data }) => (typeof data === "string" ? end(resolve, JSON.parse(data)) : onBinary?.(data));
    channel.addEventListener("message", listen);
    channel.addEventListener("close", () => end(reject, new Error("connection lost")), { once: true });
  });
}

async function download(channel) {
  let bytes = 0;
  const began = now();
  const progress = setInterval(() => bytes && show("down", { bytes, ms: now() - began, done: Math.min(1, (now() - began) / MEASURE_TIME) }), 100);
  try {
    channel.send(`download ${MEASURE_TIME}`);
    await whenEnded(channel, (data) => (bytes += data.byteLength));
    return { bytes, ms: now() - began, done: 1 };
  } finally {
    clearInterval(progress);
  }
}

async function upload(channel) {
  const piece = new Uint8Array(Math.min(PIECE, pc.sctp?.maxMessageSize || PIECE));
  let sent = 0;
  const began = now();
  const progress = setInterval(() => show("up", { bytes: sent - channel.bufferedAmount, ms: now() - began, done: Math.min(1, (now() - began) / MEASURE_TIME) }), 100);
  try {
    const ended = whenEnded(channel);
    ended.catch(() => {}); // awaited below; until then it must not count as unhandled
    channel.send("upload");
    channel.bufferedAmountLowThreshold = 1 << 20;
    while (now() - began < MEASURE_TIME && channel.readyState === "open") {
      while (channel.bufferedAmount < 2 << 20 && now() - began < MEASURE_TIME) {
        channel.send(piece);
        sent += piece.length;
      }
      await new Promise((resolve) => {
        channel.onbufferedamountlow = resolve;
        setTimeout(resolve, 100);
      });
    }
    channel.send("end");
    const { received } = await ended;
    return { bytes: received, ms: now() - began, done: 1 };
  } finally {
    clearInterval(progress);
  }
}

// ---- Words -----------------------------------------------------------------

// An address and port; a browser that hides its address gives a name or nothing.
function endpoint(candidate) {
  const address = candidate.address || candidate.ip || "hidden address";
  return address.includes(":") && !address.startsWith("[") ? `[${address}]:${candidate.port}` : `${address}:${candidate.port}`;
}

function bytes(n) {
  return n === Infinity ? "any size" : `${n.toLocaleString("en")} bytes`;
}

function candidateCount(sdp) {
  const n = (sdp.match(/^a=candidate:/gm) || []).length;
  return n === 1 ? "1 candidate" : `${n} candidates`;
}

// ---- Leaving ---------------------------------------------------------------

// The program frees the connection at once instead of waiting for it to time out.
function leave() {
  if (id) navigator.sendBeacon(`/connections/${id}/close`);
  if (pc) pc.close();
}

addEventListener("pagehide", () => {
  over = true;
  leave();
});
// A page brought back from the browser's cache has closed its connection.
addEventListener("pageshow", (event) => event.persisted && location.reload());

connect();
