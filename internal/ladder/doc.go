// Package ladder tests a core by letting two of them talk, A and Z, over a
// link on virtual time, and comparing the transcript with a golden file.
//
// A file holds scenarios, one after another: what it shows, as comments; a
// script; a line of four dashes; and the transcript, which ends at the first
// empty line. Everything but the transcripts is written by hand; running the
// test with -update (make golden) writes the transcripts, and the diff is the
// review.
//
//	# RFC 9260, Section 5.1: the COOKIE ACK is lost; T1-cookie repairs it.
//	connect a
//	lose z 2
//	run
//	----
//	   0ms  a ──► z  INIT         tag=a1 tsn=100 rwnd=131072
//	  20ms  a ◄── z  INIT ACK     tag=f7 tsn=900 cookie[64]
//	  40ms  a ──► z  COOKIE ECHO  cookie[64]
//	  60ms  a ✗── z  COOKIE ACK
//	1020ms  a        timer T1-cookie
//
// # The script
//
// A line is a verb and its words; a line that starts with # is a comment. The
// ladder knows these verbs, and hands every other one to [Pair.Command]:
//
//	run                 until quiet: nothing in flight, no timer due within 10s
//	run 3s              for exactly that long
//	quiet 30s           how far ahead a timer is that lets run end
//	delay 20ms          the link's one-way delay (20ms from the start)
//	delay a 50ms        the delay of what a sends
//	lose a 2            the 2nd datagram that a sends from here on is lost;
//	                    also 2,3 and 2-5, all, and none to end it
//	duplicate z 1       it arrives twice
//	hold a 1 500ms      it arrives that much later, behind those sent after it
//	show state note     trace facts to print too: state, note, value
//
// # The transcript
//
// A datagram stands at the time it was sent. Lost ones have a cross where they
// would have arrived; ══► is a duplicated one; ──┄ a held one when it is sent
// and ┄┄► the same one when it arrives. In what [Pair.Describe] returns the
// first tab stands between the name and the details, which are aligned. Below,
// in the column of the peer concerned, stand the timers that fired and the
// packets that were dropped, as the core traced them, the events it gave, and
// the errors its commands returned.
//
// At one instant datagrams are delivered in the order of sending, before the
// timers of A and then those of Z. After everything that may change a core it
// is drained: packets first, then events.
//
// # What is checked beside the transcript
//
// Every scenario runs twice and must send the same bytes both times. A core
// must leave alone what stands before its packet in the buffer, must not keep
// what it was given to Receive (it is overwritten), must trace with the time it
// was given, and must move on: no endless packets or timers at one instant.
//
// A core whose datagrams have addresses, such as an ICE agent, is wrapped by
// its test in a [Peer] that writes the path in front of each packet.
package ladder
