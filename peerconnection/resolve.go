package peerconnection

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// The names of servers are resolved by goroutines, one for each: the resolver
// blocks. They end when it answers, and no later than the connection.

// resolveFor is how long a name may take.
const resolveFor = 5 * time.Second

// resolve looks up the names of ICE servers, once. The caller has entered.
func (pc *PeerConnection) resolve() {
	if len(pc.names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveFor)
	pc.stopResolving = cancel
	for _, u := range pc.names {
		go func() {
			addresses, err := new(net.Resolver).LookupNetIP(ctx, "ip", u.host)
			if err == nil && len(addresses) == 0 {
				err = errors.New("the name has no address")
			}
			now := pc.enter()
			if !pc.isClosed {
				pc.core.serverResolved(now, u, addresses, err)
			}
			pc.leave(now)
		}()
	}
	pc.names = nil
}

// listenForRelays opens sockets of the connection's own where it shares the
// others: at a TURN server one address and port is one client, and has one
// allocation.
func (pc *PeerConnection) listenForRelays() error {
	if pc.mux.only != nil || !pc.wantsRelays {
		return nil
	}
	relays, err := listenOwn(pc, addrsOf(pc.mux.addresses()), nil)
	if err != nil {
		return err
	}
	pc.relays = relays
	return nil
}

// socketsOf are the sockets that a path's datagrams leave from.
func (pc *PeerConnection) socketsOf(path ice.Path) *UDPMux {
	if pc.relays != nil && pc.relays.socket(path) != nil {
		return pc.relays
	}
	return pc.mux
}
