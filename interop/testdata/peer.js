// The browser's side of the interop tests: peer connections by number, each
// with queues that the test reads at its leisure.
"use strict";

class Queue {
  #items = [];
  #waiting = [];
  push(item) {
    const take = this.#waiting.shift();
    take ? take(item) : this.#items.push(item);
  }
  next() {
    return this.#items.length ? Promise.resolve(this.#items.shift()) : new Promise((take) => this.#waiting.push(take));
  }
}

class Channel {
  constructor(dc) {
    this.dc = dc;
    this.messages = new Queue();
    dc.binaryType = "arraybuffer";
    dc.bufferedAmountLowThreshold = 1 << 20;
    this.opened = new Promise((done, fail) => {
      if (dc.readyState === "open") done();
      dc.addEventListener("open", done);
      dc.addEventListener("close", () => fail(new Error(`channel "${dc.label}" closed before it opened`)));
    });
    this.opened.catch(() => {});
    dc.onmessage = ({data}) => this.messages.push(typeof data === "string"
      ? {text: true, data: new TextEncoder().encode(data)}
      : {text: false, data});
    dc.onclose = () => this.messages.push(null);
    dc.onerror = (e) => console.warn(`channel "${dc.label}": ${e.error}`);
  }
  async send({text, data}) {
    while (this.dc.bufferedAmount > 4 << 20) {
      await new Promise((done) => this.dc.addEventListener("bufferedamountlow", done, {once: true}));
    }
    data = bytes(data);
    this.dc.send(text ? new TextDecoder("utf-8", {ignoreBOM: true}).decode(data) : data);
  }
  info() {
    const {label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState} = this.dc;
    return {label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState};
  }
}

class Peer {
  channels = [];
  incoming = new Queue();
  candidates = new Queue();
  constructor() {
    const pc = (this.pc = new RTCPeerConnection(globalThis.configuration));
    pc.ondatachannel = ({channel}) => this.incoming.push(this.#keep(channel));
    pc.onicecandidate = ({candidate}) => this.candidates.push(candidate);
    pc.onicecandidateerror = (e) => console.warn("candidate error", e.errorText);
    for (const what of ["connectionState", "iceConnectionState", "signalingState"]) {
      pc.addEventListener(what.toLowerCase() + "change", () => console.info(what, pc[what]));
    }
  }
  #keep(dc) {
    return this.channels.push(new Channel(dc)) - 1;
  }
  create(label, options) {
    return this.#keep(this.pc.createDataChannel(label, options));
  }
  async offer(iceRestart) {
    await this.pc.setLocalDescription(await this.pc.createOffer({iceRestart}));
    return this.pc.localDescription.sdp;
  }
  async answer(sdp) {
    await this.pc.setRemoteDescription({type: "offer", sdp});
    await this.pc.setLocalDescription();
    return this.pc.localDescription.sdp;
  }
  finish(sdp) {
    return this.pc.setRemoteDescription({type: "answer", sdp});
  }
  async gathered() {
    while (this.pc.iceGatheringState !== "complete") {
      await new Promise((done) => this.pc.addEventListener("icegatheringstatechange", done, {once: true}));
    }
    return this.pc.localDescription.sdp;
  }
  async state(want) {
    const end = ["failed", "closed"];
    while (this.pc.connectionState !== want) {
      if (end.includes(this.pc.connectionState)) throw new Error(`is ${this.pc.connectionState}, not ${want}`);
      await new Promise((done) => this.pc.addEventListener("connectionstatechange", done, {once: true}));
    }
  }
  // The ufrag of the local candidate that is in use, once it is want.
  async usesUfrag(want) {
    for (;;) {
      const stats = await this.pc.getStats();
      const transport = [...stats.values()].find((s) => s.type === "transport");
      const pair = stats.get(transport?.selectedCandidatePairId)
        ?? [...stats.values()].find((s) => s.type === "candidate-pair" && s.selected);
      const ufrag = stats.get(pair?.localCandidateId)?.usernameFragment;
      if (ufrag === want) return;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

const peers = [];
const newPeer = () => peers.push(new Peer()) - 1;
