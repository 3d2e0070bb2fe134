package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A playout moves the offset between sending and play-out to where it should be:
// up fast, for packets are lost until then, and down slowly.
type playout struct {
	started bool
	offset  time.Duration
}

// Of the time that passes, the share by which the offset moves.
const (
	upShare     = 8 // 12.5 %
	stallShare  = 4 // 25 %: down when it is far too high, as after a stall
	slowShare   = 50
	silentShare = 2
	// far is what is far too high. From there on it goes down by what is left in that time.
	far = 20 * time.Millisecond
)

// downShare is that by which an offset goes down that is so much too high.
func downShare(excess time.Duration) time.Duration {
	return min(max(stallShare*far/max(excess, 1), stallShare), slowShare)
}

// step moves the offset for a frame that lasted d, and returns by how much.
func (p *playout) step(wanted, d time.Duration, silent bool) time.Duration {
	miss := wanted - p.offset
	up, down := d/upShare, d/downShare(-miss)
	if silent {
		up, down = d/silentShare, d/silentShare
	}
	moved := min(max(miss, -down), up)
	p.offset += moved
	return moved
}

// rescue moves the offset at once when it is beyond all bounds, and beyond what a
// stall may have added: what it was learned from made no sense, and frames would
// wait for long.
func (b *Buffer) rescue() {
	if b.playout.started && b.playout.offset > b.delay.fastest()+b.config.MaxDelay+concealMost {
		b.playout.offset = b.wanted()
	}
}

// wanted is the offset that packets should have: what they need, within the bounds,
// and in step with the other stream.
func (b *Buffer) wanted() time.Duration {
	_, most := b.bounds()
	return max(b.alone(), min(b.together, b.delay.fastest()+most))
}

// alone is what wanted would be without another stream to be in step with.
func (b *Buffer) alone() time.Duration {
	fastest, wanted := b.delay.fastest(), b.delay.wanted
	if n := b.delay.count; !b.config.Video && n < firstPackets {
		wanted = max(wanted, fastest+firstDelay*time.Duration(firstPackets-n)/firstPackets)
	}
	least, most := b.bounds()
	return min(max(wanted, fastest+least), fastest+most)
}

// bounds are those of the delay: the configured ones, and within them the sender's.
func (b *Buffer) bounds() (least, most time.Duration) {
	least, most = b.config.MinDelay, b.config.MaxDelay
	if b.hasSender {
		least, most = min(max(least, b.sender.Min), most), max(min(most, b.sender.Max), least)
	}
	return least, most
}

// asked looks whether the sender says how long frames should be delayed.
func (b *Buffer) asked(p rtp.Packet) {
	if !b.config.Video || b.config.Extensions == nil {
		return
	}
	if id := b.config.Extensions.ID(rtp.ExtPlayoutDelay); id != 0 {
		if value, ok := p.Extension(id); ok {
			if d, ok := rtp.ParsePlayoutDelay(value); ok {
				b.sender, b.hasSender = d, true
			}
		}
	}
}
