package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// Where negotiation hands over to what carries media.

// configureMedia is told what was settled for a transceiver's section, or for the time being
// what may come in before the answer does.
func (c *core) configureMedia(now time.Time, t *Transceiver, section session.Section) {}

// removeMedia is told that a section is no more.
func (c *core) removeMedia(now time.Time, mid string) {}

// encodingsChanged is told that the user has changed how a sender sends.
func (c *core) encodingsChanged(now time.Time, t *Transceiver) {}
