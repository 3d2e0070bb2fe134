package jitter

import "time"

// A playout moves the offset between sending and play-out to where it should be:
// up fast, for packets are lost until then, and down slowly.
type playout struct {
	started bool
	offset  time.Duration
}

const (
	fastShare   = 8  // of the time that passes: 12.5 %
	slowShare   = 50 // 2 %
	silentShare = 2

	// downTime is how long it takes to go most of the way down, at any speed between
	// slowShare and fastShare.
	downTime = 2 * time.Second

	// near is how far the offset may be from where it should be. Else it would never rest.
	near = 2 * time.Millisecond
)

// step moves the offset for a frame that lasted d, and returns by how much.
func (p *playout) step(wanted, d time.Duration, silent bool) time.Duration {
	miss := wanted - p.offset
	up, down := d/fastShare, min(max(-miss*d/downTime, d/slowShare), d/fastShare)
	if silent {
		up, down = d/silentShare, d/silentShare
	}
	switch {
	case miss > near:
		d = min(miss, up)
	case miss < -near:
		d = max(miss, -down)
	default:
		d = 0
	}
	p.offset += d
	return d
}

// wanted is the offset that packets should have: what they need, within the bounds.
func (b *Buffer) wanted() time.Duration {
	fastest, wanted := b.delay.fastest(), b.delay.wanted
	if n := b.delay.count; !b.config.Video && n < firstPackets {
		wanted = max(wanted, fastest+firstDelay*time.Duration(firstPackets-n)/firstPackets)
	}
	least := max(b.config.MinDelay, b.extra)
	return min(max(wanted, fastest+least), fastest+b.config.MaxDelay)
}
