package main

import "github.com/plainrtc/plainrtc/peerconnection"

// echoMedia makes pc send back what it receives: the track of each receiver goes to
// the sender beside it. It is called when an offer was applied, and before it is answered.
func echoMedia(pc *peerconnection.PeerConnection) error {
	for _, t := range pc.Transceivers() {
		if err := send(t, t.Receiver().Track()); err != nil {
			return err
		}
	}
	return nil
}

// send makes a transceiver send a track, or nothing if that is nil, and receive, as far
// as the peer agrees to either.
func send(t *peerconnection.Transceiver, track *peerconnection.Track) error {
	if err := t.Sender().ReplaceTrack(track); err != nil {
		return err
	}
	return t.SetDirection(peerconnection.DirectionSendRecv)
}
