// Sends a camera and a microphone to the program, or what stands in for them, and shows
// what comes back. The connection is page.js's; media is negotiated on it when it
// begins and when it ends. Only this side offers, so that offers never cross.
"use strict";

const transceivers = {}; // by kind, once there was media
let local = null; // what is sent: {stream, end}
let recording = null; // the timer that asks how far it is, while the program records

// Tests read it as document.documentElement.dataset.media: off, starting or on.
function setMedia(state) {
  root.dataset.media = state;
  $("media-start").hidden = state === "on";
  $("media-on").hidden = $("media-legend").hidden = state !== "on";
  for (const b of ["use-camera", "use-drawing", "use-clip"]) $(b).disabled = state !== "off";
}

function mediaTrouble(text) {
  $("media-trouble").textContent = text;
  $("media-trouble").hidden = !text;
}

// The connection is there: media can begin.
function offerMedia() {
  setMedia("off");
  $("clip-name").title = $("use-clip").title = clips.join(", ");
  $("use-clip").hidden = !clips.length;
  $("use-camera").onclick = () => startMedia(camera);
  $("use-drawing").onclick = () => startMedia(drawing);
  $("use-clip").onclick = () => startMedia(null);
  $("stop").onclick = stopMedia;
  $("record").onclick = () => change({ record: !recording });
  $("sound").onclick = () => {
    $("back").muted = !$("back").muted;
    $("sound").ariaPressed = String(!$("back").muted);
    $("sound").textContent = $("back").muted ? "Sound on" : "Sound off";
  };
  for (const radio of sourceRadios()) radio.onchange = () => change({ source: radio.value });
}

const sourceRadios = () => document.querySelectorAll("input[name=source]");

// The connection has ended.
function endMedia() {
  local?.end();
  local = null;
  stopGraphs();
  clearInterval(recording);
  recording = null;
  $("record-text").textContent = "";
  for (const control of document.querySelectorAll(".media button, .media input")) control.disabled = true;
}

// ---- Where media comes from ------------------------------------------------

async function camera() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers give cameras only to pages from their own machine, or by https. Use the drawing and the tone, or run plainrtc on the machine of this browser.");
  }
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video, audio: true });
  } catch (error) {
    if (error.name !== "NotFoundError") throw new Error(cameraWords(error));
    // One of the two may be there.
    stream = await navigator.mediaDevices
      .getUserMedia({ video })
      .catch(() => navigator.mediaDevices.getUserMedia({ audio: true }))
      .catch((e) => Promise.reject(new Error(cameraWords(e))));
  }
  for (const track of stream.getTracks()) track.onended = stopMedia; // unplugged, or taken back
  return { stream, end: () => stream.getTracks().forEach((t) => t.stop()) };
}

function cameraWords(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The browser did not allow the camera and the microphone. Allow them for this page, beside its address, or use the drawing and the tone.";
    case "NotFoundError":
      return "There is neither a camera nor a microphone here. Use the drawing and the tone.";
    case "NotReadableError":
      return "The camera or the microphone cannot be opened: another program may be using it.";
  }
  return `The camera cannot be used: ${error.message}.`;
}

// A picture and a sound for those who have no camera: a ball that goes round a clock, and
// a tone that changes with every second.
async function drawing() {
  const canvas = element("canvas", { width: 640, height: 480 });
  const g = canvas.getContext("2d");
  const draw = () => {
    const t = now() / 1000;
    const sky = g.createLinearGradient(0, 0, 640, 480);
    sky.addColorStop(0, `hsl(${(t * 20) % 360} 60% 30%)`);
    sky.addColorStop(1, `hsl(${(t * 20 + 80) % 360} 60% 18%)`);
    g.fillStyle = sky;
    g.fillRect(0, 0, 640, 480);
    g.strokeStyle = "#fff5";
    g.lineWidth = 3;
    g.beginPath();
    g.arc(320, 240, 170, 0, 2 * Math.PI);
    g.stroke();
    g.fillStyle = "#fff";
    g.beginPath();
    g.arc(320 + 170 * Math.sin(t * 2), 240 - 170 * Math.cos(t * 2), 28, 0, 2 * Math.PI);
    g.fill();
    g.font = "600 56px ui-monospace, monospace";
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillText(new Date().toTimeString().slice(0, 8), 320, 240);
  };
  draw();
  const drawn = setInterval(draw, 33);
  const stream = canvas.captureStream(30);

  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { type: "sine", frequency: 440 });
  const quiet = new GainNode(audio, { gain: 0.08 });
  const out = audio.createMediaStreamDestination();
  tone.connect(quiet).connect(out);
  tone.start();
  const scale = [1, 9 / 8, 5 / 4, 3 / 2, 5 / 3];
  const changes = setInterval(() => (tone.frequency.value = 330 * scale[Math.floor(now() / 1000) % scale.length]), 250);
  audio.resume().catch(() => {}); // needs a click, which led here
  stream.addTrack(out.stream.getAudioTracks()[0]);
  return {
    stream,
    end: () => {
      clearInterval(drawn);
      clearInterval(changes);
      stream.getTracks().forEach((t) => t.stop());
      audio.close();
    },
  };
}

// ---- Beginning and ending --------------------------------------------------

// Begins to send what source opens; null only watches the clip.
async function startMedia(source) {
  setMedia("starting");
  mediaTrouble("");
  try {
    local = source && (await source());
    if (over) return endMedia();
    display("sent", local && local.stream);
    selectSource(local ? "echo" : "clip");
    await change({ source: local ? "echo" : "clip" }, true);
    for (const kind of ["audio", "video"]) {
      const track = local && local.stream.getTracks().find((t) => t.kind === kind);
      const direction = track ? "sendrecv" : "recvonly";
      if (transceivers[kind]) {
        await transceivers[kind].sender.replaceTrack(track || null);
        transceivers[kind].direction = direction;
      } else {
        transceivers[kind] = pc.addTransceiver(track || kind, { direction, streams: track ? [local.stream] : [] });
      }
    }
    await negotiate();
    // It stays: Chromium shows nothing of tracks that have been inactive in a player that
    // is given them anew.
    if (!$("back").srcObject) display("back", new MediaStream(Object.values(transceivers).map((t) => t.receiver.track)));
    if (over) return endMedia();
    tell("browser", ["Media", "negotiated"], mediaLines(pc.currentRemoteDescription.sdp));
    // Who only watches has nothing to be recorded or sent back.
    $("sources").hidden = !clips.length || !local;
    $("record").hidden = !local;
    setMedia("on");
    startGraphs();
  } catch (error) {
    local?.end();
    local = null;
    if (over) return;
    setMedia("off");
    mediaTrouble(error.message);
  }
}

// Shows a stream, or nothing. A player that has had one does not begin by itself again.
function display(player, stream) {
  $(player).srcObject = stream;
  if (stream) $(player).play().catch(() => {}); // interrupted by the next
}

async function stopMedia() {
  if (root.dataset.media !== "on") return;
  setMedia("starting");
  stopGraphs();
  try {
    await change({ record: false, source: "echo" });
    local?.end();
    for (const t of Object.values(transceivers)) {
      await t.sender.replaceTrack(null);
      t.direction = "inactive";
    }
    await negotiate();
  } catch (error) {
    mediaTrouble(error.message);
  }
  local = null;
  display("sent", null);
  if (!over) setMedia("off");
}

// All that is posted can be posted twice. A request breaks off when the network of the
// machine changes, and the program is there all the same.
async function post(path, body) {
  for (let again = true; ; again = false) {
    let refused;
    try {
      const response = await fetch(`/connections/${id}/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      if (response.ok) return await response.json();
      refused = (await response.text()).trim();
    } catch {
      if (again && (await serverAnswers())) continue;
      serverGone();
      refused = "The program does not answer.";
    }
    throw new Error(refused);
  }
}

async function negotiate() {
  await pc.setLocalDescription();
  try {
    await pc.setRemoteDescription(await post("offer", { type: "offer", sdp: pc.localDescription.sdp }));
  } catch (error) {
    if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
    throw error;
  }
}

// The codecs that come first in a description.
function mediaLines(sdp) {
  const names = [...sdp.matchAll(/^m=(?:audio|video) \d+ \S+ (\d+)/gm)].map(([, type]) => sdp.match(new RegExp(`^a=rtpmap:${type} ([^/\\r]+)`, "m"))?.[1]);
  return names.filter(Boolean).join(", ");
}

// ---- What is sent back, and recordings -------------------------------------

function selectSource(source) {
  $("back-title").textContent = source === "clip" ? "Clip" : "Came back";
  for (const radio of sourceRadios()) radio.checked = radio.value === source;
}

// Asks the program for {source} or {record}, and shows what it says then.
async function change(what, throws = false) {
  try {
    showMedia(await post("media", what));
    mediaTrouble("");
  } catch (error) {
    if (throws) throw error;
    mediaTrouble(error.message);
    lookAtMedia();
  }
}

async function lookAtMedia() {
  const response = await fetch(`/connections/${id}/media`, { cache: "no-store" }).catch(() => null);
  const state = response?.ok && (await response.json().catch(() => null));
  if (state) showMedia(state);
}

// Shows the program's mediaState.
function showMedia(state) {
  if (over) return;
  if (root.dataset.media === "on") selectSource(state.source);
  if (state.refused) mediaTrouble(`The clip is not played: ${state.refused}.`);
  if (state.recording && !recording) recording = setInterval(lookAtMedia, 500);
  if (!state.recording && recording) {
    clearInterval(recording);
    recording = null;
  }
  root.dataset.recording = state.recording ? "on" : "off";
  $("record").textContent = state.recording ? "Stop recording" : "Record";
  $("record").classList.toggle("live", state.recording);
  $("record-text").textContent = state.recording ? `${state.seconds.toFixed(0)} s, ${size(state.bytes)}` : state.notice && `Recording ended: ${state.notice}.`;
  $("recorded").hidden = !state.recordings.length;
  $("recordings-where").textContent = `Stored in ${state.directory} on the machine of plainrtc.`;
  $("recordings").replaceChildren(
    ...state.recordings.map((r) =>
      element("li", {}, element("a", { href: r.url, download: r.name, textContent: r.name }), element("span", { className: "quiet", textContent: `${r.content}, ${r.seconds.toFixed(1)} s, ${size(r.bytes)}` })),
    ),
  );
}

function size(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
