// A stream of bytes that follows from a seed is sent on a channel of peer.js, and
// what comes back is hashed, as it comes: nothing is kept.
"use strict";

class WordHash { // FNV-1a over words of 32 bits, in two lanes
  #a = 0x811c9dc5 | 0;
  #b = 0x01000193 | 0;
  add(words) {
    let a = this.#a, b = this.#b;
    for (let i = 0; i < words.length; i++) {
      a = Math.imul(a ^ words[i], 0x01000193);
      b = Math.imul(b ^ words[i], 0x85ebca6b) ^ (b >>> 15);
    }
    this.#a = a;
    this.#b = b;
  }
  toString() {
    return [this.#a, this.#b].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

// Sends total bytes in messages of size, and resolves when as many have come back.
const transfer = (channel, total, size) => new Promise((done, fail) => {
  const dc = channel.dc, sent = new WordHash(), received = new WordHash(), start = performance.now();
  let out = 0, back = 0, outMs, x = 2463534242;
  dc.onmessage = ({data}) => {
    received.add(new Uint32Array(data));
    if ((back += data.byteLength) === total) {
      done({sent: String(sent), received: String(received), outMs, backMs: performance.now() - start});
    }
  };
  dc.onclose = () => fail(new Error(`the channel closed after ${out} bytes there and ${back} back`));
  const message = new Uint32Array(size / 4);
  const send = () => {
    while (out < total && dc.bufferedAmount < 4 << 20) {
      for (let i = 0; i < message.length; i++) { // xorshift32
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        message[i] = x;
      }
      sent.add(message);
      dc.send(message);
      out += size;
      outMs = performance.now() - start;
    }
  };
  dc.onbufferedamountlow = send;
  send();
});
