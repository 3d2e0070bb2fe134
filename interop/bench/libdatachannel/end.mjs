// One end of a connection: libdatachannel, by its bindings for Node.js, which
// bring it built. It carries out the orders of bench's processes.go, a line of
// JSON each. Of its work JavaScript does a call a message.
import {existsSync, readFileSync, readdirSync, readlinkSync} from "node:fs";
import {createInterface} from "node:readline";
import nodeDataChannel from "node-datachannel";

// As much is buffered as Pion's documentation recommends, and ours does.
const buffered = 1 << 20, low = 512 << 10;

const pc = new nodeDataChannel.PeerConnection("end", {iceServers: [], bindAddress: "127.0.0.1"});
let channel, accepted, received = 0;
const incoming = new Promise((take) => (accepted = take));
pc.onDataChannel((dc) => accepted(dc));

// Resolves to the description with all candidates.
const gathered = () => new Promise((done) => {
  const look = () => pc.gatheringState() === "complete" && done({sdp: pc.localDescription().sdp});
  pc.onGatheringStateChange(look);
  look();
});

// Sends for ever, and lets other work in between.
const sendAll = (dc, size) => {
  const message = Buffer.alloc(size);
  const fill = () => {
    while (dc.bufferedAmount() < buffered) dc.sendMessageBinary(message);
  };
  dc.setBufferedAmountLowThreshold(low);
  dc.onBufferedAmountLow(fill);
  fill();
};

// Like drops.go: how often a socket's buffer was full.
const drops = () => {
  const ours = new Set();
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      ours.add(readlinkSync("/proc/self/fd/" + fd).match(/^socket:\[(\d+)\]$/)?.[1]);
    } catch {} // the directory itself
  }
  let n = 0;
  for (const file of ["/proc/self/net/udp", "/proc/self/net/udp6"]) {
    if (!existsSync(file)) continue;
    for (const line of readFileSync(file, "utf8").trim().split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (ours.has(fields[9])) n += +fields[12];
    }
  }
  return n;
};

const orders = {
  offer() {
    channel = pc.createDataChannel("bench");
    return gathered();
  },
  answer({sdp}) {
    pc.setRemoteDescription(sdp, "offer");
    return gathered();
  },
  finish({sdp}) {
    pc.setRemoteDescription(sdp, "answer");
  },
  async send({size}) {
    if (!channel.isOpen()) await new Promise((done) => channel.onOpen(done));
    sendAll(channel, size);
  },
  async receive() {
    channel = await incoming;
    channel.onMessage((message) => (received += message.length));
  },
  count() {
    const {user, system} = process.cpuUsage(); // of all threads
    return {bytes: received, cpu: (user + system) / 1e6, drops: drops()};
  },
  version() {
    return {version: nodeDataChannel.getLibraryVersion()};
  },
};

for await (const line of createInterface({input: process.stdin})) {
  const order = JSON.parse(line);
  let report;
  try {
    report = (await orders[order.do](order)) ?? {};
  } catch (e) {
    report = {error: String(e)};
  }
  console.log(JSON.stringify(report));
}
process.exit(0);
