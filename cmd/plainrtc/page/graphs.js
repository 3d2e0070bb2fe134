// Four graphs of the last minute of media, as this browser and the program measure it:
// getStats here, the program's statistics, which have the same names, by HTTP.
"use strict";

const KEPT = 60; // samples, one each second
const FIRST = 20; // as many are as wide as the graph at first
const graphTable = [
  // least is what the axis reaches at least.
  { name: "bitrate", title: "Bitrate sent", unit: "kbit/s", least: 100, digits: 0 },
  { name: "loss", title: "Packets lost", unit: "%", least: 1, digits: 1 },
  { name: "buffer", title: "Jitter buffer", unit: "ms", least: 10, digits: 0 },
  { name: "rtt", title: "Round trip", unit: "ms", least: 1, digits: 1 },
];
const sides = ["browser", "server"];
const graphs = {}; // by name
let sampling; // the timer

function svg(name, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

function makeGraph(g) {
  const lines = {};
  const values = {};
  for (const side of sides) {
    lines[side] = svg("polyline", { class: `line ${side}` });
    values[side] = element("output", { className: side, textContent: "–" });
    values[side].setAttribute("aria-label", side === "server" ? "plainrtc" : "browser");
  }
  const top = element("span", { className: "quiet top" });
  $("graphs").append(
    element(
      "figure",
      { className: "graph" },
      element("figcaption", {}, g.title + " ", element("small", { textContent: g.unit })),
      element("p", { className: "now" }, values.browser, values.server),
      element(
        "div",
        { className: "plot" },
        svg("svg", { viewBox: "0 0 240 56", preserveAspectRatio: "none", role: "img", "aria-label": `${g.title} in the last minute` }, svg("line", { class: "base", x1: 0, y1: 55.5, x2: 240, y2: 55.5 }), lines.server, lines.browser),
        top,
      ),
    ),
  );
  return { ...g, lines, values, top, samples: { browser: [], server: [] } };
}

// Adds what each side has measured now; null where it has not.
function plot(g, sample) {
  for (const side of sides) {
    g.samples[side].push(sample[side]);
    if (g.samples[side].length > KEPT) g.samples[side].shift();
    const v = sample[side];
    g.values[side].textContent = v === null ? "–" : v.toFixed(v >= 100 ? 0 : g.digits);
  }
  const most = roundUp(Math.max(g.least, ...sides.flatMap((side) => g.samples[side].filter((v) => v !== null))));
  g.top.textContent = most;
  for (const side of sides) {
    const all = g.samples[side];
    const points = all.map((v, i) => v !== null && `${((i / (Math.max(all.length, FIRST) - 1)) * 240).toFixed(1)},${(54 - (v / most) * 52).toFixed(1)}`);
    g.lines[side].setAttribute("points", points.filter(Boolean).join(" "));
  }
}

// The next of 1, 2, 5, 10, 20, …
function roundUp(v) {
  const decade = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((n) => n * decade).find((n) => n >= v * 0.999);
}

// A sum of differences to the sample before, of counters of things with ids.
function meter() {
  let before = new Map();
  let at = 0;
  return (list) => {
    const old = before;
    const seconds = (now() - at) / 1000;
    at = now();
    before = new Map(list.map((s) => [s.id, s]));
    const known = list.filter((s) => old.has(s.id));
    const grown = (field, of = known) => of.reduce((sum, s) => sum + (s[field] || 0) - (old.get(s.id)[field] || 0), 0);
    return { known, grown, seconds };
  };
}

// What one side's statistics come to, whichever side: the names are W3C's.
function figures() {
  const received = meter();
  const sent = meter();
  return ({ inbound, outbound, remoteInbound, pair }) => {
    const i = received(inbound);
    const o = sent(outbound);
    const packets = i.grown("packetsReceived");
    const lost = Math.max(0, i.grown("packetsLost"));
    // Of the picture, if there is one.
    const buffered = ["video", "audio"].map((kind) => i.known.filter((s) => s.kind === kind)).find((l) => i.grown("jitterBufferEmittedCount", l) > 0);
    const measured = remoteInbound.map((s) => s.roundTripTime).filter((t) => t > 0);
    const trip = measured.length ? Math.min(...measured) : pair?.currentRoundTripTime;
    return {
      bitrate: o.known.length ? (o.grown("bytesSent") * 8) / 1000 / o.seconds : null,
      loss: packets + lost > 0 ? (lost / (packets + lost)) * 100 : null,
      buffer: buffered ? (i.grown("jitterBufferDelay", buffered) / i.grown("jitterBufferEmittedCount", buffered)) * 1000 : null,
      rtt: trip ? trip * 1000 : null,
    };
  };
}

function startGraphs() {
  $("graphs").replaceChildren();
  for (const g of graphTable) graphs[g.name] = makeGraph(g);
  const compute = { browser: figures(), server: figures() };
  sample(compute);
  sampling = setInterval(() => sample(compute), 1000);
}

function stopGraphs() {
  clearInterval(sampling);
}

async function sample(compute) {
  const [here, response] = await Promise.all([pc.getStats(), fetch(`/connections/${id}/stats`, { cache: "no-store" }).catch(() => null)]);
  const there = response?.ok ? await response.json().catch(() => null) : null;
  if (over) return;
  const all = [...here.values()];
  const of = (type) => all.filter((s) => s.type === type);
  const browser = compute.browser({
    inbound: of("inbound-rtp"),
    outbound: of("outbound-rtp"),
    remoteInbound: of("remote-inbound-rtp"),
    pair: of("candidate-pair").find((p) => p.nominated && p.state === "succeeded"),
  });
  const server =
    there &&
    compute.server({
      inbound: there["inbound-rtp"],
      outbound: there["outbound-rtp"],
      remoteInbound: there["remote-inbound-rtp"],
      pair: there["candidate-pair"].find((p) => p.selected),
    });
  for (const g of Object.values(graphs)) plot(g, { browser: browser[g.name], server: server ? server[g.name] : null });

  const words = (list) => {
    const v = list.find((s) => s.kind === "video" && s.frameWidth);
    const codec = v && here.get(v.codecId)?.mimeType.split("/")[1];
    return v ? [`${v.frameWidth} × ${v.frameHeight}`, v.framesPerSecond && `${v.framesPerSecond.toFixed(0)}/s`, codec].filter(Boolean).join(", ") : "";
  };
  $("sent-what").textContent = local ? words(of("outbound-rtp")) : "nothing";
  $("back-what").textContent = words(of("inbound-rtp"));
  // Tests read it.
  root.dataset.decoded = of("inbound-rtp").find((s) => s.kind === "video")?.framesDecoded || 0;
}
